"""The time line of a dispatch that this hub sent, and what its page says of its state."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.admin.cells import row_link, time_until
from core.admin.labels import label
from core.strict_json import JsonObject
from peers.admin.labels import DISPATCH_COLORS, dispatch_status, http_answer, peer_link, plural
from peers.admin.work.answer import answer_of
from peers.admin.work.entries import Fact, attestation_body, receipt_facts, staff_facts
from peers.admin.work.peer_waits import UNDER_WAY, refused_report, why_no_reports, why_waiting
from peers.admin.work.reports import Reports
from peers.models import Dispatch, DispatchReceipt, DispatchState, InboundCallback
from peers.models.dispatches import FINAL_STATES
from peers.services.answer_words import TRY_AGAIN, in_words, meaning_of
from peers.services.inbox.receive.new_rows import FIRST_DELTA
from peers.services.inbox.work_progress import REFUSED

MAX_CALLBACKS = 200
REPORT_REFUSED = (
    "<strong>This hub refused the last report on this work.</strong> The peer does not send it again by itself: ask "
    "its staff to press Try again on it. {}"
)
NOT_KEPT = "The hub kept no record of the attempts to send it."
# How `agent_work` tells that the work ended because of a decision about this hub; older hubs said "the peer".
_STOPPED = re.compile(r"the (?:peer|hub that sent the work) (?:was|is) (?P<state>suspended|retired|rejected|proposed)")
ANSWER_WORDS: Mapping[str, tuple[str, str, str]] = {
    DispatchState.ACCEPTED: ("The peer accepted the work", "task_alt", "good"),
    DispatchState.REJECTED: ("The peer refused the work", "block", "bad"),
    DispatchState.DELIVERED: (
        "The peer took the message, and did not say whether it accepts the work",
        "mark_email_read",
        "",
    ),
}


def sent_facts(dispatch: Dispatch) -> list[Fact]:
    """Return all facts of a sent dispatch, from its row, its callbacks, its receipt and the journal."""
    callbacks, reports = dispatch.callbacks.order_by("received_at", "id")[:MAX_CALLBACKS], Reports()
    receipt = DispatchReceipt.objects.filter(is_sent=True, dispatch_id=dispatch.pk).first()
    return [
        _made(dispatch),
        *_attempts(dispatch),
        *(fact for callback in callbacks for fact in _reported(callback, dispatch, reports)),
        *_given_up(dispatch),
        *receipt_facts(receipt),
        *staff_facts(dispatch.pk),
    ]


def sent_state(request: HttpRequest, dispatch: Dispatch) -> dict[str, Any]:
    """Return what the page says of the state of a sent dispatch."""
    status, peer = dispatch_status(dispatch), dispatch.peer
    saying, is_followed = saying_of(dispatch), dispatch.status in UNDER_WAY
    of_peer = f"{peer.state}-{peer.paused_until}-{peer.circuit_open_until}" if peer else ""
    is_completed = dispatch.status == DispatchState.COMPLETED
    return {
        "state_shown": format_html(
            "{} {}", label(status, DISPATCH_COLORS), peer_link(dispatch.peer, dispatch.target_server)
        ),
        "saying": f"{saying} This page follows it." if saying and is_followed else saying,
        "notice": next_step(dispatch),
        "answer": answer_of(dispatch.state) if is_completed else "",
        "state_key": f"{status}-{dispatch.attempts}-{dispatch.due_at}-{dispatch.delivered_at}-{dispatch.finished_at}"
        f"-{of_peer}",
        "has_ended": dispatch.status in FINAL_STATES or dispatch.dead_at is not None,
    }


def saying_of(dispatch: Dispatch) -> str:
    """Return one sentence about a dispatch on which nobody has to do anything; "" for the others."""
    if dispatch.status == DispatchState.PENDING:
        is_next = dispatch.due_at and not dispatch.attempts and not why_waiting(dispatch.peer, timezone.now())[0]
        return "A worker sends it now." if is_next and not dispatch.dead_at else ""
    if dispatch.status == DispatchState.FAILED and not dispatch.dead_at:
        return _why_failed(dispatch.state.get("reason") or dispatch.state.get("error"))
    if dispatch.status in UNDER_WAY:
        if why_no_reports(dispatch)[0]:
            return ""
        question = dispatch.state.get("question")
        if dispatch.state.get("status") == "input_required" and isinstance(question, str):
            return f"The agent asks the peer's staff: {question}"
        if dispatch.state.get("status") == "waiting_approval":
            return "The peer's staff must approve the work before it begins."
        return "The peer works on it."
    return ""


def happened(dispatch: Dispatch) -> str:
    """Return what the list says of a dispatch: the sentence that its page has, without the next step; "" for none."""
    if dispatch.dead_at or dispatch.status == DispatchState.REJECTED:
        return in_words(dispatch.reason or dispatch.last_error)
    if dispatch.status == DispatchState.PENDING:
        waits = why_waiting(dispatch.peer, timezone.now())[0] if dispatch.due_at else ""
        return waits or in_words(dispatch.reason or dispatch.last_error) or saying_of(dispatch)
    return why_no_reports(dispatch)[0] or saying_of(dispatch)


def next_step(dispatch: Dispatch) -> SafeString | str:
    """Return the problem of a dispatch and what staff can do about it; empty for a dispatch without a problem."""
    why = in_words(dispatch.reason or dispatch.last_error).removesuffix(".")
    if dispatch.status == DispatchState.REJECTED:
        return format_html(
            "<strong>The peer refused it{}</strong> Open its intent to dispatch it to another agent or peer{}.",
            f": {why}." if why else ".",
            ", or press Try again" if dispatch.dead_at else "",
        )
    if dispatch.dead_at and dispatch.put_away_at:
        return format_html("<strong>Staff put it away.</strong> {}", dispatch.put_away_reason)
    if dispatch.dead_at:
        meaning = meaning_of(dispatch.reason or dispatch.last_error)
        title = (
            "The peer refused the message."
            if dispatch.status == DispatchState.FAILED
            else f"The hub gave up after {plural(attempts_of(dispatch), 'attempt')}."
        )
        step = meaning.step if meaning else TRY_AGAIN
        return format_html("<strong>{}</strong> {} {}", title, f"{why}." if why else "", step)
    said, step = why_no_reports(dispatch)
    if said:
        return format_html("<strong>{}</strong> {} {}", said, step, _peer_page(dispatch))
    if dispatch.status in UNDER_WAY:
        line = refused_report(dispatch)
        return format_html(REPORT_REFUSED, row_link(line, "Why it was refused")) if line else ""
    if dispatch.status != DispatchState.PENDING:
        return ""
    if dispatch.due_at is None:
        meaning = meaning_of(dispatch.reason)
        step = f"{why}. {meaning.step}" if meaning and why else why or "The hub sends it when its peer is approved."
        return format_html("<strong>It waits.</strong> {} {}", step, _peer_page(dispatch))
    said, step = why_waiting(dispatch.peer, timezone.now())
    if said:
        return format_html("<strong>It waits.</strong> {} {} {}", said, step, _peer_page(dispatch))
    if dispatch.attempts:
        return format_html(
            "<strong>Attempt {} failed.</strong> {} The hub tries again {}.",
            attempts_of(dispatch),
            f"{why}." if why else "",
            time_until(dispatch.due_at),
        )
    return ""


def _peer_page(dispatch: Dispatch) -> SafeString | str:
    return row_link(dispatch.peer, "Open the peer") if dispatch.peer else ""


def attempts_of(dispatch: Dispatch) -> int:
    """Return the number of all attempts; the hub counts again from 1 after staff try a dispatch again."""
    counts = [_number_of(entry) for entry in dispatch.attempt_log if isinstance(entry, dict)]
    earlier = sum(before for before, after in pairwise(counts) if after <= before)
    is_new_count = bool(counts) and dispatch.attempts < counts[-1]
    return earlier + (counts[-1] if is_new_count else 0) + dispatch.attempts


def _number_of(entry: JsonObject) -> int:
    return number if isinstance(number := entry.get("number"), int) else 0


def _why_failed(reason: object) -> str:
    if not isinstance(reason, str):
        return "The peer could not do it."
    if reason.startswith(REFUSED):
        return f"The peer's staff refused it: {reason.removeprefix(REFUSED)}"
    if found := _STOPPED.fullmatch(reason):
        decided = "no longer approve this hub" if found["state"] == "proposed" else f"{found['state']} this hub"
        return f"The peer stopped the work, because its staff {decided}."
    return f"The peer could not do it: {reason}"


def _made(dispatch: Dispatch) -> Fact:
    title = format_html("{} made and signed it", dispatch.created_by_name or "The hub")
    agent = dispatch.agent_id or "an agent that the peer chooses"
    return Fact(dispatch.created_at, "edit_square", title, f"For {agent}.")


def _attempts(dispatch: Dispatch) -> Iterator[Fact]:
    log = [entry for entry in dispatch.attempt_log if isinstance(entry, dict)]
    earlier = previous = 0
    for entry in log:
        number = _number_of(entry)
        # A dispatch that staff tried again, or whose peer was resumed, counts from 1 again.
        earlier += previous if number <= previous else 0
        previous = number
        yield from _attempt(entry, earlier + number)
    if dispatch.delivered_at and not any(entry.get("status") for entry in log):
        # A callback came before the answer to the delivery, or the dispatch is older than the log.
        yield Fact(dispatch.delivered_at, "mark_email_read", "The peer has the work", NOT_KEPT if not log else "")


def _attempt(entry: JsonObject, number: int) -> Iterator[Fact]:
    at = parse_datetime(str(entry.get("at")))
    if at is None:
        return
    code = entry.get("code")
    answer = http_answer(code) if isinstance(code, int) else "no answer"
    title = f"Sent, attempt {number}: {answer} after {entry.get('milliseconds')} ms"
    error = in_words(str(entry.get("error") or ""))
    yield Fact(at, "send", title, error, "bad" if error else "")
    if found := ANSWER_WORDS.get(str(entry.get("status"))):
        title, icon, tone = found
        yield Fact(at, icon, title, str(entry.get("message") or ""), tone)


def _reported(callback: InboundCallback, dispatch: Dispatch, reports: Reports) -> Iterator[Fact]:
    if callback.body.get("state_delta") == FIRST_DELTA and _was_accepted(dispatch):
        # The answer to the delivery has said so.
        return
    late = "" if callback.is_applied else " (only stored: the dispatch had ended before)"
    for said in reports.told(callback.event_type, callback.body):
        title = format_html("{}{}", said.title, late)
        yield Fact(callback.received_at, said.icon, title, said.body, said.tone)
    attestation = callback.body.get("attestation")
    if isinstance(attestation, dict):
        is_last = attestation == dispatch.attestation
        proof = (": signature verified" if dispatch.is_attested else ": not signed") if is_last else ""
        yield Fact(callback.received_at, "verified", f"Attestation{proof}", attestation_body(attestation))


def _was_accepted(dispatch: Dispatch) -> bool:
    log = [entry for entry in dispatch.attempt_log if isinstance(entry, dict)]
    return any(entry.get("status") == DispatchState.ACCEPTED for entry in log)


def _given_up(dispatch: Dispatch) -> Iterator[Fact]:
    if dispatch.dead_at:
        why = dispatch.reason or dispatch.last_error
        last = dispatch.attempt_log[-1] if dispatch.attempt_log else None
        # The last attempt says it already, just above.
        is_told = isinstance(last, dict) and last.get("error") == why
        yield Fact(dispatch.dead_at, "report", "The hub gave up", "" if is_told else in_words(why), "bad")
