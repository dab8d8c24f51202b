"""List filters by federation, by tag, and by the state of plans and jobs."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import (
    AllValuesCheckboxFilter,
    DropdownFilter,
    MultipleDropdownFilter,
    RelatedDropdownFilter,
)

from core.store.unit_of_work import subquery_or_list
from federations.models import (
    A2aAgentTag,
    Federation,
    FederationTag,
    JobStatus,
    McpServerTag,
    PlanStatus,
    RuntimeObservation,
    RuntimeTag,
    StoredPlan,
    SyncJob,
)
from federations.services.access import federations_visible_to, runtimes_visible_to
from federations.services.inventory import HAS_WARNINGS, IS_BROKEN, NEEDS_A_LOOK, with_observation
from federations.services.shown import with_shown_status

MAX_TAGS = 500


class FederationFilter(RelatedDropdownFilter):
    """Offer the federations that the user may view."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        found = federations_visible_to(request.user).order_by("display_name")
        return list(found.values_list("pk", "display_name"))


class RuntimeFederationFilter(DropdownFilter):
    """Keep the runtimes of the picked federation."""

    title = "federation"
    parameter_name = "federation"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        found = federations_visible_to(request.user).order_by("display_name")
        return list(found.values_list("pk", "display_name"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[RuntimeObservation]) -> QuerySet[RuntimeObservation]:
        return queryset.filter(scope=self.value()) if self.value() else queryset


class JobFederationFilter(RuntimeFederationFilter):
    """Keep the jobs of the picked federation."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(federation_id=self.value()) if self.value() else queryset


class RuntimeValueFilter(DropdownFilter):
    """Keep the runtimes with the picked value in the column `parameter_name`; an empty value has a name of its own."""

    empty = "none"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        column = str(self.parameter_name)
        values = model_admin.get_queryset(request).order_by(column).values_list(column, flat=True).distinct()
        return [(value or self.empty, value or "Unknown") for value in values[:MAX_TAGS]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[RuntimeObservation]) -> QuerySet[RuntimeObservation]:
        if not (picked := self.value()):
            return queryset
        return queryset.filter(**{str(self.parameter_name): "" if picked == self.empty else picked})


class RuntimeProtocolFilter(RuntimeValueFilter):
    title = parameter_name = "protocol"


class RuntimeStatusFilter(RuntimeValueFilter):
    title = parameter_name = "status"


class RuntimeConditionFilter(DropdownFilter):
    """Keep the runtimes that meet the condition, or the other runtimes."""

    condition: ClassVar[Q]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "Yes"), ("0", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[RuntimeObservation]) -> QuerySet[RuntimeObservation]:
        wanted = {"1": self.condition, "0": ~self.condition}.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(wanted)


class HasErrorFilter(RuntimeConditionFilter):
    title = "error or failed status"
    parameter_name = "has_error"
    condition = IS_BROKEN


class WithWarningsFilter(RuntimeConditionFilter):
    title = "warnings"
    parameter_name = "with_warnings"
    condition = NEEDS_A_LOOK


class FederationTagFilter(MultipleDropdownFilter):
    """Keep the federations that have every picked tag."""

    title = "tags"
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        visible = federations_visible_to(request.user).order_by()
        return _names(
            FederationTag.objects.filter(federation__in=subquery_or_list(visible.values_list("pk", flat=True)))
        )

    def queryset(self, request: HttpRequest, queryset: QuerySet[Federation]) -> QuerySet[Federation]:
        for tag in [value for value in self.value() or [] if value]:
            queryset = queryset.filter(tag_rows__name=tag)
        return queryset


class RowTagFilter(MultipleDropdownFilter):
    """Keep the rows that have every picked cloud tag. `owner` is the column of the tag that has the row's id."""

    title = "tags"
    parameter_name = "tag"
    tags: ClassVar[type[Model]]
    owner: ClassVar[str] = "resource_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        tags, visible = self.tags._default_manager.all(), model_admin.get_queryset(request).order_by()
        # A user who may view every row needs no restriction, and the query is cheaper without one.
        if visible.query.where:
            tags = tags.filter(**{f"{self.owner}__in": subquery_or_list(visible.values_list("pk", flat=True))})
        return _names(tags)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for tag in [value for value in self.value() or [] if value]:
            tagged = self.tags._default_manager.filter(name=tag).values_list(self.owner, flat=True)
            queryset = queryset.filter(pk__in=subquery_or_list(tagged))
        return queryset


class LastReadFilter(DropdownFilter):
    """Keep the resources whose runtime the last sync read in part, with warnings, or not at all."""

    title = "last read"
    parameter_name = "read"
    conditions: ClassVar[dict[str, tuple[str, Q]]] = {
        "incomplete": ("Incomplete", Q(is_incomplete=True)),
        "warnings": ("With warnings", HAS_WARNINGS),
        "failed": ("Failed", IS_BROKEN),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, title) for value, (title, _) in self.conditions.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in self.conditions:
            return queryset
        return with_observation(queryset, self.conditions[str(self.value())][1])


class ShownStatusFilter(AllValuesCheckboxFilter):
    """Keep the resources that show one of the picked statuses."""

    lookup_choices: Any

    def __init__(
        self, field: Any, request: HttpRequest, params: Any, model: Any, model_admin: Any, field_path: str
    ) -> None:
        super().__init__(field, request, params, model, model_admin, field_path)
        seen = runtimes_visible_to(request.user).filter(**{f"{model.observed_by}__isnull": False})
        newer = seen.order_by().values_list("status", flat=True).distinct()
        self.lookup_choices = sorted({*self.lookup_choices, *newer})

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return with_shown_status(queryset, *self.value()) if self.value() else queryset


class AccessFilter(AllValuesCheckboxFilter):
    """Keep the resources with one of the picked kinds of access; the kinds are known, so no query looks for them."""

    lookup_choices: Any

    def __init__(
        self, field: Any, request: HttpRequest, params: Any, model: Any, model_admin: Any, field_path: str
    ) -> None:
        super().__init__(field, request, params, model, model_admin, field_path)
        self.lookup_choices = ["iam", "jwt", "none"]


class ServerTagFilter(RowTagFilter):
    tags = McpServerTag


class AgentTagFilter(RowTagFilter):
    tags = A2aAgentTag


class RuntimeTagFilter(RowTagFilter):
    tags = RuntimeTag
    owner = "runtime_id"


class PlanStatusFilter(DropdownFilter):
    """Keep the plans of one status; an open plan after its expiry is expired, also before the sweep says so."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status.value, str(status.label)) for status in PlanStatus]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StoredPlan]) -> QuerySet[StoredPlan]:
        status, now = self.value(), timezone.now()
        if status == PlanStatus.OPEN:
            return queryset.filter(status=PlanStatus.OPEN, expires_at__gt=now)
        if status == PlanStatus.EXPIRED:
            lapsed = Q(status=PlanStatus.OPEN, expires_at__lte=now)
            return queryset.filter(Q(status=PlanStatus.EXPIRED) | lapsed)
        return queryset.filter(status=status) if status else queryset


class HeldFilter(DropdownFilter):
    """Keep the plans that a guard held, or those that none held."""

    title = "held"
    parameter_name = "held"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Held"), ("no", "Not held")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StoredPlan]) -> QuerySet[StoredPlan]:
        # A held plan always has a message.
        if self.value() == "yes":
            return queryset.exclude(held_message="")
        return queryset.filter(held_message="") if self.value() == "no" else queryset


class JobStateFilter(DropdownFilter):
    """Keep the jobs of one status; a held and a cancelled job have a status of their own, and are not failed."""

    title = "status"
    parameter_name = "state"
    own: ClassVar = {
        "held": ("Held", Q(held=True)),
        "cancelled": ("Cancelled", Q(cancelled_at__isnull=False)),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        own = [(value, text) for value, (text, _) in self.own.items()]
        return [*own, *((status.value, str(status.label)) for status in JobStatus)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SyncJob]) -> QuerySet[SyncJob]:
        if self.value() in self.own:
            return queryset.filter(self.own[self.value()][1])
        rest = queryset.filter(held=False, cancelled_at__isnull=True)
        return rest.filter(status=self.value()) if self.value() else queryset


class HeldSyncFilter(DropdownFilter):
    """Keep the federations whose last sync a guard held, or the others."""

    title = "held"
    parameter_name = "held"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Last sync was held"), ("no", "Last sync was not held")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Federation]) -> QuerySet[Federation]:
        if self.value() == "yes":
            return queryset.filter(last_sync__held=True)
        return queryset.filter(Q(last_sync__isnull=True) | Q(last_sync__held=False)) if self.value() else queryset


def _names(tags: QuerySet[Any]) -> list[tuple[str, str]]:
    names = tags.order_by("name").values_list("name", flat=True).distinct()[:MAX_TAGS]
    return [(name, name) for name in names]
