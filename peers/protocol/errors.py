"""What the protocol refuses, by what the caller can do about it.

Every parser and verifier of this package returns a value or raises a ProtocolError, which is a ValueError,
and nothing else. `status_hint` is the HTTP status that suits the refusal; the message is for the log.
"""

from enum import StrEnum

from core.malformed import InvalidIdentifier, MalformedMessage, MessageTooLarge, ProtocolError

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
    """Key material that is absent, of another format, or unsafe to trust."""


class VerificationError(ProtocolError):
    """A proof that does not hold."""

    status_hint = 401


class SignatureMissing(VerificationError):
    """No signature where one is required."""


class SignatureMalformed(VerificationError):
    """A signature, or the fields that describe it, cannot be read."""


class SignatureMismatch(VerificationError):
    """The signature was not made over these bytes by any of these keys."""


class SignatureExpired(VerificationError):
    """Signed too long ago, or past its own end."""


class SignatureNotYetValid(VerificationError):
    """Signed further in the future than clocks may differ."""


class ComponentNotCovered(VerificationError):
    """The signature leaves out a component that must be signed (RFC 9421, section 3.2)."""

    def __init__(self, component: str) -> None:
        super().__init__(f"the signature does not cover {component}")
        self.component = component


class DigestMismatch(VerificationError):
    """Content-Digest is absent, unreadable or of other content (RFC 9530, section 2)."""


class AlgorithmRefused(VerificationError):
    """An algorithm other than Ed25519."""


class UnknownKey(VerificationError):
    """No key is known for the signer."""


class WrongTarget(VerificationError):
    """Signed for another server."""


class DelegationFault(StrEnum):
    """Why a delegation is refused."""

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
    """A delegation that is not allowed.

    `link` counts from 0, the root of the chain; it is None where no single link is at fault.
    """

    status_hint = 403

    def __init__(self, fault: DelegationFault, message: str, *, link: int | None = None) -> None:
        super().__init__(message if link is None else f"link {link}: {message}")
        self.fault = fault
        self.link = link
