"""The words of sent work: why a peer refused it, what its staff did, what its agent says, and what staff do next."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from peers.models import Dispatch, InboundCallback, Peer
from peers.services.answer_words import in_words, meaning_of
from tests.app.peers.staff.conftest import URL
from tests.app.peers.staff.pages import text_of, url

REFUSED = '{"detail":"%s","message":"%s"}'
TITLES = re.compile(r'<div class="fedhub-event-title">(.*?)</div>', re.DOTALL)
NO_AGENT = "HTTP 404: " + REFUSED % ("Agent not found", "Agent not found")
NOT_TRUSTED = "HTTP 403: " + REFUSED % ("Source server x not trusted", "Source server x not trusted")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NO_AGENT, "no such agent, or does not show it"),
        (NOT_TRUSTED, "not approved this hub, has suspended it, or lets work go in the other direction alone"),
        ("HTTP 401: " + REFUSED % ("UnknownKey", "UnknownKey"), "has not approved this hub yet"),
        ("401: UnknownKey", "has not approved this hub yet"),
        ("HTTP 401: " + REFUSED % ("SignatureExpired", "SignatureExpired"), "clocks of the two hubs differ"),
        ("HTTP 401: " + REFUSED % ("SignatureMissing", "SignatureMissing"), "cannot tell that the message is from"),
        ("HTTP 401: " + REFUSED % ("SignatureMismatch", "SignatureMismatch"), "trusts another key of this hub"),
        ("HTTP 401: " + REFUSED % ("WrongTarget", "WrongTarget"), "knows itself by another URL"),
        ("HTTP 401: " + REFUSED % ("Invalid or missing API key", "Invalid"), "cannot tell that"),
        ("HTTP 401: " + REFUSED % ("x", "Invalid or missing API key"), "wants a valid key from this hub"),
        ("HTTP 400: " + REFUSED % ("x", "Federation not enabled"), "switched the protocol between hubs off"),
        ("HTTP 425: " + REFUSED % ("x", "This server was restored"), "restored from a backup"),
        ("Rejected: budget constraints too restrictive", "Its limits leave no room for any work"),
        ('HTTP 404: {"detail":"Not found"', "takes no messages at this address"),
        ("HTTP 404: <!DOCTYPE html><title>Nothing</title>", "takes no messages at this address"),
        ('HTTP 422: {"message":"title: too long", "errors": [', "cannot read a part of the message"),
        ("HTTP 503: busy", "fails with 503 Service Unavailable. It wrote: “busy”."),
        (
            "HTTP 308: moved to https://b.example, and redirects are not followed; add that address",
            "has moved to https",
        ),
        ("no answer: [Errno 111] Connection refused", "nothing listens at its address"),
        ("no complete answer within 10 seconds", "did not answer in time"),
        ("the name does not resolve: [Errno -2] Name or service not known", "leads to no address"),
        ("not delivered within 11 hours; the last attempt: no answer: [Errno 111] Connection refused", "listens"),
        ("10.0.0.1 is not a public address", "10.0.0.1 is not a public address"),
    ],
)
def test_each_error_is_a_sentence_without_codes_of_programs(error: str, said: str) -> None:
    words = in_words(error)
    assert said in words
    assert not any(raw in words for raw in ("{", "Errno", "HTTP", "UnknownKey", "Signature", "<"))


def test_a_refused_report_is_not_called_work() -> None:
    assert "takes no reports from this hub" in in_words(NOT_TRUSTED, is_report=True)
    assert "work from" not in in_words(NOT_TRUSTED, is_report=True)


@pytest.fixture
def sent(approved: Peer) -> Dispatch:
    return Dispatch.objects.create(id="d-1", intent_title="x", peer=approved, target_server=URL, envelope="{}")


def shown(client: Client, sent: Dispatch, **fields: Any) -> str:
    Dispatch.objects.filter(pk=sent.pk).update(**fields)
    return text_of(client, url(sent))


@pytest.mark.django_db
def test_a_refused_message_says_why_and_what_to_do_about_it(admin: Client, sent: Dispatch) -> None:
    entry = {
        "number": 1, "at": timezone.now().isoformat(), "milliseconds": 3, "code": 404, "error": NO_AGENT, "status": "",
    }  # fmt: skip
    refused = {"status": "failed", "dead_at": timezone.now(), "attempts": 1, "attempt_log": [entry]}
    page = shown(admin, sent, reason=NO_AGENT, last_error=NO_AGENT, **refused)
    step = meaning_of(NO_AGENT)
    assert step and step.step in unescape(page)
    assert "The peer refused the message." in page and "when the peer works again" not in page
    assert "HTTP 404" not in page and "detail" not in TITLES.sub("", page).partition('id="work-shown"')[0]
    assert "when the peer works again" in shown(
        admin, sent, status="pending", reason="no answer: [Errno 111] Connection refused"
    )
    listed = text_of(admin, reverse("admin:peers_dispatch_changelist"))
    assert "nothing listens at its address" in listed and "HTTP" not in listed


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "state", "said"),
    [
        ("accepted", {"status": "waiting_approval"}, "staff must approve the work before it begins"),
        ("accepted", {"status": "working"}, "The peer works on it."),
        ("failed", {"reason": "Refused: not ours"}, "The peer&#x27;s staff refused it: not ours"),
        ("failed", {"reason": "the peer was suspended"}, "because its staff suspended this hub."),
        ("failed", {"reason": "the hub that sent the work is retired"}, "because its staff retired this hub."),
        ("failed", {"error": "no ledger"}, "The peer could not do it: no ledger"),
    ],
)
def test_the_page_says_who_did_what(admin: Client, sent: Dispatch, status: str, state: Any, said: str) -> None:
    assert said in shown(admin, sent, status=status, state=state)


@pytest.mark.django_db
def test_the_attempts_are_counted_on_after_staff_try_it_again(admin: Client, sent: Dispatch) -> None:
    at = timezone.now().isoformat()
    log = [{"number": number, "at": at, "milliseconds": 1, "code": 503, "error": "x"} for number in (1, 2, 1)]
    page = shown(admin, sent, attempt_log=log, attempts=1, dead_at=timezone.now(), last_error="x")
    assert re.findall(r"Sent, attempt (\d)", page) == ["1", "2", "3"]
    assert "gave up after 3 attempts" in page


@pytest.mark.django_db
def test_the_reports_of_a_peer_are_told_as_on_the_page_of_a_run(admin: Client, sent: Dispatch) -> None:
    def log(*lines: str) -> Any:
        return {"artifacts": {"a": {"name": "log", "parts": [{"text": "\n".join(lines)}], "digest": None}}}

    deltas: list[tuple[str, Any]] = [
        ("status_changed", {"status": "waiting_approval"}),
        ("state_delta", {"status": "working"}),
        ("state_delta", {"status": "working", "message": "adding"}),
        ("status_changed", {"status": "input_required", "question": "Which one?"}),
        ("state_delta", {"status": "working", "question": None}),
        ("state_delta", log("first line")),
        ("state_delta", log("first line", "second line")),
        ("state_delta", {"artifacts": {"b": {"name": "sum", "parts": [{"data": {"total": 42}}]}}}),
        ("state_delta", {"progress_percent": 40}),
        ("failed", {"status": "failed", "reason": "Refused: enough"}),
    ]
    for number, (kind, delta) in enumerate(deltas):
        InboundCallback.objects.create(
            dispatch=sent, dedup_key=str(number), body_digest="0", event_type=kind, body={"state_delta": delta}
        )
    page = text_of(admin, url(sent))
    told = [" ".join(re.sub("<[^>]+>", "", found).split()) for found in TITLES.findall(page)]
    assert told[1:] == [
        "The peer&#x27;s staff must approve the work", "The agent works", "The agent says",
        "The agent asks the peer&#x27;s staff", "The agent works", "The agent gives the artifact log",
        "The agent adds to the artifact log", "The agent gives the artifact sum", "Progress",
        "The peer&#x27;s staff refused it",
    ]  # fmt: skip
    assert page.count("first line") == 1 and page.count("second line") == 1
    for raw in ("input_required", "waiting_approval", "&quot;parts&quot;", "question", "Refused: "):
        assert raw not in page


@pytest.mark.django_db
def test_work_is_sent_from_the_list_of_dispatches(admin: Client, approved: Peer) -> None:
    button = reverse("admin:peers_dispatch_send_work")
    assert button in text_of(admin, reverse("admin:peers_dispatch_changelist"))
    assert admin.get(button, follow=True).redirect_chain == [(reverse("admin:peers_intent_send_work"), 302)]
