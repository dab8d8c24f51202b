"""Checkpoints of the federation log between hubs: in headers, and in the daily exchange."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, InvalidRequestError
from core.jobs import queue
from peers.models import JournalEntry, JournalKind, Peer, PeerCheckpoint
from peers.protocol import MalformedMessage, SignatureMismatch
from peers.protocol.federation_log import CHECKPOINT_HEADER, EXCHANGE_PATH, EXCHANGE_TYPE, GENESIS, Checkpoint
from peers.services.trust import log_checkpoints
from peers.services.trust.identity import hub_identity
from peers.services.trust.journal import note
from peers.services.trust.log_checkpoints import (
    acknowledge_log,
    held_by_peers,
    record_checkpoint,
    record_held,
    take_checkpoint,
    warnings_about,
)
from peers.services.trust.log_consistency import proved_end, record_following
from peers.services.trust.log_sealing import seal_log
from tests.api.peers.conftest import Refused
from tests.api.peers.partner import HUB, Partner, body_of, deliver, get, send

META = "HTTP_FEDHUB_LOG_CHECKPOINT"
Nudges = list[tuple[Any, ...]]


def checkpoint(partner: Partner, position: int, **changes: Any) -> Checkpoint:
    """Return a checkpoint of the partner's log."""
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=position)
    values: dict[str, Any] = {
        "log": "ab" * 16,
        "did": partner.identity.did,
        "batch": position // 5,
        "position": position,
        "hash": f"{position:064x}",
        "at": moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z",
        "key": "",
        "previous": GENESIS,
    }
    return Checkpoint(**(values | changes)).signed(partner.key)


def exchange(partner: Partner, sent: Checkpoint | None, **changes: Any) -> Any:
    """POST an exchange, signed both ways, and return the answer."""
    message = {
        "type": EXCHANGE_TYPE,
        "source_server": partner.url,
        "target_server": HUB,
        "created_at": datetime.now(UTC).isoformat(),
        "checkpoint": sent.to_dict() if sent else None,
    }
    body = body_of(partner.sign(message | changes))
    return send(body, partner.headers(body, path=EXCHANGE_PATH), path=EXCHANGE_PATH)


@pytest.fixture
def nudges(monkeypatch: pytest.MonkeyPatch) -> Nudges:
    """The messages to workers."""
    sent: Nudges = []

    def send_task(name: str, args: tuple[Any, ...], **_: Any) -> bool:
        sent.append((name, *args))
        return True

    monkeypatch.setattr(queue, "_send", send_task)
    return sent


def test_an_answer_has_this_hub_s_checkpoint_and_a_worker_gets_the_peer_s(
    alpha: Partner, alpha_peer: Peer, nudges: Nudges, django_capture_on_commit_callbacks: Any
) -> None:
    answer = deliver(alpha, alpha.signed())
    assert CHECKPOINT_HEADER not in answer.headers
    seal_log()
    log_checkpoints.forget_all()
    header = checkpoint(alpha, 10).to_header()
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(3):
            body = body_of(alpha.signed())
            answer = send(body, alpha.headers(body) | {META: header})

    own = Checkpoint.from_header(answer.headers[CHECKPOINT_HEADER])
    own.verify(keys=hub_identity().verification_keys, did=hub_identity().did)
    assert own.position == JournalEntry.objects.filter(position__gt=0).count()
    assert [found for found in nudges if found[0] == "peers.take_checkpoint"] == [
        ("peers.take_checkpoint", alpha_peer.pk, header)
    ]
    refused = send(body_of(alpha.envelope()), {META: header})
    assert refused.status_code == 401
    assert CHECKPOINT_HEADER not in refused.headers


def test_of_a_peer_s_log_the_newest_checkpoint_and_one_of_each_day_are_kept(alpha: Partner, alpha_peer: Peer) -> None:
    now = timezone.now()
    for position, age in ((10, 3), (20, 2), (30, 2), (40, 1), (50, 0), (20, 0), (60, 0)):
        take_checkpoint(alpha_peer.pk, checkpoint(alpha, position).to_header(), now=now + timedelta(days=3 - age))
    stored = PeerCheckpoint.objects.order_by("position").values_list("position", "standing")
    assert list(stored) == [(10, "kept"), (30, "kept"), (40, "kept"), (60, "newest")]
    assert warnings_about(alpha_peer) == []


def test_a_forged_checkpoint_is_refused(alpha: Partner, alpha_peer: Peer, beta: Partner) -> None:
    good = checkpoint(alpha, 10)
    ahead = (timezone.now() + timedelta(minutes=6)).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    for forged in (
        replace(good, position=11),
        checkpoint(beta, 10),
        checkpoint(beta, 10, did=alpha.identity.did),
        replace(good, key=beta.key.verification_key.multibase),
        checkpoint(alpha, 10, at=ahead),
    ):
        take_checkpoint(alpha_peer.pk, forged.to_header(), now=timezone.now())
    take_checkpoint(alpha_peer.pk, "garbage", now=timezone.now())
    assert not PeerCheckpoint.objects.exists()


