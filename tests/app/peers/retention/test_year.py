"""A year of traffic: the sizes stay flat, a prune that is killed goes on, and nothing of open work goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from core.actors import Actor
from core.retention import prune as prune_module
from core.retention.models import KindCount, PruneTurn
from core.retention.prune import prune
from core.strict_json import Json
from federations.models import AgentRun, AgentRunEvent, Federation, PlannedChange, StoredPlan, SyncJob
from federations.services.federations import create_federation
from fedhub.retention import KINDS
from fedhub.tasks import prune_old_rows
from peers.models import (
    Dispatch,
    DispatchReceipt,
    HandlerEvent,
    InboundCallback,
    Intent,
    IssuedDelegation,
    OutboundCallback,
    Peer,
    ReceivedDispatch,
    SeenNonce,
)
from tests.app.peers.retention import traffic

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)
START = datetime(2025, 1, 1, tzinfo=UTC)
PRUNED = (
    SyncJob, PlannedChange, StoredPlan, AgentRun, AgentRunEvent, Dispatch, InboundCallback, IssuedDelegation,
    ReceivedDispatch, OutboundCallback, HandlerEvent, Intent,
)  # fmt: skip


@pytest.fixture
def federation() -> Federation:
    config: dict[str, Json] = {"region": "us-east-1", "assumeRoleArn": "arn:aws:iam::123456789012:role/fedhub-reader"}
    return create_federation(
        display_name="Prod", provider_type="aws_agentcore", description=None, tags=[], provider_config=config,
        by=Actor("1", "operator"),
    )  # fmt: skip


@pytest.fixture
def peer() -> Peer:
    return Peer.objects.create(server_url="https://b.example.org", state="approved")


def sizes() -> dict[str, int]:
    return {model.__name__: model._default_manager.count() for model in PRUNED}


def days(first: int, last: int, *, step: int = 3) -> list[datetime]:
    return [START + number * DAY for number in range(first, last, step)]


def test_after_a_year_the_sizes_are_flat(federation: Federation, peer: Peer) -> None:
    found = []
    for step in range(7):
        traffic.make_traffic(federation, peer, days(step * 60, step * 60 + 60, step=10))
        result = prune(KINDS, now=START + (step + 1) * 60 * DAY)
        assert (result.is_complete, result.errors) == (True, {})
        found.append(sizes())

    # Work ends in the hour after its beginning: 90 days have nine works.
    assert found[1] == found[2] == found[6] == {
        "SyncJob": 9, "PlannedChange": 18, "StoredPlan": 9, "AgentRun": 18, "AgentRunEvent": 36, "Dispatch": 9,
        "InboundCallback": 9, "IssuedDelegation": 9, "ReceivedDispatch": 9, "OutboundCallback": 9, "HandlerEvent": 9,
        "Intent": 18,
    }  # fmt: skip
    assert DispatchReceipt.objects.count() == 2 * 36
    counts = {row.kind: row for row in KindCount.objects.all()}
    assert (counts["dispatches"].rows, counts["dispatches"].pruned) == (9, 33)
    assert counts["dispatches"].oldest == Dispatch.objects.earliest("created_at").created_at


def test_a_prune_that_is_killed_leaves_whole_works_and_the_next_one_goes_on(
    federation: Federation, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prune_module, "BATCH", 4)
    monkeypatch.setattr(prune_module, "BELOW", 5)
    traffic.make_traffic(federation, peer, days(0, 18))
    now, calls = START + 130 * DAY, []
    real = prune_module._delete_below

    def killed(*args: Any) -> Any:
        calls.append(real(*args))
        if len(calls) == 9:
            raise KeyboardInterrupt
        return calls[-1]

    monkeypatch.setattr(prune_module, "_delete_below", killed)
    for _ in range(20):
        calls.clear()
        try:
            assert prune(KINDS, now=now).has_turn
            break
        except KeyboardInterrupt:
            # As a process does that is killed, which keeps the lease.
            PruneTurn.objects.update(due_at=now + timedelta(minutes=10))
            assert not prune(KINDS, now=now).has_turn
            now += timedelta(minutes=10)
        for whole, part, column in (
            (Dispatch, InboundCallback, "dispatch"), (ReceivedDispatch, OutboundCallback, "received"),
        ):  # fmt: skip
            owners = set(part._default_manager.values_list(f"{column}_id", flat=True))
            assert owners == set(whole._default_manager.values_list("pk", flat=True))
        assert not set(AgentRunEvent.objects.values_list("run_id", flat=True)) - set(
            AgentRun.objects.values_list("pk", flat=True)
        )
    else:
        pytest.fail("the prune made no progress")
    assert set(sizes().values()) == {0}


def test_a_pass_that_is_out_of_time_starts_the_next_one(
    federation: Federation, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic.make_traffic(federation, peer, days(0, 12))
    result = prune(KINDS, now=START + 130 * DAY, seconds=0)
    assert (result.is_complete, result.total) == (False, 4)
    sent: list[str] = []
    monkeypatch.setattr("fedhub.tasks.enqueue", sent.append)
    monkeypatch.setattr("fedhub.tasks.prune", lambda kinds, now, stop: result)
    prune_old_rows()
    assert sent == ["fedhub.prune"]


def test_nothing_of_open_work_goes(federation: Federation, peer: Peer) -> None:
    traffic.make_traffic(federation, peer, days(0, 24))
    now, old = START + 200 * DAY, START + DAY
    jobs, plans = list(SyncJob.objects.order_by("pk")), list(StoredPlan.objects.order_by("pk"))
    Federation.objects.update(last_sync=jobs[0])
    SyncJob.objects.filter(pk=jobs[1].pk).update(status="syncing")
    SyncJob.objects.filter(pk=jobs[2].pk).update(status="pending", lock_key="other", plan_id=plans[0].pk)
    StoredPlan.objects.filter(pk=plans[1].pk).update(status="open", held_by=["deletions"], is_from_sync=True)
    sent, got = list(Dispatch.objects.order_by("pk")), list(ReceivedDispatch.objects.order_by("pk"))
    Dispatch.objects.filter(pk=sent[0].pk).update(status="accepted", finished_at=None)
    Dispatch.objects.filter(pk=sent[1].pk).update(status="failed", dead_at=old)
    Dispatch.objects.filter(pk=sent[2].pk).update(status="pending", finished_at=None, peer=None)
    DispatchReceipt.objects.filter(dispatch_id=sent[3].pk).update(standing="one")
    IssuedDelegation.objects.filter(dispatch=sent[4]).update(expires_at=timezone.now() + DAY)
    Dispatch.objects.filter(pk=sent[5].pk).update(status="failed", dead_at=old, put_away_at=old)
    ReceivedDispatch.objects.filter(pk=got[0].pk).update(is_finished=False)
    OutboundCallback.objects.filter(received=got[1]).update(delivered_at=None)
    HandlerEvent.objects.filter(source_id=got[2].pk).update(finished_at=None, due_at=old)
    HandlerEvent.objects.filter(source_id=got[3].pk).update(finished_at=None, dead_at=old)
    DispatchReceipt.objects.filter(dispatch_id=got[4].dispatch_id).update(standing="differs")
    OutboundCallback.objects.filter(received=got[5]).update(delivered_at=now - DAY)
    AgentRun.objects.filter(dispatch_id=got[6].pk).update(state="running", finished_at=None)
    waiting = AgentRun.objects.filter(source="staff").order_by("pk")[0]
    AgentRun.objects.filter(pk=waiting.pk).update(state="input_required", finished_at=None)
    SeenNonce.objects.create(peer=peer, nonce="n", expires_at=now + DAY)

    assert prune(KINDS, now=now).errors == {}

    assert [row.pk for row in SyncJob.objects.order_by("pk")] == [row.pk for row in jobs[:3]]
    assert {row.pk for row in StoredPlan.objects.all()} == {plans[0].pk, plans[1].pk}
    assert list(Dispatch.objects.order_by("pk")) == sent[:5]
    assert list(ReceivedDispatch.objects.order_by("pk")) == got[:7]
    works = {got[0].pk, got[6].pk}
    assert set(AgentRun.objects.filter(source="peer").values_list("dispatch_id", flat=True)) == works
    assert list(AgentRun.objects.filter(source="staff")) == [waiting]
    assert InboundCallback.objects.count() == 5 and OutboundCallback.objects.count() == 7
    assert SeenNonce.objects.count() == 1 and HandlerEvent.objects.count() == 2
    # An unsigned receipt keeps its dispatch for four times the days.
    assert prune(KINDS, now=START + 400 * DAY).errors == {}
    assert not Dispatch.objects.filter(pk=sent[3].pk).exists()


def test_only_the_days_that_are_set_count(federation: Federation, peer: Peer, settings: LazySettings) -> None:
    settings.FEDHUB_KEEP_DAYS = 8
    traffic.make_traffic(federation, peer, days(0, 12))
    prune(KINDS, now=START + 9 * DAY)
    assert ReceivedDispatch.objects.count() == 3
