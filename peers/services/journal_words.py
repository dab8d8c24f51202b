"""The texts of the journal as people read them: without the names of classes, of events, and the codes of answers.

A line keeps the text that it was sealed with; pages show this one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from peers.models import JournalKind
from peers.protocol import CallbackEventType
from peers.services.answer_words import in_words
from peers.services.inbox.explain.refused_lines import read_line

REPORTS: Mapping[str, str] = {
    CallbackEventType.STATE_DELTA: "progress",
    CallbackEventType.STATUS_CHANGED: "a changed state of the work",
    CallbackEventType.ATTESTATION: "an attestation",
    CallbackEventType.BUDGET_WARNING: "a budget warning",
    CallbackEventType.COMPLETED: "that the work is completed",
    CallbackEventType.FAILED: "that the work ended without an answer",
}
# As `delivery` and `dead_letters` write them.
_REPORTED = re.compile(r"Reported (?P<event>[a-z_]+)")
_NOT_REPORTED = re.compile(r"(?P<event>[a-z_]+) is not reported: (?P<why>.*)", re.DOTALL)
_REPORT_FAILED = re.compile(r"(?P<event>[a-z_]+): (?P<what>Attempt \d+ failed): (?P<error>.*)", re.DOTALL)
_SEND_FAILED = re.compile(
    r"(?P<what>Attempt \d+ failed|Refused|Given up after \d+ attempts?): (?P<error>.*)", re.DOTALL
)
# As `inbox.callbacks.apply` writes the report of a peer.
_TAKEN = re.compile(rf"(?P<event>{'|'.join(REPORTS)})(?P<rest> after the end, only noted)?")
# As `services.trust.peers` writes the states before and after a decision.
_DECIDED = re.compile(r"(?P<before>[a-z]+) -> (?P<after>[a-z]+)")


def line_words(kind: str, text: str) -> str:
    """Return the text of a line of this kind for people; a text without codes stays as it is."""
    if kind == JournalKind.REFUSED:
        line = read_line(text)
        return line.words if line else text
    if kind == JournalKind.CALLBACK and (found := _REPORTED.fullmatch(text)):
        return f"Reported {REPORTS.get(found['event'], found['event'])}"
    if kind == JournalKind.CALLBACK and (found := _TAKEN.fullmatch(text)):
        return f"The peer reported {REPORTS[found['event']]}{found['rest'] or ''}"
    if kind == JournalKind.CALLBACK and (found := _NOT_REPORTED.fullmatch(text)):
        return f"Not reported, {REPORTS.get(found['event'], found['event'])}: {found['why']}"
    if kind == JournalKind.CALLBACK and (found := _REPORT_FAILED.fullmatch(text)):
        event = REPORTS.get(found["event"], found["event"])
        return f"Report of {event.removeprefix('that ')}. {found['what']}: {in_words(found['error'], is_report=True)}"
    if kind in (JournalKind.CALLBACK, JournalKind.DISPATCH) and (found := _SEND_FAILED.fullmatch(text)):
        return f"{found['what']}: {in_words(found['error'], is_report=kind == JournalKind.CALLBACK)}"
    if kind == JournalKind.PEER and (found := _DECIDED.fullmatch(text)):
        return f"{found['before']} → {found['after']}"
    return _with_errors_in_words(text)


def _with_errors_in_words(text: str) -> str:
    head, found, error = text.partition("could not be fetched: ")
    return f"{head}{found}{in_words(error)}" if found else text
