"""The checks of a message from a peer, in the order in which the hub makes them, and their outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """One check; the value is its name for people."""

    FORM = "Form"
    DISPATCH = "Dispatch"
    SIGNATURE = "Signature"
    KEY = "Key"
    RATE = "Rate limit"
    PEER = "Peer's state"
    TIME = "Target and time"
    COPY = "Copy"
    RESTORE = "Restore"
    CALLBACK_URL = "Callback URL"
    SCOPE = "Scope"
    POLICY = "Policy"
    AGENT = "Agent's visibility"
    BUDGET = "Budget"
    ROOM = "Room"


class Outcome(StrEnum):
    """The outcome of a check; the value is its word for people."""

    PASSED = "Passed"
    REFUSED = "Refused"
    NOT_REACHED = "Not reached"
    NOT_STORED = "Not stored"


@dataclass(frozen=True, slots=True)
class Check:
    """One check of one message: its name, its outcome, and the value that decided, as a sentence."""

    name: str
    outcome: Outcome
    value: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a line of the journal says of a refused message.

    `reason` is the class of the refusal, `is_proven` tells whether the sender was proved, and `is_report` whether the
    message was a callback about a dispatch of this hub.
    """

    reason: str
    is_proven: bool
    is_report: bool = False


WORK_STEPS = tuple(step for step in Step if step != Step.DISPATCH)
REPORT_STEPS = (
    Step.FORM, Step.DISPATCH, Step.SIGNATURE, Step.KEY, Step.RATE, Step.PEER, Step.COPY, Step.SCOPE,
)  # fmt: skip

# The class of a refusal, the check that it belongs to, and what it says.
REASONS: Mapping[str, tuple[Step, str]] = {
    "MalformedMessage": (Step.FORM, "The body is not a message that the hub can read."),
    "MalformedJson": (Step.FORM, "The body is not JSON that the hub can read."),
    "ValidationError": (Step.FORM, "A field of the message is missing or malformed."),
    "ParseError": (Step.FORM, "The body is not JSON that the hub can read."),
    "MessageTooLarge": (Step.FORM, "The body, or a part of it, is too large."),
    "InvalidIdentifier": (Step.FORM, "A URL or an id in the message is malformed."),
    "UnsupportedMediaType": (Step.FORM, "The body is not declared as JSON."),
    "RequestDataTooBig": (Step.FORM, "The body is too large."),
    "UnauthenticatedError": (Step.SIGNATURE, "The request has no proof of its sender, or a token that is not valid."),
    "SignatureMissing": (Step.SIGNATURE, "The message is not signed, and staff require this peer to sign."),
    "SignatureMalformed": (Step.SIGNATURE, "The signature cannot be read."),
    "SignatureMismatch": (Step.SIGNATURE, "No trusted key of the peer made the signature over this message."),
    "ComponentNotCovered": (Step.SIGNATURE, "The HTTP signature does not cover a part that it must cover."),
    "DigestMismatch": (Step.SIGNATURE, "The body is not the one that was signed."),
    "AlgorithmRefused": (Step.SIGNATURE, "The signature names another algorithm than Ed25519."),
    "UnknownKey": (Step.KEY, "The hub trusts no key of this signer, or no longer the one that signed."),
    "InvalidKey": (Step.KEY, "The key that the request shows is malformed."),
    "ForeignProofError": (Step.KEY, "The proofs hold, but they are of another peer than the message names."),
    "RateLimitedError": (Step.RATE, "Too many requests in a short time."),
    "TooManyFailuresError": (Step.RATE, "Too many refused requests in a short time."),
    "NotTrustedError": (
        Step.PEER,
        "State, trust policy or relationship does not let this sender give work to this hub.",
    ),
    "WrongTarget": (Step.TIME, "The message is signed for another server."),
    "SignatureExpired": (Step.TIME, "The message, or its signature, is too old."),
    "SignatureNotYetValid": (Step.TIME, "The message, or its signature, is of the future: one of the clocks is wrong."),
    "NonceReplayedError": (Step.COPY, "The signature was used before."),
    "ConflictError": (Step.COPY, "The id was used before with another content."),
    "BeforeRestoreError": (Step.RESTORE, "It was made before this hub was restored, and the hub does not know it."),
    "InvalidRequestError": (Step.CALLBACK_URL, "Callbacks may not go to the URL that the message names."),
    "DelegationError": (Step.SCOPE, "The delegated permissions do not allow it, have ended or cannot be verified."),
    "NotFoundError": (Step.AGENT, "The named agent does not exist, or the peer may not see it."),
}
UNPROVEN_SENDER = "The sender is unknown, or signed with a key that the hub does not trust."
NOT_FOR_SENDER = "This hub did not send the dispatch to this sender."
NOT_FOUND_EITHER = "It names an agent or a dispatch that is not here, or not for this sender."
UNREADABLE = "The hub cannot take such a message: it cannot be read, or the protocol is off."
UNKNOWN_REASON = "The journal names a reason that belongs to no check."
EARLIER = "Not stored: the limit is kept in memory, before or after any other check."


def checks_of_refusal(refusal: Refusal, values: Mapping[Step, str]) -> list[Check]:
    """Return the checks of a refused message; `values` are further facts that are stored about a check."""
    steps = REPORT_STEPS if refusal.is_report else WORK_STEPS
    step, said = _decided_by(refusal)
    if step is None:
        return [Check(each, Outcome.NOT_STORED, f"{refusal.reason}: {UNKNOWN_REASON}") for each in steps[:1]]
    if step == Step.RATE:
        return [
            Check(each, *((Outcome.REFUSED, said) if each == step else (Outcome.NOT_STORED, EARLIER))) for each in steps
        ]
    return trace(steps, step, {**values, step: " ".join(filter(None, (said, values.get(step, ""))))})


def trace(steps: Sequence[Step], refused_by: Step | None, values: Mapping[Step, str]) -> list[Check]:
    """Return the checks up to the one that refused, if there is one, as passed, and the later ones as not reached."""
    end = steps.index(refused_by) if refused_by else len(steps)
    found = []
    for place, step in enumerate(steps):
        if place > end:
            found.append(Check(step, Outcome.NOT_REACHED))
        else:
            outcome = Outcome.REFUSED if step == refused_by else Outcome.PASSED
            found.append(Check(step, outcome, values.get(step, "")))
    return found


def _decided_by(refusal: Refusal) -> tuple[Step | None, str]:
    """Return the check that refused, and what it says."""
    step, said = REASONS.get(refusal.reason, (None, ""))
    if refusal.is_report and refusal.reason == "NotFoundError":
        return Step.DISPATCH, NOT_FOR_SENDER
    if step is None or refusal.is_proven or step in (Step.FORM, Step.SIGNATURE, Step.KEY, Step.RATE):
        return (step, said) if not refusal.is_report or step in (None, *REPORT_STEPS) else (Step.FORM, said)
    # Without a proof no later check was made: the class names a part of the proof.
    if step == Step.PEER:
        return Step.KEY, UNPROVEN_SENDER
    return (Step.FORM, UNREADABLE) if step in (Step.CALLBACK_URL, Step.SCOPE) else (Step.SIGNATURE, said)
