"""A restored hub puts off envelopes from before its restore that it does not know, until staff allow them."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.errors import ConflictError, InvalidRequestError
from peers.models import JournalEntry, Peer, ReceivedDispatch
from peers.services.trust.peer_tokens import issue_peer_token
from peers.services.trust.restore_boundary import allow_older, begin_after_restore
from tests.api.peers.conftest import Refused
from tests.api.peers.partner import OPERATOR, Partner, deliver, send

pytestmark = pytest.mark.django_db(databases="__all__")


def in_seconds(seconds: float) -> str:
    return (timezone.now() + timedelta(seconds=seconds)).isoformat()


@pytest.fixture
def restored_peer(alpha: Partner, alpha_peer: Peer) -> Peer:
    """The row of the first partner at a hub that knows one dispatch and was restored ten minutes ago."""
    assert deliver(alpha, alpha.signed(dispatch_id="known", created_at=in_seconds(-900))).status_code == 200
    begin_after_restore(timezone.now() - timedelta(minutes=10), text="Restored", digest="")
    alpha_peer.refresh_from_db()
    return alpha_peer


@pytest.mark.parametrize("age", [3600, 700, 301])
def test_an_unknown_envelope_from_before_is_put_off_however_often_it_comes(
    alpha: Partner, restored_peer: Peer, assert_refused: Refused, age: int
) -> None:
    # 301 s: the partner's clock may be 300 s ahead, and the restore ended 600 s ago.
    envelope = alpha.signed(created_at=in_seconds(-age))
    assert_refused.start()
    for _ in range(2):
        response = deliver(alpha, envelope)
        assert_refused(response, 425, "restored from a backup")
        assert response["Retry-After"] == "60"


def test_a_message_without_a_time_is_put_off_until_its_sender_has_given_up(
    alpha: Partner, restored_peer: Peer, settings: LazySettings
) -> None:
    token = {"HTTP_X_API_KEY": issue_peer_token(restored_peer, days=1, by=OPERATOR)}
    message = alpha.envelope(target_server=..., created_at=...)
    assert send(message, token).status_code == 425
    begin_after_restore(timezone.now() - timedelta(seconds=settings.FEDHUB_ENVELOPE_MAX_AGE + 301), text="", digest="")
    assert send(message, token).status_code == 200


def test_known_and_later_envelopes_are_answered_as_ever(alpha: Partner, restored_peer: Peer, beta: Partner) -> None:
    assert deliver(alpha, alpha.signed(created_at=in_seconds(-290))).json()["accepted"] is True
    again = deliver(alpha, alpha.signed(dispatch_id="known", created_at=in_seconds(-900)))
    assert again.json()["message"] == "Already processed (idempotent)"
    # A peer that staff have added since has nothing from before.
    assert deliver(beta, beta.signed(created_at=in_seconds(-3600))).status_code == 200


def test_staff_allow_older_envelopes_with_a_reason_that_the_log_keeps(alpha: Partner, restored_peer: Peer) -> None:
    with pytest.raises(InvalidRequestError, match="say why"):
        allow_older(restored_peer, reason=" ", by=OPERATOR)
    allow_older(restored_peer, reason="Compared with Alpha", by=OPERATOR)
    line = JournalEntry.objects.get(text__contains="Compared with Alpha")
    assert (line.kind, line.actor_name, line.peer_url) == ("peer", "operator", alpha.url)
    assert deliver(alpha, alpha.signed(dispatch_id="old", created_at=in_seconds(-3600))).status_code == 200
    with pytest.raises(ConflictError):
        allow_older(restored_peer, reason="Again", by=OPERATOR)


def test_the_peers_page_shows_the_notice_and_the_button_only_while_envelopes_are_put_off(
    restored_peer: Peer, admin_client: Client, admin_user: User
) -> None:
    page = reverse("admin:peers_peer_change", args=[restored_peer.pk])
    shown = admin_client.get(page).content.decode()
    assert "This hub was restored from a backup." in shown
    assert "allow-older" in shown
    form = {"_form_submitted": "1", "reason": "Compared on the phone"}
    admin_client.post(reverse("admin:peers_peer_allow_older", args=[restored_peer.pk]), form)
    restored_peer.refresh_from_db()
    assert restored_peer.restore_boundary is None
    assert "allow-older" not in admin_client.get(page).content.decode()


def test_the_command_allows_one_peer_or_all(restored_peer: Peer) -> None:
    with pytest.raises(CommandError, match="one peer, or --all"):
        call_command("peer", "allow-older", "--reason", "x")
    for arguments, text in ((["--all"], "may send envelopes"), (["--all"], "No peer's envelopes are put off")):
        output = StringIO()
        call_command("peer", "allow-older", *arguments, "--reason", "Compared", stdout=output)
        assert text in output.getvalue()
    assert ReceivedDispatch.objects.count() == 1
