"""Read the inventory: each runtime of the last applied listing of an account, with its federation and its resource.

A row of the inventory is an observation. The stored resource of its runtime is found by the scope and the runtime's id,
with one query for each kind of resource and page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import ExpressionWrapper, F, Q, QuerySet, TextField
from django.db.models.lookups import Exact

from core.ids import is_object_id
from core.store.documents import document_text
from core.store.folding import contains_text
from federations.models import DiscoveredResource, Federation, RuntimeObservation
from federations.services.access import AnyUser, agents_visible_to, servers_visible_to
from federations.services.sync_targets import UNFEDERATED, unfederated_target
from federations.sync.resources import JsonObject, ResourceKind

HAS_ERROR = ~Q(error="")
IS_BROKEN = HAS_ERROR | Q(status__endswith="FAILED")
"""The runtimes that failed in the last sync, or whose status in the cloud is a failed one."""

# The text of an empty list is the one form in which the database can compare a document.
HAS_WARNINGS = ~Q(Exact(ExpressionWrapper(F("warnings"), output_field=TextField()), document_text([])))
NEEDS_A_LOOK = HAS_WARNINGS | Q(is_incomplete=True)
"""The runtimes that the hub read in part."""

MAX_OBSERVED = 10_000
"""SQLite takes 32,766 parameters in one query."""

Place = tuple[str, str]
Resource = TypeVar("Resource", bound=DiscoveredResource)


@dataclass(frozen=True, slots=True)
class InventoryEntry:
    """One runtime of the inventory.

    `federation` is None for a runtime of a region without a federation. `resource` is the stored MCP server or A2A
    agent of the runtime; it has no other columns than its name and its place. It is None if no resource is stored, or
    if the user may not view it.
    """

    observation: RuntimeObservation
    federation: Federation | None
    resource: DiscoveredResource | None

    @property
    def federation_id(self) -> str | None:
        """Return the id of the federation."""
        return self.federation.id if self.federation else None

    @property
    def resource_kind(self) -> ResourceKind | None:
        """Return the kind of the stored resource."""
        return self.resource.kind if self.resource else None

    @property
    def resource_id(self) -> str | None:
        """Return the id of the stored resource."""
        return self.resource.id if self.resource else None

    @property
    def last_seen_at(self) -> datetime | None:
        """Return the time of the last complete listing that a sync applied, or None if it is unknown."""
        return self.federation.last_listed_at if self.federation else None


def read_entries(observations: Sequence[RuntimeObservation], user: AnyUser) -> list[InventoryEntry]:
    """Return the entries of `observations` in their order; at most three queries for any number of them.

    The caller has checked that `user` may view the observations, and with them their federations.
    """
    if not observations:
        return []
    scopes = {row.scope for row in observations}
    found = Federation.objects.filter(id__in=sorted(filter(is_object_id, scopes)))
    federations = {row.id: row for row in found.only("id", "display_name", "last_listed_at")}
    agents, servers = (
        _by_place(visible, observations)
        for visible in (
            agents_visible_to(user).only("id", "federation_id", "region", "runtime_id", "name"),
            servers_visible_to(user).only("id", "federation_id", "region", "runtime_id", "server_name"),
        )
    )
    resources = agents | servers
    return [
        InventoryEntry(row, federations.get(row.scope), resources.get((row.scope, row.runtime_id)))
        for row in observations
    ]


def warnings_of(resource: DiscoveredResource) -> list[JsonObject]:
    """Return the warnings about the runtime of `resource`, as the API contract defines them."""
    row = observation_of(resource)
    return list(row.warnings) if row else []


def observation_of(resource: DiscoveredResource) -> RuntimeObservation | None:
    """Return the observation of the runtime of `resource`; None if the last sync did not see the runtime."""
    scope, runtime_id = _place_of(resource)
    return RuntimeObservation.objects.filter(scope=scope, runtime_id=runtime_id).first()


def observations_of(resources: Sequence[DiscoveredResource]) -> dict[str, RuntimeObservation]:
    """Return the observations of the runtimes of `resources`, by the resources' ids, in one query."""
    places = {_place_of(resource): resource.pk for resource in resources}
    if not places:
        return {}
    scopes, runtime_ids = ({place[number] for place in places} for number in (0, 1))
    rows = RuntimeObservation.objects.filter(scope__in=sorted(scopes), runtime_id__in=sorted(runtime_ids))
    return {places[key]: row for row in rows.order_by() if (key := (row.scope, row.runtime_id)) in places}


def with_observation(rows: QuerySet[Resource], condition: Q) -> QuerySet[Resource]:
    """Return those of `rows` whose runtime has an observation that meets `condition`, at most MAX_OBSERVED.

    Two queries find their ids, because an observation names its runtime by scope and id, which no join knows.
    """
    seen = RuntimeObservation.objects.filter(condition, kind=rows.model.kind).order_by()
    places = set(seen.values_list("scope", "runtime_id")[:MAX_OBSERVED])
    stored: QuerySet[Resource] = rows.model._default_manager.all()
    found = stored.filter(runtime_id__in=sorted({runtime_id for _, runtime_id in places})).order_by()
    columns = found.only("id", "federation_id", "region", "runtime_id")
    return rows.filter(pk__in=[row.pk for row in columns if _place_of(row) in places])


def with_runtime_text(rows: QuerySet[RuntimeObservation], text: str) -> QuerySet[RuntimeObservation]:
    """Return those of `rows` whose name, runtime id, error or failure reason contains `text` in any case."""
    return rows.filter(contains_text(text, "name", "runtime_id", "error", "failure_reason"))


def _by_place(visible: QuerySet[Any], observations: Sequence[RuntimeObservation]) -> dict[Place, DiscoveredResource]:
    """Return those of the resources in `visible` whose runtimes are in `observations`, by scope and runtime id."""
    scopes = sorted({row.scope for row in observations})
    regions = [scope.removeprefix(UNFEDERATED) for scope in scopes if scope.startswith(UNFEDERATED)]
    of_target = Q(federation_id__in=[scope for scope in scopes if is_object_id(scope)])
    if regions:
        of_target |= Q(federation__isnull=True, region__in=regions)
    found = visible.filter(of_target, runtime_id__in=sorted({row.runtime_id for row in observations})).order_by()
    return {_place_of(row): row for row in found}


def _place_of(resource: DiscoveredResource) -> Place:
    return resource.federation_id or unfederated_target(resource.region).key, resource.runtime_id
