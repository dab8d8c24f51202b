"""The causes for which the hub refuses a message of a peer: what each says to this hub's own staff, and what helps.

A refusal is known by the name of its class and, where one class has several causes, by a detail: a word out of a fixed
list, which the journal's line has in brackets. The sender gets neither. The texts are in the past tense: `since` tells
what has changed when staff read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from peers.protocol import DelegationFault
from peers.services.trust.proofs import BAD_TOKEN, NO_PROOF, TWO_TOKENS, Untrusted


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


class Place(StrEnum):
    """The page on which staff can change the cause; the value is the text of the link to it."""

    NONE = ""
    PEER = "Open the peer"
    APPROVE = "Approve…"
    KEYS = "The peer's keys"
    AGENT = "Agents' visibility"


@dataclass(frozen=True, slots=True)
class Why:
    """One cause: the check that refused, what it says, what staff can do about it, where, and in which field there."""

    step: Step
    said: str
    do: str
    place: Place = Place.NONE
    field: str = ""


DISABLED, FOREIGN, BLOCKED = "off", "foreign", "blocked"
OF_ADDRESS = "address"
PRIVATE, UNLISTED, NO_AGENT = "private", "unlisted", "none"

_ASK = "Ask the peer's staff: the message does not follow the protocol."
_CLOCKS = "Compare the clocks of the two hubs; the wrong one must be corrected."
_COMPARE = "Press Fetch documents on the peer's page, compare the key with the peer's staff, then approve it."
_ISSUE_ANOTHER = "Issue a new token on the peer's page, and give it to the peer's staff."
_SCOPE = "Ask the peer's staff to delegate the permissions anew, then to send the work again."

# The class of a refusal: the check that it belongs to, what it says, and what helps.
REASONS: Mapping[str, Why] = {
    "MalformedMessage": Why(Step.FORM, "The body is not a message that the hub can read.", _ASK),
    "MalformedJson": Why(Step.FORM, "The body is not JSON that the hub can read.", _ASK),
    "ValidationError": Why(Step.FORM, "A field of the message is missing or malformed.", _ASK),
    "ParseError": Why(Step.FORM, "The body is not JSON that the hub can read.", _ASK),
    "MessageTooLarge": Why(Step.FORM, "The body, or a part of it, is too large.", "Ask the peer's staff to send less."),
    "InvalidIdentifier": Why(Step.FORM, "A URL or an id in the message is malformed.", _ASK),
    "UnsupportedMediaType": Why(Step.FORM, "The body is not declared as JSON.", _ASK),
    "RequestDataTooBig": Why(Step.FORM, "The body is too large.", "Ask the peer's staff to send less."),
    "PayloadTooLargeError": Why(Step.FORM, "The body is too large.", "Ask the peer's staff to send less."),
    "LengthRequiredError": Why(Step.FORM, "The request does not say how long its body is.", _ASK),
    "ContentCodingError": Why(Step.FORM, "The body is compressed, which the hub does not take.", _ASK),
    "UnauthenticatedError": Why(
        Step.SIGNATURE,
        "The request has no proof of its sender, or a token that is not valid.",
        "If it is a peer that cannot sign, issue a token on its page.",
    ),
    "SignatureMissing": Why(
        Step.SIGNATURE,
        "The message was not signed, and staff required this peer to sign.",
        "Ask the peer's staff to sign, or take back “Requires signature” on the peer's page.",
        Place.PEER,
        "requires_signature",
    ),
    "SignatureMalformed": Why(Step.SIGNATURE, "The signature cannot be read.", _ASK),
    "SignatureMismatch": Why(
        Step.SIGNATURE,
        "No trusted key of the peer made the signature over this message.",
        f"The peer may have another key now. {_COMPARE}",
        Place.PEER,
    ),
    "ComponentNotCovered": Why(Step.SIGNATURE, "The HTTP signature does not cover a part that it must cover.", _ASK),
    "DigestMismatch": Why(
        Step.SIGNATURE, "The body is not the one that was signed.", "Something changed it on its way, such as a proxy."
    ),
    "AlgorithmRefused": Why(Step.SIGNATURE, "The signature names another algorithm than Ed25519.", _ASK),
    "UnknownKey": Why(
        Step.KEY, "The hub trusted no key of this signer, or no longer the one that signed.", _COMPARE, Place.PEER
    ),
    "InvalidKey": Why(Step.KEY, "The key that the request shows is malformed.", _ASK),
    "ForeignProofError": Why(
        Step.KEY,
        "The proofs hold, but they are of another peer than the message names.",
        "Ask the staff of both peers: one hub sends in the name of the other, or has a wrong URL of its own.",
    ),
    "RateLimitedError": Why(
        Step.RATE, "Too many requests in a short time.", "The sender tries again by itself after a minute."
    ),
    "PeerLimitedError": Why(
        Step.RATE,
        "The peer sent more requests than this hub takes from one peer in a minute.",
        "It tries again by itself after a minute. The setting FEDHUB_PEER_REQUESTS_PER_MINUTE has the limit.",
    ),
    "TooManyFailuresError": Why(
        Step.RATE, "Too many refused requests in a short time.", "See the refusals before this one."
    ),
    "NotTrustedError": Why(
        Step.PEER,
        "State, trust policy or relationship did not let this sender give work to this hub.",
        "See its state and relationship on the peer's page.",
        Place.PEER,
    ),
    "WrongTarget": Why(
        Step.TIME,
        "The message is signed for another server.",
        "Ask the peer's staff by which URL they know this hub; it must be the one on the page This hub.",
    ),
    "SignatureExpired": Why(Step.TIME, "The message, or its signature, is too old.", _CLOCKS),
    "SignatureNotYetValid": Why(
        Step.TIME, "The message, or its signature, is of the future: one of the clocks is wrong.", _CLOCKS
    ),
    "NonceReplayedError": Why(
        Step.COPY,
        "The signature was used before.",
        "A single copy is harmless. If more come, ask the peer's staff: somebody may repeat its requests.",
    ),
    "ConflictError": Why(
        Step.COPY,
        "The id was used before with another content.",
        "Ask the peer's staff to send the work as a new dispatch.",
    ),
    "BeforeRestoreError": Why(
        Step.RESTORE,
        "It was made before this hub was restored, and the hub does not know it.",
        "Compare with the peer's staff, then press Allow older envelopes on the peer's page.",
        Place.PEER,
    ),
    "InvalidRequestError": Why(
        Step.CALLBACK_URL,
        "Callbacks were not allowed to the URL that the message names.",
        "Ask the peer's staff for another URL, or add its origin to Callback origins on the peer's page.",
        Place.PEER,
        "callback_origins",
    ),
    "DelegationError": Why(
        Step.SCOPE, "The delegated permissions did not allow it, had ended or could not be verified.", _SCOPE
    ),
    "NotFoundError": Why(
        Step.AGENT,
        "The named agent did not exist, or the peer did not see it.",
        "See which agents the peer may see.",
        Place.AGENT,
    ),
}
UNPROVEN_SENDER = Why(
    Step.KEY,
    "The sender was unknown, or signed with a key that the hub did not trust.",
    "If you know the hub, open its page, compare its key and approve it.",
    Place.PEER,
)
NOT_FOR_SENDER = Why(
    Step.DISPATCH, "This hub did not send the dispatch to this sender.", "Ask the sender's staff why it reports on it."
)
NOT_FOUND_EITHER = "It names an agent or a dispatch that is not here, or not for this sender."
UNREADABLE = Why(Step.FORM, "The hub could not take such a message: it cannot be read, or the protocol was off.", _ASK)

_OF_STATE: Mapping[str, Why] = {
    Untrusted.UNKNOWN: Why(
        Step.KEY,
        "The hub did not know the sender.",
        "If you know that hub, compare its key and approve it. Otherwise there is nothing to do.",
        Place.PEER,
    ),
    Untrusted.PROPOSED: Why(
        Step.KEY,
        "The sender was a proposed peer, and staff had not approved its key yet.",
        "Compare the key with the peer's staff and approve the peer, or reject it.",
        Place.APPROVE,
    ),
    Untrusted.REJECTED: Why(
        Step.KEY,
        "Staff had rejected this peer.",
        "Press Propose again on the peer's page to undo this.",
        Place.PEER,
    ),
    Untrusted.SUSPENDED: Why(
        Step.PEER,
        "The peer was suspended, so the hub took nothing from it.",
        "Press Resume on the peer's page to undo this.",
        Place.PEER,
    ),
    Untrusted.RETIRED: Why(
        Step.PEER,
        "The peer was retired, so the hub took nothing from it.",
        "Press Propose again on the peer's page, then approve it.",
        Place.PEER,
    ),
    Untrusted.RELATIONSHIP: Why(
        Step.PEER,
        "The relationship was Downstream, so the hub took no work from this peer.",
        "Change the relationship on the peer's page to Peer or Upstream, if it may.",
        Place.PEER,
        "relationship",
    ),
    Untrusted.POLICY: Why(
        Step.PEER,
        "The hub's trust policy was trustless, so it took nothing from any peer.",
        "The setting FEDHUB_TRUST_POLICY says so.",
    ),
}
NAMES_PROPOSED = Why(
    Step.KEY,
    "It names a proposed peer, whose keys were not approved yet.",
    "Compare the key with the peer's staff and approve the peer, or reject it.",
    Place.APPROVE,
)
_OF_FAULT: Mapping[str, str] = {
    DelegationFault.MALFORMED: "The delegation token cannot be read.",
    DelegationFault.TOO_LARGE: "The delegation token is too large.",
    DelegationFault.TOO_LONG: "The permissions were passed on too many times.",
    DelegationFault.BROKEN_CHAIN: "The delegation tokens do not follow from each other.",
    DelegationFault.WILDCARD: "The delegated permissions ask for everything (*), which the hub does not take.",
    DelegationFault.WIDENED: "It needs a permission that was not delegated.",
    DelegationFault.DEPTH: "The permissions were passed on more often than they allow.",
    DelegationFault.WINDOW: "A delegation token outlives the one that it follows from.",
    DelegationFault.EXPIRED: "The time of the delegated permissions had ended.",
    DelegationFault.NOT_YET_VALID: "The time of the delegated permissions had not begun: one of the clocks is wrong.",
    DelegationFault.AUDIENCE: "The delegation token is meant for another hub.",
    DelegationFault.PRESENTER: "The delegation token was not given to this sender, or the sender did not sign.",
    DelegationFault.ROOT: "The delegated permissions begin at a hub that may not give them.",
    DelegationFault.REVOKED: "This hub had revoked the delegated permissions, or never gave them.",
    DelegationFault.UNKNOWN_KEY: "The hub trusted no key of a hub that passed the permissions on.",
    DelegationFault.SIGNATURE: "A delegation token is not signed by the hub that it names.",
}
_OF_DETAIL: Mapping[tuple[str, str], Why] = {
    **{("NotTrustedError", state): found for state, found in _OF_STATE.items()},
    **{
        ("DelegationError", fault): Why(Step.SCOPE, said, _CLOCKS if fault == DelegationFault.NOT_YET_VALID else _SCOPE)
        for fault, said in _OF_FAULT.items()
    },
    ("RateLimitedError", OF_ADDRESS): Why(
        Step.RATE,
        "Too many requests from this address were refused in a minute.",
        "See the refusals before this one. The setting FEDHUB_REFUSALS_PER_MINUTE has the limit.",
    ),
    ("InvalidRequestError", DISABLED): Why(
        Step.FORM,
        "The protocol between hubs was off here.",
        "The setting FEDHUB_ENABLED switches it on.",
    ),
    ("InvalidRequestError", FOREIGN): Why(
        Step.CALLBACK_URL,
        "The message wants its reports at a URL that was not on the peer's own address.",
        "If the peer's staff want it so, add the address to Callback origins on the peer's page.",
        Place.PEER,
        "callback_origins",
    ),
    ("InvalidRequestError", BLOCKED): Why(
        Step.CALLBACK_URL,
        "The message wants its reports at a URL that this hub never requests.",
        "Ask the peer's staff for a public address. The setting FEDHUB_ALLOWED_NETWORKS permits others.",
    ),
    ("UnauthenticatedError", NO_PROOF): Why(
        Step.SIGNATURE,
        "The request has neither a signature nor a token.",
        "Ask the peer's staff to sign; if the peer cannot sign, issue a token on its page.",
        Place.PEER,
    ),
    ("UnauthenticatedError", BAD_TOKEN): Why(
        Step.SIGNATURE,
        "The token was unknown, revoked or past its end, or its peer was not approved.",
        _ISSUE_ANOTHER,
        Place.PEER,
    ),
    ("UnauthenticatedError", TWO_TOKENS): Why(Step.SIGNATURE, "The request has two different tokens.", _ASK),
}
# What is known of the agent that was not found; `{}` is its id.
AGENTS: Mapping[str, Why] = {
    NO_AGENT: Why(
        Step.AGENT,
        "This hub had no agent {}.",
        "Tell the peer's staff which agents it may use; its list of this hub's agents may be old.",
        Place.NONE,
    ),
    PRIVATE: Why(
        Step.AGENT,
        "The agent {} was private: no peer saw it.",
        "Make it unlisted or public, if the peer may use it.",
        Place.AGENT,
    ),
    UNLISTED: Why(
        Step.AGENT,
        "The agent {} was unlisted: only approved peers saw it.",
        "Approve the peer, or make the agent public.",
        Place.AGENT,
    ),
}


def why(
    reason: str, detail: str = "", *, is_proven: bool, is_report: bool = False, agent: tuple[str, str] = ("", "")
) -> Why | None:
    """Return why a message was refused, by the class of its refusal; None for a class that belongs to no check.

    `is_proven` tells whether the sender was proved, `is_report` whether the message was a report on a dispatch, and
    `agent` is the id of the agent that was not found with what is known of it: a key of AGENTS or "".
    """
    found = _OF_DETAIL.get((reason, detail)) or REASONS.get(reason)
    if found is None:
        return None
    if reason == "NotFoundError":
        if is_report:
            return NOT_FOR_SENDER
        agent_id, known = agent
        if of_agent := AGENTS.get(known):
            return Why(of_agent.step, of_agent.said.format(agent_id), of_agent.do, of_agent.place)
    if is_proven or found.step in (Step.FORM, Step.SIGNATURE, Step.KEY, Step.RATE):
        return found
    return _before_proof(found, detail)


def _before_proof(found: Why, detail: str) -> Why:
    """Return what a refusal means where no proof held, so that no later check was made."""
    if found.step == Step.PEER:
        if detail == Untrusted.NAMES_PROPOSED:
            return NAMES_PROPOSED
        return Why(Step.KEY, found.said, found.do, found.place) if detail else UNPROVEN_SENDER
    if found.step in (Step.CALLBACK_URL, Step.SCOPE):
        return UNREADABLE
    return Why(Step.SIGNATURE, found.said, found.do, found.place)
