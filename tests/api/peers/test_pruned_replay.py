"""A copy of an old message is refused after the prune: by its age, or by the ids that the hub still has."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from core.retention.prune import prune
from fedhub.retention import KINDS
from peers.models import HandlerEvent, Intent, OutboundCallback, Peer, ReceivedDispatch, SeenNonce
from peers.protocol import idempotency_digest
from tests.api.peers.partner import Partner, ago, body_of, deliver, send

pytestmark = pytest.mark.django_db(transaction=True)
OLD = timedelta(days=100)


def end_and_age() -> None:
    """The work that was received has ended, and all of it lies a hundred days back."""
    ReceivedDispatch.objects.update(is_finished=True, received_at=timezone.now() - OLD)
    OutboundCallback.objects.update(created_at=timezone.now() - OLD, delivered_at=timezone.now() - OLD)
    HandlerEvent.objects.update(created_at=timezone.now() - OLD, finished_at=timezone.now() - OLD, due_at=None)
    Intent.objects.update(created_at=timezone.now() - OLD, updated_at=timezone.now() - OLD)


def test_an_old_envelope_is_refused_by_its_age(alpha: Partner, alpha_peer: Peer) -> None:
    message = alpha.signed(created_at=ago(days=100))
    ReceivedDispatch.objects.create(
        peer=alpha_peer, dispatch_id=message["dispatch_id"], body_digest=idempotency_digest(message), accepted=True,
        envelope=message, has_time=True,
    )  # fmt: skip
    end_and_age()
    prune(KINDS, now=timezone.now())
    assert not ReceivedDispatch.objects.exists()

    for answer in (send(body_of(message)), deliver(alpha, message)):
        assert (answer.status_code, "SignatureExpired" in answer.content.decode()) == (401, True)
    assert not ReceivedDispatch.objects.exists() and not Intent.objects.exists()


def test_a_message_without_a_time_is_refused_by_its_id_for_ever(alpha: Partner, alpha_peer: Peer) -> None:
    dated, undated = alpha.signed(), alpha.envelope(created_at=..., idempotency_key="once")
    assert deliver(alpha, dated).json()["accepted"]
    first = deliver(alpha, undated).json()
    assert first["accepted"]
    known = dict(ReceivedDispatch.objects.values_list("dispatch_id", "has_time"))
    assert known == {dated["dispatch_id"]: True, undated["dispatch_id"]: False}
    end_and_age()

    prune(KINDS, now=timezone.now())

    row = ReceivedDispatch.objects.get()
    assert (row.dispatch_id, row.envelope, row.intent_id) == (undated["dispatch_id"], {}, None)
    assert not Intent.objects.exists() and SeenNonce.objects.count() == 2
    again = deliver(alpha, undated)
    assert (again.status_code, again.json()["message"]) == (200, "Already processed (idempotent)")
    assert again.json()["local_intent_id"] == first["local_intent_id"]
    assert deliver(alpha, undated | {"intent_title": "Other"}).status_code == 409
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    page = client.get(f"/admin/peers/receiveddispatch/{row.pk}/change/").content.decode()
    assert "because the work ended long ago" in page
    prune(KINDS, now=timezone.now() + OLD * 10)
    assert ReceivedDispatch.objects.count() == 1
