"""Received work that waits for a person of this hub: to do it by hand, to approve it, or to answer its agent."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q, QuerySet

from core.store.unit_of_work import subquery_or_list
from federations.models import AgentRun
from federations.runs.states import RunSource, RunState
from peers.models import ReceivedDispatch, TakenBy

WAITING_RUNS = (RunState.WAITING_APPROVAL, RunState.INPUT_REQUIRED)


def where_waiting() -> Q:
    """Return the condition of the received dispatches whose work waits for a person."""
    by_run = Q(pk__in=subquery_or_list(_waiting_runs().values_list("dispatch_id", flat=True)))
    return Q(accepted=True, is_finished=False) & (Q(taken_by=TakenBy.STAFF) | by_run)


def where_under_way() -> Q:
    """Return the condition of the accepted work that has not ended and waits for nobody here."""
    return Q(accepted=True, is_finished=False) & ~where_waiting()


def waiting_among(rows: Iterable[ReceivedDispatch]) -> set[str]:
    """Return the primary keys of those received dispatches whose run waits for a person; at most one query."""
    keys = [row.pk for row in rows if row.accepted and not row.is_finished and row.taken_by != TakenBy.STAFF]
    if not keys:
        return set()
    return set(_waiting_runs().filter(dispatch_id__in=keys).values_list("dispatch_id", flat=True))


def _waiting_runs() -> QuerySet[AgentRun]:
    states = [state.value for state in WAITING_RUNS]
    return AgentRun.objects.filter(source=RunSource.PEER.value, state__in=states).order_by()
