"""Rows of work that ended on a day: what a hub stores for one job, one run, and one dispatch of each direction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from core.ids import new_object_id
from federations.models import (
    AgentRun,
    AgentRunEvent,
    Federation,
    JobPhase,
    JobStatus,
    JobTrigger,
    JobType,
    PlannedChange,
    PlanStatus,
    StoredPlan,
    SyncJob,
)
from peers.models import (
    Dispatch,
    DispatchReceipt,
    DispatchState,
    HandlerEvent,
    InboundCallback,
    Intent,
    IssuedDelegation,
    OutboundCallback,
    Peer,
    PeerToken,
    ReceiptStanding,
    ReceivedDispatch,
)

HOUR = timedelta(hours=1)


def job(federation: Federation, at: datetime) -> SyncJob:
    return SyncJob(
        lock_key=federation.pk, federation_id=federation.pk, job_type=JobType.FULL_SYNC, status=JobStatus.SUCCESS,
        phase=JobPhase.COMPLETED, trigger=JobTrigger.SCHEDULE, created_at=at, finished_at=at + HOUR,
    )  # fmt: skip


def plan(federation: Federation, at: datetime) -> StoredPlan:
    return StoredPlan(
        federation=federation, digest="", status=PlanStatus.DISMISSED, created_at=at, expires_at=at + 24 * HOUR
    )


def run(at: datetime, *, source: str = "staff", dispatch_id: str = "") -> AgentRun:
    key = new_object_id()
    return AgentRun(
        id=key, agent_id=key, agent_name="triage", agent_path="/triage", source=source, dispatch_id=dispatch_id,
        request_key=key, text="x", trace_parent="", context_id=key, state="completed", answer={"text": "yes"},
        created_at=at, finished_at=at + HOUR,
    )  # fmt: skip


def sent(peer: Peer, at: datetime) -> Dispatch:
    intent = Intent(title="Sent", created_at=at, updated_at=at)
    intent.save(force_insert=True)
    return Dispatch(
        id=new_object_id(), intent_id=intent.pk, intent_title="Sent", peer=peer, target_server=peer.server_url,
        status=DispatchState.COMPLETED, envelope='{"envelope": 1}', created_at=at, finished_at=at + HOUR,
    )  # fmt: skip


def received(peer: Peer, at: datetime, *, has_time: bool = True) -> ReceivedDispatch:
    intent = Intent(id=f"fed-{new_object_id()}", title="Received", is_received=True, created_at=at, updated_at=at)
    intent.save(force_insert=True)
    return ReceivedDispatch(
        peer=peer, dispatch_id=new_object_id(), body_digest="", intent=intent, accepted=True, envelope={"envelope": 1},
        is_finished=True, outcome="completed", has_time=has_time, received_at=at,
    )  # fmt: skip


def receipt(peer: Peer, dispatch_id: str, at: datetime, *, is_sent: bool) -> DispatchReceipt:
    return DispatchReceipt(
        peer=peer, is_sent=is_sent, dispatch_id=dispatch_id, outcome="completed", standing=ReceiptStanding.BOTH,
        receipt={}, made_at=at + HOUR,
    )  # fmt: skip


def make_traffic(federation: Federation, peer: Peer, times: Iterable[datetime]) -> None:
    """Store the rows of one job, plan and run, and of one dispatch of each direction, for each of the times."""
    times = list(times)
    jobs = SyncJob.objects.bulk_create(job(federation, at) for at in times)
    plans = StoredPlan.objects.bulk_create(plan(federation, at) for at in times)
    PlannedChange.objects.bulk_create(
        PlannedChange(plan=one, job=other, position=number, action="update", name="a", runtime_id="a")
        for one, other in zip(plans, jobs, strict=True)
        for number in range(2)
    )
    dispatches = Dispatch.objects.bulk_create(sent(peer, at) for at in times)
    works = ReceivedDispatch.objects.bulk_create(received(peer, at) for at in times)
    runs = [run(at) for at in times] + [run(each.received_at, source="peer", dispatch_id=each.pk) for each in works]
    AgentRun.objects.bulk_create(runs)
    AgentRunEvent.objects.bulk_create(
        AgentRunEvent(run=each, sequence=number, kind="working", created_at=each.created_at)
        for each in runs
        for number in range(2)
    )
    InboundCallback.objects.bulk_create(
        InboundCallback(
            dispatch=each, dedup_key="1", body_digest="", event_type="completed", received_at=each.created_at
        )
        for each in dispatches
    )
    IssuedDelegation.objects.bulk_create(
        IssuedDelegation(peer=peer, dispatch=each, token_digest=each.pk, expires_at=each.created_at + 24 * HOUR)
        for each in dispatches
    )
    OutboundCallback.objects.bulk_create(
        OutboundCallback(
            received=each, peer=peer, event_type="completed", idempotency_key="1", body="{}",
            created_at=each.received_at, delivered_at=each.received_at,
        )
        for each in works
    )  # fmt: skip
    HandlerEvent.objects.bulk_create(
        HandlerEvent(
            handler="a.b", kind="federation_received", source_id=each.pk, dispatch_id=each.dispatch_id,
            payload={"envelope": 1}, created_at=each.received_at, finished_at=each.received_at,
        )
        for each in works
    )  # fmt: skip
    DispatchReceipt.objects.bulk_create(
        [receipt(peer, each.pk, each.created_at, is_sent=True) for each in dispatches]
        + [receipt(peer, each.dispatch_id, each.received_at, is_sent=False) for each in works]
    )
    PeerToken.objects.bulk_create(PeerToken(peer=peer, checksum=new_object_id(), expires_at=at) for at in times)
