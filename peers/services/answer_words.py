"""What the errors of requests to peers mean, in sentences for staff, and what staff can do about each.

The hub stores the error of a request as the peer or the network gave it. Pages show its meaning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from peers.services.inbox.explain.causes import REASONS
from peers.services.outbox.dispatch import NO_WORK_FOR_PEER
from peers.services.trust.held_work import AWAITING_APPROVAL, NOT_ENABLED, reason_of_state

TRY_AGAIN = "Press Try again when the peer works again."
ASK_AND_TRY = "Ask the peer's staff, then press Try again."
OTHER_TARGET = "Ask the peer's staff to show it, then press Try again; or dispatch the intent to another agent."
_HTTP = re.compile(r"(?:HTTP )?(?P<code>[1-5]\d\d): ?(?P<body>.*)", re.DOTALL)
_MESSAGE = re.compile(r'"message": ?"(?P<text>(?:[^"\\]|\\.)*)')
_BEFORE = "the last attempt: "


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an error says, as a sentence; the step that staff can take; and the peer's own words, "" for none."""

    said: str
    step: str = TRY_AGAIN
    quoted: str = ""

    def __str__(self) -> str:
        return self.said


# A part of a transport's error, and its meaning. The first part that an error contains counts.
_OF_NETWORK: tuple[tuple[str, Meaning], ...] = (
    ("onnection refused", Meaning("The peer does not answer: nothing listens at its address.")),
    ("no complete answer", Meaning("The peer did not answer in time.")),
    ("not resolve", Meaning("The peer's name leads to no address.", "Check the peer's URL, then press Try again.")),
    ("has no address", Meaning("The peer's name leads to no address.", "Check the peer's URL, then press Try again.")),
    ("certificate", Meaning("The peer's certificate is not valid.", ASK_AND_TRY)),
    ("unreachable", Meaning("The network does not lead to the peer.")),
    ("no answer", Meaning("The peer ended the connection without an answer.")),
)
NOT_APPROVED = Meaning(
    "The peer has not approved this hub yet, or trusts another key of it.",
    "Ask the peer's staff to compare this hub's fingerprint and to approve it, then press Try again.",
)
_OTHER_KEY = Meaning(
    "The peer trusts another key of this hub than the one that signed.",
    "Ask the peer's staff to compare this hub's fingerprint and to approve the key, then press Try again.",
)
_CLOCK = Meaning("The clocks of the two hubs differ too much.", "Correct the wrong clock, then press Try again.")
_CHANGED = Meaning("Something changed the message on its way, such as a proxy.", ASK_AND_TRY)
_NOT_READ = Meaning("The peer cannot read this hub's signature.", ASK_AND_TRY)
# The class of a refusal, as a peer of this program names it.
_OF_REASON = {
    "UnknownKey": NOT_APPROVED,
    "SignatureMismatch": _OTHER_KEY,
    "SignatureExpired": _CLOCK,
    "SignatureNotYetValid": _CLOCK,
    "DigestMismatch": _CHANGED,
    "SignatureMalformed": _NOT_READ,
    "ComponentNotCovered": _NOT_READ,
    "AlgorithmRefused": _NOT_READ,
    "WrongTarget": Meaning("The peer knows itself by another URL than this hub does.", "Check the peer's URL."),
    "NonceReplayed": Meaning("The peer got this very message before.", ASK_AND_TRY),
    "InvalidIdentifier": Meaning("The peer finds a URL or an id in the message malformed.", ASK_AND_TRY),
    "MessageTooLarge": Meaning("The message is too large for the peer.", "Dispatch a shorter intent."),
}
# A part of a peer's sentence, in small letters, and its meaning. The first part that it contains counts.
_OF_SENTENCE: tuple[tuple[str, Meaning], ...] = (
    ("federation not enabled", Meaning("The peer has switched the protocol between hubs off.", ASK_AND_TRY)),
    (
        "invalid callback url",
        Meaning("The peer does not report to the callback address of this hub.", ASK_AND_TRY),
    ),
    (
        "not trusted",
        Meaning(
            "The peer takes no work from this hub: it has not approved this hub, has suspended it, or lets work go in "
            "the other direction alone.",
            ASK_AND_TRY,
        ),
    ),
    (
        "invalid or missing api key",
        Meaning(
            "The peer wants a valid key from this hub.",
            "Ask the peer's staff for one, press Outbound key on the peer's page, then press Try again.",
        ),
    ),
)
_REPORT_NOT_TRUSTED = Meaning(
    "The peer takes no reports from this hub: it has suspended or retired this hub, or no longer approves it.",
    ASK_AND_TRY,
)
_OF_TERMS: Mapping[str, Meaning] = {
    "budget constraints too restrictive": Meaning(
        "Its limits leave no room for any work: one of them is 0.", "Dispatch the intent with higher limits."
    ),
    "pieces of work of this hub wait for agents already": Meaning(
        "Too much work of this hub waits for the peer's agents.", "Press Try again later."
    ),
}
_OF_STATUS = {
    401: Meaning("The peer cannot tell that the message is from this hub.", ASK_AND_TRY),
    403: Meaning("The peer does not permit this.", ASK_AND_TRY),
    404: Meaning("The peer takes no messages at this address.", "Check the peer's URL, then press Try again."),
    409: Meaning("The peer has got another message with the same id.", "Dispatch the intent once more."),
    408: Meaning("The message did not reach the peer whole in time."),
    413: Meaning("The message is too large for the peer.", "Dispatch a shorter intent."),
    422: Meaning("The peer cannot read a part of the message.", ASK_AND_TRY),
    425: Meaning(
        "The peer was restored from a backup and cannot tell yet whether it has this work.",
        "Wait: the hub tries again.",
    ),
    429: Meaning("The peer asks this hub to wait: it got too many requests.", "Wait, then press Try again."),
}


