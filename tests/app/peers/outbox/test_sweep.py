"""The sweep with many rows of many owners: the rows of one owner never hide those of another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.conf import LazySettings
from django.db.models import F
from django.utils import timezone

from core.ids import new_object_id
from peers.models import Dispatch, HandlerEvent, OutboundCallback, Peer, PeerState, ReceivedDispatch, Relationship
from peers.services.outbox import nudges
from peers.services.outbox.delivery import deliver_callback
from peers.services.outbox.sweep import OWNERS, SWEEP_BATCH, due_rows, sweep
from tests.app.peers.outbox.conftest import Partner, fresh
from tests.stores.counting import counted_queries

MANY = SWEEP_BATCH + 20


@pytest.fixture
def nudged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the rows that workers are nudged to."""
    found: list[str] = []

    def take(name: str, row_id: str) -> bool:
        found.append(row_id)
        return True

    for name in ("enqueue", "enqueue_again"):
        monkeypatch.setattr(nudges, name, take)
    return found


def make_peers(number: int, state: str = PeerState.APPROVED, **fields: object) -> list[Peer]:
    """Store further peers."""
    offset = Peer.objects.count()
    return Peer.objects.bulk_create(
        Peer(server_url=f"https://a{offset + index:05}.example.org", state=state, **fields) for index in range(number)
    )


def make_dispatches(*peers: Peer, each: int = 1, **fields: object) -> list[Dispatch]:
    """Store dispatches to peers, held unless `due_at` is given."""
    now = timezone.now()
    return Dispatch.objects.bulk_create(
        Dispatch(id=new_object_id(), intent_id="i", intent_title="t", peer=peer, target_server=peer.server_url,
                 envelope="{}", created_at=now - timedelta(seconds=index), **fields)
        for peer in peers for index in range(each)
    )  # fmt: skip


def make_callbacks(*peers: Peer, each: int = 1, **fields: object) -> list[OutboundCallback]:
    """Store callbacks that are owed to peers, held unless `due_at` is given; each peer has sent one dispatch."""
    received = ReceivedDispatch.objects.bulk_create(
        ReceivedDispatch(peer=peer, dispatch_id=new_object_id(), body_digest="0" * 64, accepted=True, envelope={})
        for peer in peers
    )
    now = timezone.now()
    return OutboundCallback.objects.bulk_create(
        OutboundCallback(received=row, peer=row.peer, event_type="completed", idempotency_key=str(index), body="{}",
                         sequence=each - index,
                         created_at=now - timedelta(seconds=index), **fields)
        for row in received for index in range(each)
    )  # fmt: skip


@pytest.mark.parametrize("make", [make_dispatches, make_callbacks])
@pytest.mark.parametrize("state", [PeerState.RETIRED, PeerState.SUSPENDED, PeerState.REJECTED, PeerState.PROPOSED])
def test_the_held_rows_of_one_peer_do_not_hide_a_forgotten_row_of_another(
    partner: Partner, nudged: list[str], state: str, make: Callable[..., list[Dispatch] | list[OutboundCallback]]
) -> None:
    (busy,) = make_peers(1, state)
    (forgotten,) = make(partner.peer)
    # The busy peer has many rows that are older than the forgotten row, and many that are newer.
    for hours in (-1, 1):
        rows = make(busy, each=MANY)
        type(forgotten)._default_manager.filter(pk__in=[row.pk for row in rows]).update(
            created_at=timezone.now() + timedelta(hours=hours)
        )

    sweep()

    assert nudged == [forgotten.pk]
    assert fresh(forgotten).due_at is not None


def test_many_peers_whose_rows_stay_held_do_not_hide_a_forgotten_row(partner: Partner, nudged: list[str]) -> None:
    retired = make_peers(MANY, PeerState.RETIRED)
    senders = make_peers(MANY, relationship=Relationship.UPSTREAM)
    make_callbacks(*retired)
    make_dispatches(*retired, *senders)
    Dispatch.objects.filter(peer__in=[peer.pk for peer in retired[:5]]).update(peer=None)
    (callback,), (dispatch,) = make_callbacks(partner.peer), make_dispatches(partner.peer)

    sweep()

    assert set(nudged) == {callback.pk, dispatch.pk}


def test_forgotten_rows_of_many_peers_are_released_within_a_few_sweeps(db: None, nudged: list[str]) -> None:
    make_callbacks(*make_peers(MANY))
    sweep()
    assert OutboundCallback.objects.filter(due_at=None).count() == MANY - SWEEP_BATCH
    sweep()
    assert OutboundCallback.objects.filter(due_at=None).count() == 0


