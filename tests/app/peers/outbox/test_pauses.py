"""The pause that a peer asks for by Retry-After, and redirects, for dispatches and callbacks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from wsgiref.handlers import format_date_time

import pytest
from django.conf import LazySettings
from django.utils import timezone

from core.net.client import Answer
from peers.models import Dispatch, JournalEntry, OutboundCallback, Peer
from peers.services.inbox.work_progress import complete
from peers.services.outbox.delivery import deliver_callback, deliver_dispatch
from peers.services.outbox.pauses import ASKED_BY_PEER, record_pause
from peers.services.outbox.signed_requests import LONGEST_RETRY_AFTER, result_of, retry_after
from peers.services.trust.peers import resume_peer, suspend_peer
from tests.app.peers.outbox.conftest import STAFF, Partner, fresh, make_due

NOW = datetime(2026, 11, 28, 8, 49, 37, tzinfo=UTC)
# RFC 9110, section 5.6.7: IMF-fixdate, the form of RFC 850, the form of asctime.
DATE_FORMS = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
RETRIED = [408, 425, 429, 500, 502, 503, 504, 599]


def owed(partner: Partner) -> OutboundCallback:
    """Have this hub report the end of some work of the partner."""
    received = partner.received()
    complete(received.pk, usage={})
    return OutboundCallback.objects.get(received=received)


def deliver(row: Dispatch | OutboundCallback) -> Dispatch | OutboundCallback:
    """Try a row once, and return it from the database."""
    (deliver_dispatch if isinstance(row, Dispatch) else deliver_callback)(row.pk)
    found: Dispatch | OutboundCallback = fresh(row)
    return found


def answered(value: str) -> Answer:
    """Return an answer with this Retry-After."""
    return Answer(429, {"retry-after": value}, b"")


@pytest.mark.parametrize("form", DATE_FORMS)
@pytest.mark.parametrize(("ahead", "pause"), [(120, 120), (3600, 3600), (3601, 3600), (86_400, 3600), (0, 0), (-5, 0)])
def test_a_date_is_read_in_each_form_up_to_an_hour(form: str, ahead: int, pause: int) -> None:
    text = (NOW + timedelta(seconds=ahead)).strftime(form)
    assert retry_after(answered(text), now=NOW) == timedelta(seconds=pause)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0), ("1", 1), ("120", 120), ("0120", 120), ("3600", 3600), ("3601", 3600), ("9" * 12, 3600),
     ("9" * 5000, 3600), ("0" * 5000 + "7", 7), (" 5 ", 5)],
)  # fmt: skip
def test_seconds_are_read_up_to_an_hour(value: str, seconds: int) -> None:
    assert retry_after(answered(value), now=NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value",
    ["", "-1", "1.5", "1e3", "+5", "soon", "٣", "120, 120", "Sun, 06 Nov 1994 08:49:37",
     "Sat, 31 Feb 2026 08:49:37 GMT", "2026-11-28T09:49:37Z", "Sat, 28 Nov 99999 08:49:37 GMT"],
)  # fmt: skip
def test_a_pause_that_cannot_be_read_is_none(value: str) -> None:
    assert retry_after(answered(value), now=NOW) == timedelta()
    assert retry_after(Answer(429, {}, b""), now=NOW) == timedelta()


@pytest.mark.parametrize("kind", ["dispatch", "callback"])
@pytest.mark.parametrize("status", RETRIED)
def test_a_date_counts_with_every_status_that_is_tried_again(partner: Partner, status: int, kind: str) -> None:
    row = partner.dispatch() if kind == "dispatch" else owed(partner)
    partner.answer(status, **{"Retry-After": format_date_time(timezone.now().timestamp() + 600)})
    found = deliver(row)
    assert found.due_at is not None
    assert timedelta(seconds=590) < found.due_at - timezone.now() < timedelta(seconds=616)


def test_a_pause_is_the_peers_and_its_end_is_scattered(partner: Partner) -> None:
    rows = [partner.dispatch() for _ in range(8)] + [owed(partner) for _ in range(4)]
    partner.answer(429, **{"Retry-After": "120"})
    found = [deliver(row) for row in rows]

    assert len(partner.requests) == 1
    end = fresh(partner.peer).paused_until
    assert timedelta(seconds=115) < end - timezone.now() <= timedelta(seconds=120)
    waits = [(row.due_at - end).total_seconds() for row in found if row.due_at]
    assert len(waits) == 12
    assert all(0 <= wait <= 15 for wait in waits)
    assert max(waits) - min(waits) > 1
    assert [row.attempts for row in found] == [1] + [0] * 11
    assert [row.reason for row in found if isinstance(row, Dispatch)][1:] == [
        f"{ASKED_BY_PEER}; waiting for its end"
    ] * 7
    assert found[-1].last_error == f"{ASKED_BY_PEER}; waiting for its end"


@pytest.mark.parametrize("first", ["dispatch", "callback"])
def test_a_pause_that_one_kind_of_message_gets_holds_for_the_other(partner: Partner, first: str) -> None:
    rows: list[Dispatch | OutboundCallback] = [partner.dispatch(), owed(partner)]
    partner.answer(503, **{"Retry-After": "60"})
    for row in rows if first == "dispatch" else reversed(rows):
        deliver(row)
    assert len(partner.requests) == 1


def test_after_the_pause_messages_go_out_with_all_their_attempts(partner: Partner) -> None:
    partner.answer(429, **{"Retry-After": "120"})
    first, second = partner.dispatch(), partner.dispatch()
    deliver(first)
    for _ in range(30):
        make_due(second)
        deliver(second)
    assert (fresh(second).attempts, fresh(second).dead_at) == (0, None)

    Peer.objects.update(paused_until=timezone.now() - timedelta(seconds=1))
    make_due(first, second)
    assert (deliver(first).attempts, deliver(second).attempts) == (2, 1)
    assert {fresh(first).status, fresh(second).status} == {"accepted"}


def test_a_shorter_pause_does_not_end_a_longer_one(partner: Partner) -> None:
    end = timezone.now().replace(microsecond=0) + timedelta(minutes=30)
    record_pause(partner.peer, until=end)
    record_pause(partner.peer, until=end - timedelta(minutes=20))
    assert fresh(partner.peer).paused_until == end
    record_pause(partner.peer, until=end + timedelta(minutes=20))
    assert fresh(partner.peer).paused_until == end + timedelta(minutes=20)


def test_the_answer_of_a_probe_that_asks_for_a_pause_wakes_no_waiting_row(partner: Partner) -> None:
    for _ in range(5):
        partner.answer(503)
        deliver(partner.dispatch())
    waiting, probe = partner.dispatch(), partner.dispatch()
    deliver(waiting)
    Peer.objects.update(circuit_open_until=timezone.now() - timedelta(seconds=1))
    partner.answer(429, **{"Retry-After": "120"})
    deliver(probe)
    assert fresh(partner.peer).circuit_failures == 0
    assert fresh(waiting).due_at > timezone.now()
    make_due(waiting)
    deliver(waiting)
    assert len(partner.requests) == 6


def test_other_peers_do_not_wait(partner: Partner) -> None:
    Peer.objects.create(
        server_url="https://other.example.org", state="approved", paused_until=NOW + LONGEST_RETRY_AFTER
    )
    assert deliver(partner.dispatch()).attempts == 1


def test_a_decision_of_staff_ends_the_pause(partner: Partner) -> None:
    Peer.objects.update(paused_until=timezone.now() + timedelta(hours=1))
    partner.peer.refresh_from_db()
    suspend_peer(partner.peer, reason="incident", by=STAFF)
    resume_peer(partner.peer, by=STAFF)
    assert fresh(partner.peer).paused_until is None


def test_a_message_past_its_horizon_is_given_up_in_a_pause(partner: Partner, settings: LazySettings) -> None:
    Peer.objects.update(paused_until=timezone.now() + timedelta(minutes=30))
    dispatch = partner.dispatch()
    Dispatch.objects.update(tried_since=timezone.now() - timedelta(seconds=settings.FEDHUB_ENVELOPE_MAX_AGE))
    found = deliver(dispatch)
    assert found.dead_at is not None
    assert found.last_error == "not delivered within 23 hours; the peer asked for a pause"


@pytest.mark.parametrize("kind", ["dispatch", "callback"])
@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308])
def test_a_redirect_is_final_and_its_reason_names_the_place(partner: Partner, status: int, kind: str) -> None:
    row = partner.dispatch() if kind == "dispatch" else owed(partner)
    place = "https://new.example.org/api/v1/federation/receive"
    partner.answer(status, Location=place, **{"Retry-After": "120"})
    found = deliver(row)

    assert (found.due_at, found.attempts, len(partner.requests)) == (None, 1, 1)
    assert found.dead_at is not None
    assert found.last_error == f"HTTP {status}: moved to {place}, and redirects are not followed; add that address"
    assert fresh(partner.peer).paused_until is None
    assert JournalEntry.objects.filter(text__contains=place).count() == 1
    if isinstance(found, Dispatch):
        assert (found.status, found.reason) == ("failed", found.last_error)


@pytest.mark.parametrize(
    ("location", "named"),
    [
        ("/there", "moved to {url}/there,"),
        ("//new.example.org/x", "moved to http://new.example.org/x,"),
        ("", "a redirect, which is not followed"),
        ("https://a/" + "x" * 900, "moved to https://a/" + "x" * 190 + ","),
    ],
)
def test_the_place_of_a_redirect_is_read_from_any_location(partner: Partner, location: str, named: str) -> None:
    partner.answer(302, **({"Location": location} if location else {}))
    found = deliver(partner.dispatch())
    assert found.last_error.startswith("HTTP 302: " + named.format(url=partner.url))
    assert len(found.last_error) <= 300


@pytest.mark.parametrize("location", ["http://[", "http://[::1", "\x00\x1b[31mhttp://new/", "é", "\ud800"])
def test_a_malformed_place_of_a_redirect_is_shown_without_control_characters(location: str) -> None:
    result = result_of(Answer(301, {"location": location}, b""), url="http://old.example.org/", now=NOW)
    assert result.is_final
    assert result.error.startswith("HTTP 301: ")
    assert result.error.isprintable()
