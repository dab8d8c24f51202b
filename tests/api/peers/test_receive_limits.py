"""429: for a peer that sends too much, and for an address that is refused too often."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings

from peers.models import Peer
from tests.api.peers.partner import SHOWN_KEY, Partner, body_of, deliver, send

pytestmark = pytest.mark.django_db
CALLBACK = "/api/v1/federation/callback"


def shows_itself(stranger: Partner) -> Any:
    body = body_of(stranger.signed())
    return send(body, stranger.headers(body) | {SHOWN_KEY: stranger.key.verification_key.base64})


def test_a_peer_that_sends_too_much_waits_and_no_other_does(
    alpha: Partner, alpha_peer: Peer, beta: Partner, settings: LazySettings, assert_refused: Any
) -> None:
    settings.FEDHUB_PEER_REQUESTS_PER_MINUTE = 2
    assert [deliver(alpha, alpha.signed()).status_code for _ in range(2)] == [200, 200]
    assert_refused.start()

    answer = deliver(alpha, alpha.signed())

    assert_refused(answer, 429, "Too many requests")
    assert 0 < int(answer["Retry-After"]) <= 30
    assert answer.json() == {"detail": "Too many requests", "message": "Too many requests"}
    assert deliver(beta, beta.signed()).status_code == 200


def test_requests_that_only_name_a_peer_do_not_use_its_limit(
    alpha: Partner, alpha_peer: Peer, stranger: Partner, settings: LazySettings
) -> None:
    settings.FEDHUB_PEER_REQUESTS_PER_MINUTE = 1
    for _ in range(3):
        assert deliver(stranger, stranger.signed(source_server=alpha.url)).status_code in (401, 403)

    assert deliver(alpha, alpha.signed()).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/federation/receive", CALLBACK])
def test_an_address_that_is_refused_too_often_is_told_to_slow_down(
    db: None, path: str, settings: LazySettings, assert_refused: Any
) -> None:
    settings.FEDHUB_REFUSALS_PER_MINUTE = 2
    assert_refused.start()

    statuses = [send(b"{}", path=path).status_code for _ in range(2)]
    answer = send(b"{}", path=path)

    assert 429 not in statuses
    assert_refused(answer, 429, "Too many requests")
    assert 0 < int(answer["Retry-After"]) <= 30
    assert send(b"{}", path=path, REMOTE_ADDR="203.0.113.9").status_code == statuses[0]


def test_an_approved_peer_is_served_although_its_address_was_refused_too_often(
    alpha: Partner, alpha_peer: Peer, settings: LazySettings
) -> None:
    settings.FEDHUB_REFUSALS_PER_MINUTE = 1
    assert [send(b"{}").status_code for _ in range(2)] == [422, 429]

    assert deliver(alpha, alpha.signed()).status_code == 200


def test_an_unknown_sender_whose_address_was_refused_too_often_is_not_proposed(
    stranger: Partner, settings: LazySettings, assert_refused: Any
) -> None:
    settings.FEDHUB_REFUSALS_PER_MINUTE = 1
    assert send(b"{}").status_code == 422
    assert_refused.start()

    assert_refused(shows_itself(stranger), 429)

    settings.FEDHUB_REFUSALS_PER_MINUTE = 0
    assert shows_itself(stranger).status_code == 403
    assert Peer.objects.get().server_url == stranger.url


def test_zero_sets_no_limit(alpha: Partner, alpha_peer: Peer, settings: LazySettings) -> None:
    settings.FEDHUB_PEER_REQUESTS_PER_MINUTE = settings.FEDHUB_REFUSALS_PER_MINUTE = 0

    assert {send(b"{}").status_code for _ in range(5)} == {422}
    assert {deliver(alpha, alpha.signed()).status_code for _ in range(5)} == {200}
