"""Find the federations whose resources have the names of runtimes that a sync skipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db.models import Q, QuerySet

from core.store.unit_of_work import subquery_or_list
from federations.models import A2aAgent, Federation, McpServer
from federations.sync.naming import resource_path
from federations.sync.resources import Json, ResourceKind


def find_name_owners(changes: Sequence[Mapping[str, Json]], *, federation_id: str) -> QuerySet[Federation]:
    """Return the other federations that now own the names of the skipped `changes`, ordered by display name.

    A skipped name can have no such federation: the name is free by now, or a resource without a federation has it.
    """
    skipped = [change for change in changes if change["action"] == "skip"]
    paths = [resource_path(ResourceKind(str(change["kind"])), str(change["name"])) for change in skipped]
    servers = McpServer.objects.filter(path__in=paths).order_by().values_list("federation_id", flat=True)
    agents = A2aAgent.objects.filter(path__in=paths).order_by().values_list("federation_id", flat=True)
    owners = Federation.objects.filter(Q(id__in=subquery_or_list(servers)) | Q(id__in=subquery_or_list(agents)))
    return owners.exclude(id=federation_id).order_by("display_name", "id")
