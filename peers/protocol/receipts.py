"""Receipts of ended dispatches, signed by both hubs; docs/protocol-extensions.md defines the forms.

The hub that did the work signs a receipt and sends it in a header of the callback that ends the work. The hub that
dispatched it compares the receipt with its own book, and answers with a countersignature, which names the members that
its book has otherwise.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Self

from core.strict_json import JsonObject, parse_json_object
from peers.protocol.base_encodings import decode_base64url, encode_base64, encode_base64url
from peers.protocol.did import is_same_did
from peers.protocol.ed25519_keys import SigningKey, VerificationKey, decode_signature
from peers.protocol.errors import MalformedMessage, SignatureMismatch, UnknownKey
from peers.protocol.jcs import MAX_INTEGER, jcs_bytes, jcs_digest

RECEIPT_HEADER = "Fedhub-Receipt"
COUNTERSIGNATURE_HEADER = "Fedhub-Receipt-Countersignature"
MAX_HEADER_CHARS: Final = 4096
MAX_MEMBER_CHARS = 500
COMPARED = ("dispatch", "sender", "receiver", "intent", "delegation", "decision", "outcome", "result", "usage")
"""The members of a receipt that both hubs know; `policy` is the receiver's own, composed of both hubs' policies."""


@dataclass(frozen=True, slots=True)
class _Signed:
    """The base of both records: texts and one integer, signed by a key that the record names."""

    def signed(self, key: SigningKey) -> Self:
        """Return the record with a signature by `key`, which becomes the key that it names."""
        values: dict[str, Any] = {"key": key.verification_key.multibase, "signature": ""}
        unsigned = replace(self, **values)
        values = {"signature": encode_base64(key.sign(jcs_bytes(unsigned._record(without="signature"))))}
        return replace(unsigned, **values)

    def verify(self, keys: Iterable[VerificationKey]) -> None:
        """Verify the signature; raises UnknownKey unless `keys` has the named key, SignatureMismatch."""
        record = self._record()
        key = next((key for key in keys if key.multibase == record["key"]), None)
        if key is None:
            raise UnknownKey("the key of the receipt is not trusted")
        if not key.is_signed(jcs_bytes(self._record(without="signature")), decode_signature(str(record["signature"]))):
            raise SignatureMismatch("the key that the receipt names did not sign it")

    @property
    def digest(self) -> str:
        """Return the digest of the record with its signature, in hex."""
        return jcs_digest(self._record())

    def to_dict(self) -> JsonObject:
        """Return the wire form."""
        return {**self._record()}

    def to_header(self) -> str:
        """Return the header's value: base64url of the canonical bytes."""
        return encode_base64url(jcs_bytes(self._record()))

    @classmethod
    def from_dict(cls, data: object) -> Self:
        """Read the wire form, which has exactly the members of this version; raises MalformedMessage."""
        names = {field.name: field.type for field in fields(cls)}
        if not isinstance(data, dict) or data.keys() != {"type", *names} or data["type"] != cls._type():
            raise MalformedMessage(f"not a {cls._type()}")
        for name in names:
            value = data[name]
            if name == "position":
                if type(value) is not int or not 0 <= value <= MAX_INTEGER:
                    raise MalformedMessage("position is not an integer of 0 or more")
            elif not isinstance(value, str) or len(value) > MAX_MEMBER_CHARS:
                raise MalformedMessage(f"{name} is not a text of at most {MAX_MEMBER_CHARS} characters")
        return cls(**{name: data[name] for name in names})

    @classmethod
    def from_header(cls, text: str) -> Self:
        """Read the header's value; raises MalformedMessage."""
        if len(text) > MAX_HEADER_CHARS:
            raise MalformedMessage(f"the receipt is longer than {MAX_HEADER_CHARS} characters")
        return cls.from_dict(parse_json_object(decode_base64url(text)))

    @classmethod
    def _type(cls) -> str:
        raise NotImplementedError

    def _record(self, *, without: str = "") -> dict[str, str | int]:
        members = {field.name: getattr(self, field.name) for field in fields(self) if field.name != without}
        return {"type": self._type(), **members}


@dataclass(frozen=True, slots=True)
class Receipt(_Signed):
    """What became of one dispatch, as one hub's book has it.

    `by` is `receiver` for the hub that did the work, or `sender` for a hub whose peer makes no receipts. `sender` and
    `receiver` are the DIDs of the two hubs. `intent`, `result` and `usage` are the digests of the envelope, of the
    callback that ended the work and of its usage; `delegation` is that of the root token, `policy` that of the
    effective policy; each is "" where there is none. `log` and `position` are the place of the dispatch in the
    signer's federation log, position 0 before its sealing.
    """

    by: str
    dispatch: str
    sender: str
    receiver: str
    intent: str
    delegation: str
    policy: str
    decision: str
    outcome: str
    result: str
    usage: str
    log: str
    position: int
    at: str
    key: str = ""
    signature: str = ""

    @classmethod
    def _type(cls) -> str:
        return "fedhub-receipt/1"

    def differing(self, other: "Receipt") -> tuple[str, ...]:
        """Return the names of the members that another book has otherwise."""
        theirs = {name: getattr(other, name) for name in COMPARED}
        return tuple(name for name in COMPARED if not _is_equal(name, getattr(self, name), theirs[name]))


@dataclass(frozen=True, slots=True)
class Countersignature(_Signed):
    """The sender's answer to a receipt: the digest of the receipt, and the members that the sender's book differs in.

    `differs` are their names, separated by blanks, "" if the two books agree. `signer` is the sender's DID.
    """

    receipt: str
    signer: str
    differs: str
    log: str
    position: int
    at: str
    key: str = ""
    signature: str = ""

    @classmethod
    def _type(cls) -> str:
        return "fedhub-receipt-countersignature/1"


def _is_equal(name: str, one: str, other: str) -> bool:
    return is_same_did(one, other) if name in ("sender", "receiver") else one == other
