"""The time line of a dispatch that this hub sent, and what its page says of its state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.admin.cells import time_until
from core.admin.labels import label
from core.strict_json import JsonObject
from peers.admin.labels import DISPATCH_COLORS, dispatch_status, event_name, http_answer, peer_link, plural
from peers.admin.work.answer import answer_of
from peers.admin.work.entries import Fact, attestation_body, delta_body, receipt_facts, staff_facts
from peers.models import Dispatch, DispatchReceipt, DispatchState, InboundCallback
from peers.models.dispatches import FINAL_STATES
from peers.protocol import CallbackEventType

MAX_CALLBACKS = 200
NOT_KEPT = "The hub kept no record of the attempts to send it."
CALLBACK_ICONS: Mapping[str, str] = {
    CallbackEventType.STATE_DELTA: "trending_up",
    CallbackEventType.STATUS_CHANGED: "swap_horiz",
    CallbackEventType.ATTESTATION: "verified",
    CallbackEventType.BUDGET_WARNING: "data_usage",
    CallbackEventType.COMPLETED: "check_circle",
    CallbackEventType.FAILED: "error",
}
CALLBACK_TONES: Mapping[str, str] = {
    CallbackEventType.BUDGET_WARNING: "warning",
    CallbackEventType.COMPLETED: "good",
    CallbackEventType.FAILED: "bad",
}
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
    callbacks = dispatch.callbacks.order_by("received_at", "id")[:MAX_CALLBACKS]
    receipt = DispatchReceipt.objects.filter(is_sent=True, dispatch_id=dispatch.pk).first()
    return [
        _made(dispatch),
        *_attempts(dispatch),
        *(fact for callback in callbacks for fact in _reported(callback, dispatch)),
        *_given_up(dispatch),
        *receipt_facts(receipt),
        *staff_facts(dispatch.pk),
    ]


def sent_state(request: HttpRequest, dispatch: Dispatch) -> dict[str, Any]:
    """Return what the page says of the state of a sent dispatch."""
    status = dispatch_status(dispatch)
    is_completed = dispatch.status == DispatchState.COMPLETED
    return {
        "state_shown": format_html(
            "{} {}", label(status, DISPATCH_COLORS), peer_link(dispatch.peer, dispatch.target_server)
        ),
        "saying": saying_of(dispatch),
        "notice": next_step(dispatch),
        "answer": answer_of(dispatch.state) if is_completed else "",
        "state_key": f"{status}-{dispatch.attempts}-{dispatch.due_at}-{dispatch.delivered_at}-{dispatch.finished_at}",
        "has_ended": dispatch.status in FINAL_STATES or dispatch.dead_at is not None,
    }


def saying_of(dispatch: Dispatch) -> str:
    """Return one sentence about a dispatch on which nobody has to do anything; "" for the others."""
    if dispatch.status == DispatchState.PENDING:
        return "A worker sends it now." if dispatch.due_at and not dispatch.attempts else ""
    if dispatch.status == DispatchState.FAILED and not dispatch.dead_at:
        reason = dispatch.state.get("reason") or dispatch.state.get("error")
        return f"The peer could not do it: {reason}" if isinstance(reason, str) else "The peer could not do it."
    if dispatch.status in (DispatchState.ACCEPTED, DispatchState.DELIVERED):
        question = dispatch.state.get("question")
        if dispatch.state.get("status") == "input_required" and isinstance(question, str):
            return f"The agent asks the peer's staff: {question}"
        return "The peer works on it. This page follows it."
    return ""


def next_step(dispatch: Dispatch) -> SafeString | str:
    """Return the problem of a dispatch and what staff can do about it; empty for a dispatch without a problem."""
    why = dispatch.reason or dispatch.last_error
    if dispatch.status == DispatchState.REJECTED:
        return format_html(
            "<strong>The peer refused it{}</strong> Open its intent to dispatch it to another agent or peer{}.",
            f": {why}." if why else ".",
            ", or press Try again" if dispatch.dead_at else "",
        )
    if dispatch.dead_at and dispatch.put_away_at:
        return format_html("<strong>Staff put it away.</strong> {}", dispatch.put_away_reason)
    if dispatch.dead_at:
        return format_html(
            "<strong>The hub gave up after {}.</strong> {} Press Try again when the peer works again.",
            plural(dispatch.attempts, "attempt"),
            f"The last error: {why}." if why else "",
        )
    if dispatch.status != DispatchState.PENDING:
        return ""
    if dispatch.due_at is None:
        return format_html("<strong>It waits.</strong> {}", why or "The hub sends it when its peer is approved.")
    if dispatch.attempts:
        return format_html(
            "<strong>Attempt {} failed.</strong> {} The hub tries again {}.",
            dispatch.attempts,
            f"{why}." if why else "",
            time_until(dispatch.due_at),
        )
    return ""


def _made(dispatch: Dispatch) -> Fact:
    title = format_html("{} made and signed it", dispatch.created_by_name or "The hub")
    agent = dispatch.agent_id or "an agent that the peer chooses"
    return Fact(dispatch.created_at, "edit_square", title, f"For {agent}.")


def _attempts(dispatch: Dispatch) -> Iterator[Fact]:
    log = [entry for entry in dispatch.attempt_log if isinstance(entry, dict)]
    for entry in log:
        yield from _attempt(entry)
    if dispatch.delivered_at and not any(entry.get("status") for entry in log):
        # A callback came before the answer to the delivery, or the dispatch is older than the log.
        yield Fact(dispatch.delivered_at, "mark_email_read", "The peer has the work", NOT_KEPT if not log else "")


def _attempt(entry: JsonObject) -> Iterator[Fact]:
    at = parse_datetime(str(entry.get("at")))
    if at is None:
        return
    code = entry.get("code")
    answer = http_answer(code) if isinstance(code, int) else "no answer"
    title = f"Sent, attempt {entry.get('number')}: {answer} after {entry.get('milliseconds')} ms"
    error = str(entry.get("error") or "")
    yield Fact(at, "send", title, error, "bad" if error else "")
    if found := ANSWER_WORDS.get(str(entry.get("status"))):
        title, icon, tone = found
        yield Fact(at, icon, title, str(entry.get("message") or ""), tone)


def _reported(callback: InboundCallback, dispatch: Dispatch) -> Iterator[Fact]:
    kind = callback.event_type
    late = "" if callback.is_applied else " (only stored: the dispatch had ended before)"
    yield Fact(
        callback.received_at,
        CALLBACK_ICONS.get(kind, "circle"),
        f"{event_name(kind)}{late}",
        delta_body(callback.body),
        CALLBACK_TONES.get(kind, ""),
    )
    attestation = callback.body.get("attestation")
    if isinstance(attestation, dict):
        is_last = attestation == dispatch.attestation
        proof = (": signature verified" if dispatch.is_attested else ": not signed") if is_last else ""
        yield Fact(callback.received_at, "verified", f"Attestation{proof}", attestation_body(attestation))


def _given_up(dispatch: Dispatch) -> Iterator[Fact]:
    if dispatch.dead_at:
        yield Fact(dispatch.dead_at, "report", "The hub gave up", dispatch.reason or dispatch.last_error, "bad")
