"""The filters behind the numbers of the dashboard: failing federations, their causes, and how syncs ended."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpRequest

from core.admin.linked_filters import LinkedFilter
from federations.models import Federation, SyncJob
from federations.services.failures import FAILING, failures_visible_to
from federations.services.sync_history import FINISHED_SYNC, OUTCOME, SyncOutcome
from federations.sync.error_causes import ErrorCause, group_by_cause


class FailingFilter(LinkedFilter):
    """Keep the active federations whose last finished sync failed or had errors."""

    title = "failing"
    parameter_name = "failing"

    def name_of(self, value: str, request: HttpRequest) -> str:
        return "Failed, or had errors"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Federation]) -> QuerySet[Federation]:
        return queryset.filter(FAILING) if self.value() else queryset


class CauseFilter(LinkedFilter):
    """Keep the federations with an error of one cause, named by the key of `ErrorCause`."""

    title = "cause"
    parameter_name = "cause"
    cause: ErrorCause | None = None

    def name_of(self, value: str, request: HttpRequest) -> str:
        causes = group_by_cause(failures_visible_to(request.user))
        self.cause = next((cause for cause in causes if cause.key == value), None)
        return self.cause.title if self.cause else "No federation has it any more"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Federation]) -> QuerySet[Federation]:
        if not self.value():
            return queryset
        return queryset.filter(pk__in=self.cause.federation_ids) if self.cause else queryset.none()


class SyncOutcomeFilter(LinkedFilter):
    """Keep the finished syncs that ended in one way; a deletion is not a sync."""

    title = "sync"
    parameter_name = "sync"

    def name_of(self, value: str, request: HttpRequest) -> str:
        return str(SyncOutcome(value).label) if value in SyncOutcome else value

    def queryset(self, request: HttpRequest, queryset: QuerySet[SyncJob]) -> QuerySet[SyncJob]:
        if not self.value():
            return queryset
        return queryset.filter(FINISHED_SYNC).annotate(sync_outcome=OUTCOME).filter(sync_outcome=self.value())
