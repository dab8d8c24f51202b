"""The dashboard's cards about the registry: failing federations, held plans and waiting runs, and causes of errors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Aggregate, CharField, Count, DateTimeField, Min, Q, QuerySet, Sum, Value
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince

from core.admin.labels import count_text, format_time
from core.admin.waiting import WaitingCard
from core.store.unions import rows_of_all
from federations.admin.labels import HELD
from federations.models import PlanStatus, SyncStatus
from federations.runs.states import RunState
from federations.services.access import (
    agents_visible_to,
    federations_visible_to,
    plans_visible_to,
    runs_visible_to,
    servers_visible_to,
)
from federations.services.failures import FAILING, FAILING_SINCE, failures_visible_to
from federations.services.runs.make import WAIT
from federations.sync.error_causes import group_by_cause

FEDERATIONS = "admin:federations_federation_changelist"
MAX_CAUSES = 100
FIRST_CAUSES = 6


@dataclass(frozen=True, slots=True)
class FederationNumbers:
    """The federations that a user may view: their number by the status of the last sync, and those that fail.

    `HELD` is a status of its own, and not the status `failed` of its job.
    """

    by_status: dict[str, int]
    failing: int
    failing_since: datetime | None

    @property
    def total(self) -> int:
        """Return the number of all federations."""
        return sum(self.by_status.values())


@dataclass(frozen=True, slots=True)
class RegistryNumbers:
    """The held plans, the waiting runs and the stored resources that a user may view.

    `approvals` and `questions` are the runs that wait for approval and for an answer. The resources are 0 where they
    were not asked.
    """

    held_plans: int
    oldest_plan: datetime | None
    servers: int
    tools: int
    agents: int
    approvals: int = 0
    oldest_approval: datetime | None = None
    questions: int = 0
    oldest_question: datetime | None = None


def federation_numbers(request: HttpRequest) -> FederationNumbers:
    """Count the federations in one query."""
    found = federations_visible_to(request.user).annotate(since=FAILING_SINCE).order_by()
    # MongoDB groups wrongly by a column of the job, so the held ones are counted apart within their status.
    rows = found.values_list("sync_status").annotate(
        number=Count("pk"),
        held=Count("pk", filter=Q(sync_status=SyncStatus.FAILED, last_sync__held=True)),
        failing=Count("pk", filter=FAILING),
        oldest=Min("since", filter=FAILING),
    )
    by_status: dict[str, int] = {}
    failing, since = 0, []
    for status, number, held, number_failing, oldest in rows:
        by_status[status] = number - held
        by_status[HELD] = by_status.get(HELD, 0) + held
        failing += number_failing
        since += [oldest] if oldest else []
    return FederationNumbers(by_status, failing, min(since, default=None))


def registry_numbers(request: HttpRequest, *, with_resources: bool) -> RegistryNumbers:
    """Count the held plans and the waiting runs, and the resources if they are asked for, in one query."""
    held = plans_visible_to(request.user).filter(status=PlanStatus.OPEN, expires_at__gt=timezone.now())
    # A held plan always has a message.
    queries = [_numbers("plans", held.exclude(held_message=""), Count("pk"))]
    runs = runs_visible_to(request.user)
    queries.append(_numbers("approvals", runs.filter(state=RunState.WAITING_APPROVAL.value), Count("pk")))
    # A run that asks is due when its wait lapses, so that the time of its question is known from there.
    queries.append(_numbers("questions", runs.filter(state=RunState.INPUT_REQUIRED.value), Count("pk"), "due_at"))
    if with_resources:
        queries.append(_numbers("servers", servers_visible_to(request.user), Sum("num_tools"), age=""))
        queries.append(_numbers("agents", agents_visible_to(request.user), Count("pk"), age=""))
    found = {name: (number, total or 0, oldest) for name, number, total, oldest in rows_of_all(*queries)}
    plans, _, oldest = found.get("plans", (0, 0, None))
    servers, tools, _ = found.get("servers", (0, 0, None))
    approvals, _, oldest_approval = found.get("approvals", (0, 0, None))
    questions, _, lapses = found.get("questions", (0, 0, None))
    oldest_question = lapses - WAIT if lapses else None
    agents = found.get("agents", (0,))[0]
    return RegistryNumbers(
        plans, oldest, servers, tools, agents, approvals, oldest_approval, questions, oldest_question
    )  # fmt: skip


def waiting_cards(federations: FederationNumbers, registry: RegistryNumbers) -> list[WaitingCard]:
    """Return the cards of the failing federations, of the held plans, and of the runs that wait for a person."""
    runs = reverse("admin:federations_agentrun_changelist")
    plans = f"{reverse('admin:federations_storedplan_changelist')}?tab=held"
    return [
        WaitingCard(
            number=federations.failing,
            one="failing federation",
            href=f"{reverse(FEDERATIONS)}?failing=1",
            icon="error",
            oldest=federations.failing_since,
        ),
        WaitingCard(
            number=registry.held_plans, one="held plan", href=plans, icon="pan_tool", oldest=registry.oldest_plan
        ),
        WaitingCard(
            number=registry.approvals,
            one="run waiting for approval",
            many="runs waiting for approval",
            href=f"{runs}?tab={RunState.WAITING_APPROVAL.value}",
            icon="hourglass_top",
            oldest=registry.oldest_approval,
        ),
        WaitingCard(
            number=registry.questions,
            one="run with an open question",
            many="runs with an open question",
            href=f"{runs}?tab={RunState.INPUT_REQUIRED.value}",
            icon="help",
            oldest=registry.oldest_question,
        ),
    ]


def _numbers(name: str, rows: QuerySet[Any], total: Aggregate, age: str = "created_at") -> QuerySet[Any, Any]:
    # Without an age an index has all that is asked, so that nothing reads all resources.
    oldest = Min(age) if age else Value(None, output_field=DateTimeField())
    named = rows.order_by().annotate(counted=Value(name, output_field=CharField())).values_list("counted")
    return named.annotate(number=Count("pk"), total=total, oldest=oldest)  # type: ignore[no-any-return]


def cause_rows(request: HttpRequest) -> dict[str, Any]:
    """Return the causes of the errors, in two queries: the first ones, those behind the fold, and how many more."""
    causes, now = group_by_cause(failures_visible_to(request.user)), timezone.now()
    rows = [
        {
            "key": cause.key,
            "title": cause.title,
            "number": count_text(len(cause.federation_ids), "federation"),
            "errors": count_text(cause.failures, "error") if cause.failures > len(cause.federation_ids) else "",
            "since": cause.since,
            "full_time": format_time(cause.since),
            "age": timesince(cause.since, now, depth=1),
            "href": f"{reverse(FEDERATIONS)}?cause={cause.key}",
        }
        for cause in causes[:MAX_CAUSES]
    ]
    left = max(0, len(causes) - MAX_CAUSES)
    return {"first": rows[:FIRST_CAUSES], "more": rows[FIRST_CAUSES:], "left": left}
