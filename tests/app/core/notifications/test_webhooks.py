"""Webhooks at a real receiver, which verifies them with the library of the specification."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug import Request, Response

from core.errors import ConflictError
from core.notifications import delivery as delivering
from core.notifications.delivery import deliver, nudge_due
from core.notifications.digests import tell
from core.notifications.events import NewEvent, record
from core.notifications.models import Attempt, Delivery, DeliveryState, Rule
from core.notifications.rules import make_secret, pause_rule, resume_rule, send_again, send_test
from core.notifications.webhooks import OVERLAP

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("loopback_allowed")]


def webhook(server: HTTPServer | None = None, **values: Any) -> Rule:
    url = server.url_for("/hook") if server else "https://hooks.example.org/"
    return Rule.objects.create(name="To the chat", target="webhook", url=url, kinds=["storage.low"], **values)


def happen(count: int = 1, start: int = 0) -> None:
    record(*(NewEvent("storage.low", f"disk {number}", f"Disk {number}") for number in range(start, start + count)))


def send_all() -> None:
    tell(timezone.now())
    for pk in Delivery.objects.filter(state=DeliveryState.WAITING).values_list("pk", flat=True):
        deliver(pk)


def lapse() -> None:
    """Let the leases and the pauses of all deliveries end."""
    Delivery.objects.filter(state=DeliveryState.WAITING).update(due_at=timezone.now())


def received(server: HTTPServer) -> list[Request]:
    # A program that looks for the former owner of this port may come by.
    return [request for request, _ in server.log if request.path == "/hook"]


def verify(secret: str, request: Request) -> Any:
    return Webhook(secret).verify(request.data, dict(request.headers))


def test_an_event_arrives_signed_and_a_rotation_keeps_the_old_secret_valid_for_a_day(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook", "POST").respond_with_data("thanks", status=200)
    rule = webhook(httpserver, digest_minutes=0)
    first = make_secret(rule)
    happen()
    send_all()

    (request,) = received(httpserver)
    told = verify(first, request)
    assert told["type"] == "fedhub.notification"
    assert [event["text"] for event in told["data"]["events"]] == ["Disk 0"]
    sent = Delivery.objects.get()
    assert (sent.state, sent.webhook_id) == (DeliveryState.SENT, request.headers["webhook-id"])
    attempt = Attempt.objects.get()
    assert (attempt.code, attempt.text) == (200, "thanks")
    assert first not in Rule.objects.get().secret

    second = make_secret(rule)
    happen(start=1)
    send_all()
    assert verify(first, received(httpserver)[1]) == verify(second, received(httpserver)[1])

    Rule.objects.update(previous_until=timezone.now() - timedelta(seconds=1))
    happen(start=2)
    send_all()
    assert verify(second, received(httpserver)[2])
    with pytest.raises(WebhookVerificationError):
        verify(first, received(httpserver)[2])
    assert timedelta(days=1) == OVERLAP


def test_a_worker_that_dies_after_sending_leads_to_a_second_copy_with_the_same_id(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpserver.expect_request("/hook").respond_with_data("")
    secret = make_secret(webhook(httpserver))
    happen()
    with monkeypatch.context() as patched:
        patched.setattr(delivering, "settle", lambda *args, **kwargs: None)
        send_all()
    send_all()
    assert len(received(httpserver)) == 1, "the lease of the dead worker holds the row"

    lapse()
    send_all()
    first, second = received(httpserver)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert verify(secret, first) == verify(secret, second)
    assert Delivery.objects.get().state == DeliveryState.SENT


def test_a_storm_of_a_thousand_failures_is_two_messages(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("")
    secret = make_secret(webhook(httpserver, digest_minutes=15))
    happen()
    send_all()
    happen(999, start=1)
    send_all()
    assert len(received(httpserver)) == 1

    tell(timezone.now() + timedelta(minutes=15))
    send_all()
    counts = [verify(secret, request)["data"]["count"] for request in received(httpserver)]
    assert counts == [1, 999]
    assert len(verify(secret, received(httpserver)[1])["data"]["events"]) == 100
    happen(start=1)
    tell(timezone.now() + timedelta(hours=1))
    assert Delivery.objects.count() == 2, "an event that is recorded again is told once"


def test_a_failing_receiver_is_tried_again_then_given_up_and_can_be_sent_again(httpserver: HTTPServer) -> None:
    answers = [Response("busy", 503)] * 8 + [Response("", 204)]
    httpserver.expect_request("/hook").respond_with_handler(lambda request: answers.pop(0))
    make_secret(webhook(httpserver))
    happen()
    send_all()
    waiting = Delivery.objects.get()
    assert (waiting.state, waiting.last_error) == (DeliveryState.WAITING, "busy")
    assert waiting.due_at and waiting.due_at > timezone.now()
    for _ in range(7):
        lapse()
        send_all()
    dead = Delivery.objects.get()
    assert (dead.state, dead.attempts, dead.due_at) == (DeliveryState.DEAD, 8, None)

    send_again(dead)
    send_all()
    assert Delivery.objects.get().state == DeliveryState.SENT
    assert list(Attempt.objects.values_list("code", flat=True)) == [503] * 8 + [204]
    with pytest.raises(ConflictError):
        send_again(dead)


def test_a_receiver_that_is_gone_pauses_its_rule_and_a_paused_rule_tells_nothing(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("", status=410)
    rule = webhook(httpserver)
    make_secret(rule)
    happen()
    send_all()
    rule.refresh_from_db()
    assert (Delivery.objects.get().state, bool(rule.paused_at)) == (DeliveryState.DEAD, True)
    assert "410" in rule.paused_why
    with pytest.raises(ConflictError, match="paused"):
        send_again(Delivery.objects.get())

    happen(start=1)
    tell(timezone.now())
    resume_rule(rule)
    tell(timezone.now() + timedelta(days=1))
    assert Delivery.objects.count() == 1, "the events of the pause stay untold"
    happen(start=2)
    tell(timezone.now())
    pause_rule(rule)
    resume_rule(rule)
    tell(timezone.now() + timedelta(days=1))
    assert Delivery.objects.count() == 1, "a pause drops what waits for a digest"


def test_a_private_address_is_refused_by_default(httpserver: HTTPServer, settings: Any) -> None:
    settings.FEDHUB_ALLOWED_NETWORKS = []
    rule = webhook(httpserver)
    make_secret(rule)
    tried = send_test(rule, to=None)  # type: ignore[arg-type]  # a webhook's test has no person
    assert (tried.state, received(httpserver)) == (DeliveryState.DEAD, [])
    assert Attempt.objects.get().code is None


def test_a_test_is_sent_at_once_and_shows_the_answer(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("who are you?", status=401)
    rule = webhook(httpserver)
    secret = make_secret(rule)
    tried = send_test(rule, to=None)  # type: ignore[arg-type]
    assert verify(secret, received(httpserver)[0])["type"] == "fedhub.test"
    assert (tried.state, tried.last_error) == (DeliveryState.DEAD, "who are you?")


def test_a_body_is_json_without_a_secret_and_the_sweep_nudges_a_worker() -> None:
    rule = webhook(digest_minutes=0)
    secret = make_secret(rule)
    happen()
    tell(timezone.now())
    assert secret not in Delivery.objects.get().body
    assert json.loads(Delivery.objects.get().body)["data"]["rule"]["name"] == "To the chat"
    later = timezone.now() + timedelta(days=1)
    nudge_due(later)
    assert Delivery.objects.get().nudged_at