_OF_HOLDS: Mapping[str, Meaning] = {
    AWAITING_APPROVAL: Meaning("The target is not an approved peer.", "Approve it, and the hub sends the work."),
    NOT_ENABLED: Meaning("The protocol between hubs is off here.", "The setting FEDHUB_ENABLED switches it on."),
    NO_WORK_FOR_PEER: Meaning(
        "The relationship is Upstream, so this peer gets no work.",
        "Change the relationship on the peer's page, and the hub sends the work.",
    ),
    reason_of_state("suspended"): Meaning(
        "The peer is suspended here.", "Press Resume on the peer's page, and the hub sends the work."
    ),
    reason_of_state("retired"): Meaning(
        "The peer is retired here.", "Press Propose again on the peer's page, then approve it."
    ),
}


def meaning_of(error: str, *, is_report: bool = False) -> Meaning | None:
    """Return the meaning of a stored error; None for a text that is a sentence already.

    `is_report` tells that the request brought a report about the peer's work, and not work.
    """
    error = error.rpartition(_BEFORE)[2]
    if found := _HTTP.match(error):
        return _of_http(int(found["code"]), _message_in(found["body"]), is_report=is_report)
    if error in _OF_HOLDS:
        return _OF_HOLDS[error]
    if terms := next((meaning for part, meaning in _OF_TERMS.items() if part in error), None):
        return terms
    return next((meaning for part, meaning in _OF_NETWORK if part in error), None)


def in_words(error: str, *, is_report: bool = False) -> str:
    """Return the meaning of a stored error with the peer's own words; a text that is a sentence already stays.

    `is_report` tells that the request brought a report about the peer's work, and not work.
    """
    meaning = meaning_of(error, is_report=is_report)
    if meaning is None:
        return error
    return f"{meaning.said} It wrote: “{meaning.quoted}”." if meaning.quoted else meaning.said


def _of_http(code: int, message: str, *, is_report: bool = False) -> Meaning:
    if message in _OF_REASON:
        return _OF_REASON[message]
    if message in REASONS:
        # The name of a class says something to a program only.
        message = ""
    if code == HTTPStatus.NOT_FOUND and is_report and "dispatch" in message.lower():
        return Meaning("The peer does not know that it sent this work to this hub.", ASK_AND_TRY)
    if code == HTTPStatus.NOT_FOUND and "agent" in message.lower():
        return Meaning("The peer has no such agent, or does not show it to this hub.", OTHER_TARGET)
    if code == HTTPStatus.FORBIDDEN and is_report and "not trusted" in message.lower():
        return _REPORT_NOT_TRUSTED
    if code < HTTPStatus.INTERNAL_SERVER_ERROR:
        known_sentence = next((meaning for part, meaning in _OF_SENTENCE if part in message.lower()), None)
        if known_sentence is not None:
            return known_sentence
    if 300 <= code < 400:
        return Meaning(f"The peer has {message}.", "Then press Send work there.")
    known = _OF_STATUS.get(code)
    if known is None:
        is_own_fault = code >= HTTPStatus.INTERNAL_SERVER_ERROR
        known = (
            Meaning(f"The peer's hub fails with {_phrase(code)}.")
            if is_own_fault
            else Meaning(f"The peer refused the message with {_phrase(code)}.", ASK_AND_TRY)
        )
    return Meaning(known.said, known.step, message)


def _message_in(body: str) -> str:
    """Return the text for people in the body of a refusal, which may be cut; "" for a page of HTML and for none."""
    text = body.strip()
    if not text.startswith("{"):
        return "" if text.startswith("<") else text.rstrip(".")
    try:
        found = json.loads(text).get("message")
    except ValueError:
        cut = _MESSAGE.search(text)
        found = cut["text"] if cut else ""
    return found.rstrip(".") if isinstance(found, str) else ""


def _phrase(code: int) -> str:
    known = {int(status): status.phrase for status in HTTPStatus}
    return f"{code} {known.get(code, '')}".strip()