@pytest.mark.parametrize(
    ("position", "changes"),
    [(20, {"hash": "f" * 64}), (15, {"batch": 5, "at": "2026-01-01T01:00:00.000Z"}), (30, {"batch": 4})],
)
def test_a_fork_is_noted_shown_and_never_overwritten(
    alpha: Partner, alpha_peer: Peer, position: int, changes: dict[str, Any]
) -> None:
    now = timezone.now()
    for found in (checkpoint(alpha, 20), checkpoint(alpha, position, **changes), checkpoint(alpha, 90)):
        take_checkpoint(alpha_peer.pk, found.to_header(), now=now)
    assert sorted(PeerCheckpoint.objects.values_list("position", "standing")) == sorted(
        [(20, "newest"), (position, "fork")]
    )
    assert JournalEntry.objects.filter(text__startswith="The peer's log has a fork").count() == 1
    assert len(warnings_about(alpha_peer)) == 1
    answer = exchange(alpha, None).json()
    assert [found["position"] for found in answer["held"]] == [position, 20]


def test_a_peer_that_begins_another_log_is_noted(alpha: Partner, alpha_peer: Peer) -> None:
    for log in ("ab" * 16, "cd" * 16):
        take_checkpoint(alpha_peer.pk, checkpoint(alpha, 20, log=log).to_header(), now=timezone.now())
    assert warnings_about(alpha_peer) == ["the peer has begun 2 logs"]
    assert JournalEntry.objects.filter(text__startswith="The peer has begun another log").count() == 1


def test_a_fork_that_staff_acknowledge_lets_the_log_go_on(alpha: Partner, alpha_peer: Peer) -> None:
    now, staff = timezone.now(), Actor(id="1", name="approver")
    with pytest.raises(ConflictError):
        acknowledge_log(alpha_peer, reason="nothing is wrong", by=staff)
    forked = checkpoint(alpha, 20, hash="f" * 64, at="2026-01-01T05:00:00.000Z")
    for found in (checkpoint(alpha, 20), forked, checkpoint(alpha, 20, log="cd" * 16)):
        take_checkpoint(alpha_peer.pk, found.to_header(), now=now)
    with pytest.raises(InvalidRequestError):
        acknowledge_log(alpha_peer, reason=" ", by=staff)
    acknowledge_log(alpha_peer, reason="They restored a backup", by=staff)

    assert warnings_about(alpha_peer) == []
    line = JournalEntry.objects.get(kind=JournalKind.LOG)
    assert (line.actor_name, line.peer_url, line.digest) == ("approver", alpha.url, forked.digest)
    assert "They restored a backup" in line.text
    stored = PeerCheckpoint.objects.exclude(acknowledged_at=None).values_list("acknowledged_by_name", flat=True)
    assert list(stored) == ["approver"] * 2
    # The log goes on from the checkpoint that showed the fork, and the branch before it is a fork now.
    later = checkpoint(alpha, 90, at="2026-01-01T06:00:00.000Z")
    take_checkpoint(alpha_peer.pk, later.to_header(), now=now)
    assert PeerCheckpoint.objects.filter(position=90, standing="newest").exists()
    take_checkpoint(alpha_peer.pk, checkpoint(alpha, 90, hash="e" * 64).to_header(), now=now)
    assert len(warnings_about(alpha_peer)) == 1


def test_an_exchange_stores_the_peer_s_checkpoint_and_answers_what_this_hub_holds(
    alpha: Partner, alpha_peer: Peer
) -> None:
    assert exchange(alpha, None).json() == {"checkpoint": None, "held": []}
    seal_log()
    sent = checkpoint(alpha, 10)
    answer = exchange(alpha, sent)
    assert (answer.status_code, answer.json()["held"]) == (200, [sent.to_dict()])
    Checkpoint.from_dict(answer.json()["checkpoint"]).verify(
        keys=hub_identity().verification_keys, did=hub_identity().did
    )


def test_an_exchange_without_the_peer_s_proof_is_refused(
    alpha: Partner, alpha_peer: Peer, beta: Partner, stranger: Partner, assert_refused: Refused
) -> None:
    sent = checkpoint(alpha, 10)
    assert_refused.start()
    assert_refused(exchange(stranger, None), 401)
    assert_refused(exchange(beta, None, source_server=alpha.url), 401)
    assert_refused(exchange(beta, sent), 401)
    assert_refused(exchange(alpha, None, target_server="https://other.example.org"), 401)
    assert_refused(exchange(alpha, None, created_at="2020-01-01T00:00:00+00:00"), 401)
    assert_refused(exchange(alpha, None, type="fedhub-log-exchange/2"), 422)
    assert_refused(exchange(alpha, None, checkpoint={"position": 1}), 422)
    assert_refused(exchange(alpha, None, checkpoint="x" * 9000), 413)
    body = body_of({"type": EXCHANGE_TYPE, "source_server": alpha.url})
    assert_refused(send(body, path=EXCHANGE_PATH), 401)
    assert get(EXCHANGE_PATH).status_code == 405


