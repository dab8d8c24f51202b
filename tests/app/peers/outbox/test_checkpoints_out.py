"""Checkpoints of the federation log in deliveries, and the daily exchange, against a partner's server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone
from pytest_httpserver import HTTPServer

from core.jobs import queue
from peers.models import PeerCheckpoint
from peers.protocol.federation_log import CHECKPOINT_HEADER, EXCHANGE_PATH, GENESIS, Checkpoint
from peers.services.outbox.delivery import deliver_dispatch
from peers.services.outbox.log_exchange import ask_for_checkpoints, exchange_checkpoints
from peers.services.trust import log_checkpoints
from peers.services.trust.log_checkpoints import held_by_peers, own_checkpoint
from peers.services.trust.log_sealing import seal_log
from tests.app.peers.outbox.conftest import KEY, Partner, identity_of


def theirs(partner: Partner, position: int) -> Checkpoint:
    """Return a checkpoint of the partner's log."""
    moment = f"2026-01-01T00:00:{position:02}.000Z"
    did = identity_of(partner).did
    return Checkpoint("ab" * 16, did, position, position, "a" * 64, moment, "", GENESIS).signed(KEY)


@pytest.fixture
def nudges(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The messages to workers."""
    sent: list[tuple[Any, ...]] = []

    def send_task(name: str, args: tuple[Any, ...], **_: Any) -> bool:
        sent.append((name, *args))
        return True

    monkeypatch.setattr(queue, "_send", send_task)
    return sent


@pytest.mark.django_db(transaction=True)
def test_a_delivery_carries_the_newest_checkpoint_and_a_plain_peer_needs_none(
    partner: Partner, nudges: list[tuple[Any, ...]]
) -> None:
    deliver_dispatch(partner.dispatch().pk)
    assert CHECKPOINT_HEADER not in partner.requests[0].headers
    assert not [found for found in nudges if found[0] == "peers.take_checkpoint"]
    seal_log()
    log_checkpoints.forget_all()
    header = theirs(partner, 5).to_header()
    partner.answer(200, **{CHECKPOINT_HEADER: header})
    deliver_dispatch(partner.dispatch().pk)

    sent = partner.requests[1].headers[CHECKPOINT_HEADER]
    assert Checkpoint.from_header(sent) == own_checkpoint()
    assert "log" not in partner.requests[1].headers["Signature-Input"]
    assert ask_for_checkpoints() == 1
    assert nudges[-2:] == [
        ("peers.take_checkpoint", partner.peer.pk, header),
        ("peers.exchange_checkpoints", partner.peer.pk),
    ]


@pytest.mark.django_db
def test_the_daily_exchange_stores_what_the_peer_holds(partner: Partner, httpserver: HTTPServer) -> None:
    seal_log()
    own = own_checkpoint()
    assert own is not None
    answer = {"checkpoint": theirs(partner, 5).to_dict(), "held": [own.to_dict(), {"forged": 1}]}
    for body, said, stored in (
        (answer, "the peer holds 1 checkpoints of this hub", 2),
        ({"checkpoint": {}, "held": 3}, "refused", 2),
        ({}, "the peer holds 0 checkpoints of this hub", 2),
    ):
        httpserver.expect_ordered_request(EXCHANGE_PATH, method="POST").respond_with_json(body)
        assert exchange_checkpoints(partner.peer.pk, now=timezone.now()).startswith(said)
        assert PeerCheckpoint.objects.count() == stored
    assert [held.checkpoint for held in held_by_peers()] == [own]
    message = json.loads(httpserver.log[0][0].get_data())
    assert message["checkpoint"] == own.to_dict()
    httpserver.expect_ordered_request(EXCHANGE_PATH).respond_with_data(status=404)
    assert "does not exchange" in exchange_checkpoints(partner.peer.pk, now=timezone.now())
