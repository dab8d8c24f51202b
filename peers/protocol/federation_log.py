"""The federation log on the wire: the hash chain of a hub's journal, and signed checkpoints of the chain.

docs/protocol-extensions.md defines the forms. An entry's hash covers the entry's content, its position and the hash of
the entry before. A checkpoint names the position and the hash of the last entry of a batch; the hub signs it. Each
checkpoint also covers the digest of the checkpoint before, so that the newest signature covers all earlier batches with
their keys and signatures.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

from core.strict_json import JsonObject, parse_json_object
from peers.protocol.base_encodings import decode_base64url, encode_base64, encode_base64url
from peers.protocol.did import is_same_did
from peers.protocol.ed25519_keys import SigningKey, VerificationKey, decode_signature
from peers.protocol.errors import MalformedMessage, ProtocolError, SignatureMismatch, UnknownKey
from peers.protocol.jcs import MAX_INTEGER, jcs_bytes, jcs_digest

CHECKPOINT_HEADER = "Fedhub-Log-Checkpoint"
ENTRY_TYPE = "fedhub-log-entry/1"
CHECKPOINT_TYPE = "fedhub-log-checkpoint/1"
EXCHANGE_TYPE = "fedhub-log-exchange/1"
EXCHANGE_PATH = "/api/v1/federation/log/checkpoints"
GENESIS: Final = "0" * 64
"""The hash before the first entry, and the digest before the first checkpoint."""

LOG_BEGINS: Final = "log"
"""The kind of the entry with which a hub begins another log; its digest is that of the last checkpoint before."""

MAX_HEADER_CHARS = 2048
MAX_EXCHANGE_BYTES = 8 * 1024
MAX_DID_CHARS = 500
MAX_AHEAD_SECONDS = 300

_TEXTS = ("log", "did", "hash", "at", "key", "previous", "signature")
_NUMBERS = ("batch", "position")
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LOG_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of the journal as the chain covers it.

    `at` is RFC 3339 in UTC with six decimals. `digest` is the SHA-256, in hex, of the message that the line is about,
    or "".
    """

    id: str
    at: str
    kind: str
    peer: str
    dispatch: str
    actor: str
    text: str
    digest: str

    def record(self, *, position: int, previous: str) -> dict[str, str | int]:
        """Return the object whose canonical bytes the entry's hash covers."""
        return {
            "type": ENTRY_TYPE,
            "position": position,
            "previous": previous,
            "id": self.id,
            "at": self.at,
            "kind": self.kind,
            "peer": self.peer,
            "dispatch": self.dispatch,
            "actor": self.actor,
            "text": self.text,
            "digest": self.digest,
        }

    def hash(self, *, position: int, previous: str) -> str:
        """Return the entry's hash at a position of the chain, behind the entry with the hash `previous`."""
        return jcs_digest(self.record(position=position, previous=previous))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A hub's signed statement that its log holds `position` entries, of which the last has the hash `hash`.

    `log` identifies the chain, `did` the hub. `batch` numbers the checkpoints of a log from 1, and `previous` is the
    digest of the checkpoint before. `at` is the time of the sealing, RFC 3339 in UTC with three decimals; it never goes
    back within a log. `key` is the public key (multibase) that made `signature` (base64).
    """

    log: str
    did: str
    batch: int
    position: int
    hash: str
    at: str
    key: str
    previous: str
    signature: str = ""

    @property
    def is_signed_by_its_key(self) -> bool:
        """Tell whether the key that the checkpoint names made its signature; whose key that is, is not checked."""
        try:
            key = VerificationKey.from_multibase(self.key)
            return key.is_signed(self.signed_bytes, decode_signature(self.signature))
        except ProtocolError:
            return False

    @property
    def signed_bytes(self) -> bytes:
        """Return the canonical bytes that the signature covers: all members except the signature."""
        return jcs_bytes({name: value for name, value in self._record().items() if name != "signature"})

    @property
    def digest(self) -> str:
        """Return the digest that the following checkpoint covers, in hex: it covers the signature too."""
        return jcs_digest(self._record())

    def signed(self, key: SigningKey) -> "Checkpoint":
        """Return the checkpoint with a signature by `key`, which becomes the key that it names."""
        unsigned = replace(self, key=key.verification_key.multibase, signature="")
        return replace(unsigned, signature=encode_base64(key.sign(unsigned.signed_bytes)))

    def verify(self, *, keys: Iterable[VerificationKey], did: str) -> None:
        """Verify that the hub of this DID made the checkpoint with one of its keys; `keys` are the trusted ones.

        Raises SignatureMismatch for another DID or signature, UnknownKey for a key that is not in `keys`.
        """
        if not is_same_did(self.did, did):
            raise SignatureMismatch("the checkpoint is of another hub")
        if not any(key.multibase == self.key for key in keys):
            raise UnknownKey("the key of the checkpoint is not trusted")
        if not self.is_signed_by_its_key:
            raise SignatureMismatch("the key that the checkpoint names did not sign it")

    def to_dict(self) -> JsonObject:
        """Return the wire form."""
        return {**self._record()}

    def to_header(self) -> str:
        """Return the value of the header Fedhub-Log-Checkpoint: base64url of the canonical bytes."""
        return encode_base64url(jcs_bytes(self._record()))

    @classmethod
    def from_dict(cls, data: object) -> Self:
        """Read the wire form, which has exactly these members; raises MalformedMessage."""
        if not isinstance(data, dict) or data.keys() != {"type", *_TEXTS, *_NUMBERS}:
            raise MalformedMessage("a checkpoint has other members")
        texts = {name: data[name] for name in _TEXTS}
        numbers = {name: data[name] for name in _NUMBERS}
        if data["type"] != CHECKPOINT_TYPE or not all(isinstance(value, str) for value in texts.values()):
            raise MalformedMessage("not a checkpoint of version 1")
        if not all(type(value) is int and 1 <= value <= MAX_INTEGER for value in numbers.values()):
            raise MalformedMessage("a number of the checkpoint is out of range")
        made = cls(**texts, **numbers)
        forms = ((_HASH, made.hash), (_HASH, made.previous), (_LOG_ID, made.log), (_TIME, made.at))
        if not all(form.fullmatch(text) for form, text in forms) or len(made.did) > MAX_DID_CHARS:
            raise MalformedMessage("a member of the checkpoint has another form")
        VerificationKey.from_multibase(made.key)
        decode_signature(made.signature)
        return made

    @classmethod
    def from_header(cls, text: str) -> Self:
        """Read the value of the header; raises MalformedMessage or another ProtocolError."""
        if len(text) > MAX_HEADER_CHARS:
            raise MalformedMessage(f"the checkpoint is longer than {MAX_HEADER_CHARS} characters")
        return cls.from_dict(parse_json_object(decode_base64url(text)))

    def _record(self) -> dict[str, str | int]:
        return {
            "type": CHECKPOINT_TYPE,
            "log": self.log,
            "did": self.did,
            "batch": self.batch,
            "position": self.position,
            "hash": self.hash,
            "at": self.at,
            "key": self.key,
            "previous": self.previous,
            "signature": self.signature,
        }


def contradiction(known: Checkpoint, new: Checkpoint) -> str:
    """Return why two checkpoints of one log cannot both be true, "" if they can.

    Both must be verified. Of two checkpoints the later one has the higher position, because a log only grows.
    """
    if known.log != new.log or known.digest == new.digest:
        return ""
    if known.position == new.position:
        if known.hash != new.hash:
            return f"two hashes at position {new.position}"
        return f"two checkpoints at position {new.position}"
    if known.batch == new.batch:
        return f"two checkpoints with the number {new.batch}"
    first, last = sorted((known, new), key=lambda each: each.batch)
    if first.position > last.position or first.at > last.at:
        return f"the log went back: {_named(first)} and {_named(last)} are not of one growing log"
    if last.batch == first.batch + 1 and last.previous != first.digest:
        return f"checkpoint {last.batch} does not follow from checkpoint {first.batch}"
    return ""


def check_chain(first: Checkpoint, following: Sequence[Checkpoint]) -> None:
    """Check that checkpoints follow `first` without a gap: then the last one covers all before it.

    Another log may begin within the chain. Raises MalformedMessage.
    """
    before = first
    for each in following:
        is_next = each.batch == before.batch + 1 and each.previous == before.digest
        if not is_next or each.position <= before.position or each.at < before.at:
            raise MalformedMessage(f"checkpoint {each.batch} does not follow from checkpoint {before.batch}")
        before = each


def _named(checkpoint: Checkpoint) -> str:
    return f"checkpoint {checkpoint.batch} (position {checkpoint.position}, {checkpoint.at})"