def test_what_a_peer_holds_of_this_hub_is_compared_with_the_log(alpha: Partner, alpha_peer: Peer) -> None:
    for number in range(3):
        note(JournalKind.PEER, f"Decision {number}")
    seal_log()
    newest = log_checkpoints.own_checkpoint()
    assert newest is not None
    now = timezone.now()
    foreign = replace(newest, hash="0" * 64)
    assert (
        record_held(alpha_peer, [newest.to_dict(), foreign.to_dict(), checkpoint(alpha, 3).to_dict(), 7], now=now) == 1
    )
    assert [(held.checkpoint, held.holder) for held in held_by_peers()] == [(newest, alpha.url)]
    assert not JournalEntry.objects.filter(text__contains="does not fit").exists()

    rewritten = replace(newest, hash="0" * 64).signed(hub_identity().signing_key())
    assert record_held(alpha_peer, [rewritten.to_dict()], now=now) == 1
    assert JournalEntry.objects.filter(text__contains="does not fit").count() == 1
    assert len(held_by_peers()) == 2


def chain_of(partner: Partner, length: int) -> list[Checkpoint]:
    """Return the checkpoints of a partner's log, each of which names the one before."""
    chain: list[Checkpoint] = []
    for number in range(1, length + 1):
        before = chain[-1].digest if chain else GENESIS
        chain.append(checkpoint(partner, number * 10, batch=number, previous=before))
    return chain


def test_a_newer_checkpoint_is_proved_to_extend_the_first_one(alpha: Partner, alpha_peer: Peer) -> None:
    now, chain = timezone.now(), chain_of(alpha, 8)
    assert proved_end(alpha_peer) is None
    record_checkpoint(alpha_peer, chain[1], now=now)
    record_checkpoint(alpha_peer, chain[4], now=now + timedelta(days=1))
    assert proved_end(alpha_peer) == chain[1]
    wire = [each.to_dict() for each in chain]
    for gap in (wire[3:], [wire[2], wire[4]], [wire[3], wire[2]]):
        with pytest.raises(MalformedMessage):
            record_following(alpha_peer, chain[1], gap, now=now)
    with pytest.raises(SignatureMismatch):
        record_following(alpha_peer, chain[1], [wire[2], {**wire[3], "signature": wire[2]["signature"]}], now=now)
    assert record_following(alpha_peer, chain[1], wire[2:], now=now).endswith("up to position 80")
    assert proved_end(alpha_peer) == chain[7]
    record_checkpoint(alpha_peer, chain_of(alpha, 9)[8], now=now)
    assert record_following(alpha_peer, chain[7], [chain_of(alpha, 9)[8].to_dict()], now=now).endswith("position 90")
    assert warnings_about(alpha_peer) == []


@pytest.mark.parametrize(("number", "changes"), [(3, {"previous": "e" * 64}), (5, {"position": 49})])
def test_a_chain_that_leaves_out_a_stored_checkpoint_is_a_fork(
    alpha: Partner, alpha_peer: Peer, number: int, changes: dict[str, Any]
) -> None:
    """The stored checkpoints 2 and 5 do not contradict the newest one by themselves."""
    now, chain = timezone.now(), chain_of(alpha, 8)
    record_checkpoint(alpha_peer, chain[1], now=now)
    record_checkpoint(alpha_peer, chain[4], now=now + timedelta(days=1))
    rewritten = chain[: number - 1]
    while len(rewritten) < 8:
        batch = len(rewritten) + 1
        values: dict[str, Any] = {"position": batch * 10, "previous": rewritten[-1].digest}
        values |= changes if batch == number else {}
        rewritten.append(checkpoint(alpha, values.pop("position"), batch=batch, **values))
    record_checkpoint(alpha_peer, rewritten[-1], now=now + timedelta(days=2))
    assert (warnings_about(alpha_peer), proved_end(alpha_peer)) == ([], chain[1])
    record_following(alpha_peer, chain[1], [each.to_dict() for each in rewritten[2:]], now=now)
    assert len(warnings_about(alpha_peer)) == 1


def test_an_exchange_answers_what_follows_in_this_hub_s_log(alpha: Partner, alpha_peer: Peer) -> None:
    for number in range(3):
        note(JournalKind.PEER, f"Decision {number}")
        seal_log()
    assert "following" not in exchange(alpha, None).json()
    for after, count in ((1, 2), (3, 0), (2**62, 0)):
        found = exchange(alpha, None, after=after).json()["following"]
        assert [each["batch"] for each in found] == list(range(after + 1, after + 1 + count))
    assert "following" not in exchange(alpha, None, after="1").json()
