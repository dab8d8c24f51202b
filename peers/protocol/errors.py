"""The errors of the protocol, one class for each reaction of a caller.

Every parser and verifier of this package returns a value or raises a ProtocolError, which is a ValueError; it raises
no other error. `status_hint` is the HTTP status of the refusal. The message is written for the log.
"""

from enum import StrEnum

from core.malformed_input import InvalidIdentifier, MalformedMessage, MessageTooLarge, ProtocolError

__all__ = [
    "AlgorithmRefused",
    "ComponentNotCovered",
    "DelegationError",
    "DelegationFault",
    "DigestMismatch",
    "InvalidIdentifier",
    "InvalidKey",
    "MalformedMessage",
    "MessageTooLarge",
    "ProtocolError",
    "SignatureExpired",
    "SignatureMalformed",
    "SignatureMismatch",
    "SignatureMissing",
    "SignatureNotYetValid",
    "UnknownKey",
    "VerificationError",
    "WrongTarget",
]


class InvalidKey(MalformedMessage):
    """Key material is absent, has another format, or is unsafe."""


class VerificationError(ProtocolError):
    """A proof is not valid."""

    status_hint = 401


class SignatureMissing(VerificationError):
    """A required signature is absent."""


class SignatureMalformed(VerificationError):
    """A signature, or the fields that describe it, cannot be read."""


class SignatureMismatch(VerificationError):
    """None of the keys made the signature over these bytes."""


class SignatureExpired(VerificationError):
    """The signature is too old, or its own expiry has passed."""


class SignatureNotYetValid(VerificationError):
    """The time of the signature is further in the future than two clocks may differ."""


class ComponentNotCovered(VerificationError):
    """The signature does not cover a required component (RFC 9421, section 3.2)."""

    def __init__(self, component: str) -> None:
        super().__init__(f"the signature does not cover {component}")
        self.component = component


class DigestMismatch(VerificationError):
    """Content-Digest is absent, unreadable or belongs to other content (RFC 9530, section 2)."""


class AlgorithmRefused(VerificationError):
    """The signature names another algorithm than Ed25519."""


class UnknownKey(VerificationError):
    """The verifier knows no key of the signer."""


class WrongTarget(VerificationError):
    """The signed message names another server as its target."""


class DelegationFault(StrEnum):
    """The reason for the refusal of a delegation, as a DelegationError carries it in `fault`."""

    MALFORMED = "malformed"
    TOO_LARGE = "too large"
    TOO_LONG = "too many links"
    BROKEN_CHAIN = "broken chain"
    WILDCARD = "wildcard permission"
    WIDENED = "wider than its parent"
    DEPTH = "depth exceeded"
    WINDOW = "outlives its parent"
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    AUDIENCE = "wrong audience"
    PRESENTER = "presented by another"
    ROOT = "foreign root"
    REVOKED = "revoked"
    UNKNOWN_KEY = "unknown key"
    SIGNATURE = "bad signature"


class DelegationError(ProtocolError):
    """A delegation is refused, for the reason `fault`.

    `link` is the number of the faulty token, 0 for the root of the chain, None if the fault is not in one token.
    """

    status_hint = 403

    def __init__(self, fault: DelegationFault, message: str, *, link: int | None = None) -> None:
        super().__init__(message if link is None else f"link {link}: {message}")
        self.fault = fault
        self.link = link