@pytest.mark.parametrize("kind", [Dispatch, OutboundCallback, HandlerEvent])
def test_the_due_rows_of_one_owner_do_not_hide_those_of_another(
    partner: Partner, kind: type[Dispatch] | type[OutboundCallback] | type[HandlerEvent]
) -> None:
    past, now = timezone.now() - timedelta(hours=1), timezone.now()
    busy, other = make_peers(2)
    for owner, each, due_at in ((busy, MANY, past), (other, 2, now)):
        if kind is Dispatch:
            make_dispatches(owner, each=each, due_at=due_at)
        elif kind is OutboundCallback:
            make_callbacks(owner, each=each, due_at=due_at)
        else:
            HandlerEvent.objects.bulk_create(
                HandlerEvent(handler=owner.pk, kind="budget_warning", source_id=str(n), dispatch_id="d", due_at=due_at)
                for n in range(each)
            )
    late = set(kind._default_manager.filter(due_at=now).values_list("pk", flat=True))

    found = due_rows(kind, now=now)

    assert late <= set(found)
    assert (len(late), len(found), len(set(found))) == (2, SWEEP_BATCH, SWEEP_BATCH)


def test_a_sweep_of_few_due_rows_takes_the_oldest_first_with_one_query(partner: Partner) -> None:
    now = timezone.now()
    rows = [make_dispatches(partner.peer, due_at=now - timedelta(minutes=index))[0].pk for index in range(5)]
    with counted_queries() as queries:
        assert due_rows(Dispatch, now=now) == rows[::-1]
    assert len(queries) == 1


def make_due_rows(
    kind: str, peer: Peer, due_at: datetime
) -> list[Dispatch] | list[OutboundCallback] | list[HandlerEvent]:
    """Store two due rows of a kind."""
    if kind == "dispatch":
        return make_dispatches(peer, each=2, due_at=due_at)
    if kind == "callback":
        return make_callbacks(peer, each=2, due_at=due_at)
    return HandlerEvent.objects.bulk_create(
        HandlerEvent(handler="h", kind="budget_warning", source_id=str(n), dispatch_id="d", due_at=due_at)
        for n in range(2)
    )


def let_time_pass(seconds: float) -> None:
    """Move the stored times of all due rows into the past."""
    by = timedelta(seconds=seconds)
    for model in OWNERS:
        model._default_manager.filter(due_at__isnull=False).update(due_at=F("due_at") - by)
        model._default_manager.filter(nudged_at__isnull=False).update(nudged_at=F("nudged_at") - by)


KINDS = pytest.mark.parametrize("kind", ["dispatch", "callback", "event"])


@KINDS
def test_a_row_is_nudged_again_only_after_its_nudge_has_expired(partner: Partner, nudged: list[str], kind: str) -> None:
    ids = {row.pk for row in make_due_rows(kind, partner.peer, timezone.now())}
    sweep()
    assert (set(nudged), len(nudged)) == (ids, 2)
    for _ in range(3):
        let_time_pass(30)
        sweep()
    assert len(nudged) == 2
    let_time_pass(30)
    sweep()
    assert (set(nudged), len(nudged)) == (ids, 4)
    let_time_pass(30)
    sweep()
    assert len(nudged) == 4


@KINDS
def test_a_row_that_becomes_due_again_is_nudged_by_the_next_sweep(
    partner: Partner, nudged: list[str], kind: str
) -> None:
    taken, other = make_due_rows(kind, partner.peer, timezone.now())
    sweep()
    let_time_pass(1)
    # The worker dies with the row, so the row is due when the lease ends.
    assert type(taken).take(taken.pk, now=timezone.now(), lease=timedelta(seconds=20), token="t")
    let_time_pass(10)
    sweep()
    assert sorted(nudged) == sorted([taken.pk, other.pk])
    let_time_pass(11)
    sweep()
    assert sorted(nudged) == sorted([taken.pk, taken.pk, other.pk])


def test_a_row_whose_nudge_the_broker_did_not_take_is_nudged_by_the_next_sweep(
    partner: Partner, nudged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {row.pk for row in make_dispatches(partner.peer, each=5, due_at=timezone.now())}
    asked: list[str] = []

    def refuse_after_two(name: str, row_id: str) -> bool:
        asked.append(row_id)
        if len(asked) > 2:
            return False
        nudged.append(row_id)
        return True

    with monkeypatch.context() as broker_is_down:
        broker_is_down.setattr(nudges, "enqueue_again", refuse_after_two)
        sweep()
    # The sweep does not wait for the broker once more for each of the other rows.
    assert (len(asked), len(nudged)) == (3, 2)
    sweep()
    assert (set(nudged), len(nudged)) == (rows, 5)


def test_a_callback_behind_a_held_one_is_held_too_and_released_with_it(
    partner: Partner, nudged: list[str], settings: LazySettings
) -> None:
    later, first = make_callbacks(partner.peer, each=2, due_at=timezone.now())
    settings.FEDHUB_ENABLED = False
    deliver_callback(first.pk)
    deliver_callback(later.pk)
    assert [fresh(row).due_at for row in (first, later)] == [None, None]
    settings.FEDHUB_ENABLED = True
    sweep()
    assert set(nudged) == {first.pk, later.pk}
