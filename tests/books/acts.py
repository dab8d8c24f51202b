"""What an attacker between two hubs does to a message, and the forged forms of a message."""

from __future__ import annotations

import json
import random
import string
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256

from core.strict_json import JsonObject, parse_json_object
from peers.protocol import HubIdentity, ProtocolError, idempotency_digest, sign_envelope, sign_request
from peers.protocol.compat import make_nonce
from peers.protocol.envelope_signatures import SignedObject
from peers.services.trust.proofs import PUBLIC_KEY_HEADER

FOREIGN_KEY = b"foreign key of an attacker......"
LETTERS = string.ascii_letters + string.digits


class ActKind(StrEnum):
    """One kind of attack on one message."""

    DROP = "drop"
    LOSE_ANSWER = "lose the answer"
    DOUBLE = "double"
    BODY = "forge a byte of the body"
    HEADER = "forge a byte of a header"
    SIGNATURE = "forge a byte of the signature"
    KEY = "sign with a foreign key"
    REPLAY = "replay an older message"
    REORDER = "reorder"


FORGED = (ActKind.BODY, ActKind.HEADER, ActKind.SIGNATURE, ActKind.KEY)
REFUSED = (*FORGED, ActKind.DOUBLE, ActKind.REPLAY)
"""The kinds that the receiver refuses."""

FAILED = (ActKind.DROP, ActKind.LOSE_ANSWER)
"""The kinds after which the sender's attempt has failed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One planned act. With `instead` the forged message takes the place of the true one; else it comes beside it."""

    kind: ActKind
    instead: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """A request that delivers an envelope or a callback. `created` is the time that its body states."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def fields(self) -> JsonObject:
        """Return the body's object, {} for a body that cannot be read."""
        try:
            return parse_json_object(self.body)
        except ProtocolError:
            return {}

    @property
    def is_callback(self) -> bool:
        """Tell whether it is a callback."""
        return "event_type" in self.fields

    @property
    def dispatch_id(self) -> str:
        """Return the id of its dispatch."""
        return str(self.fields.get("dispatch_id", ""))

    @property
    def created(self) -> str:
        """Return the time that the body states."""
        return str(self.fields.get("timestamp" if self.is_callback else "created_at", ""))

    @property
    def digest(self) -> str:
        """Return its digest as the books have it, "" for a body that cannot be read."""
        fields = self.fields
        if not fields:
            return ""
        if self.is_callback:
            return sha256(SignedObject(fields).signed_bytes).hexdigest()
        return idempotency_digest(fields)


@dataclass(frozen=True, slots=True)
class Act:
    """One act that was done: to whom the message went, which message it was, and the digest of what was sent instead.

    `digest` is that of the message, `sent_digest` that of the forged or older message. `passed` is the digest of the
    message that a reordered one let pass.
    """

    kind: ActKind
    to: str
    dispatch_id: str
    digest: str
    is_callback: bool
    instead: bool = False
    sent_digest: str = ""
    passed: str = ""
    at: float = field(default_factory=time.time)


def plan_acts(seed: int, number: int) -> list[Plan]:
    """Return the acts in order; the numbers of acts of two kinds differ by one at most, and a quarter is `instead`."""
    chance = random.Random(seed)
    kinds = list(ActKind)
    plans = [Plan(kinds[place % len(kinds)]) for place in range(number)]
    plans = [replace(plan, instead=plan.kind in FORGED and not place % 4) for place, plan in enumerate(plans)]
    chance.shuffle(plans)
    return plans


def forge(message: Message, kind: ActKind, chance: random.Random, *, origin: str, signer_url: str) -> Message:
    """Return the message as an attacker without the sender's key can change it; `origin` is that of the receiver."""
    if kind is ActKind.BODY:
        return replace(message, body=_other_letter(message.body.decode(), chance).encode())
    if kind is ActKind.KEY:
        return _signed_by_attacker(message, origin, signer_url)
    name = "signature" if kind is ActKind.SIGNATURE else chance.choice(["content-digest", "signature-input"])
    found = next(each for each in message.headers if each.lower() == name)
    # The last digits of base64 may hold unused bits: a change there would change nothing.
    text, end = message.headers[found][:-6], message.headers[found][-6:]
    return replace(message, headers={**message.headers, found: _other_letter(text, chance) + end})


def _other_letter(text: str, chance: random.Random) -> str:
    place = chance.choice([place for place, letter in enumerate(text) if letter in LETTERS])
    other = chance.choice([letter for letter in LETTERS if letter != text[place]])
    return text[:place] + other + text[place + 1 :]


def _signed_by_attacker(message: Message, origin: str, signer_url: str) -> Message:
    """Return the message with all signatures and the shown key of the attacker, in the name of the sender."""
    attacker = HubIdentity(signer_url, private_key_bytes=FOREIGN_KEY)
    fields = {name: value for name, value in message.fields.items() if name != "signature"}
    body = json.dumps(fields | {"signature": sign_envelope(attacker, fields)}).encode()
    signed = sign_request(
        attacker.signing_key(),
        keyid=attacker.did,
        method="POST",
        target_uri=origin + message.path,
        body=body,
        created=int(time.time()),
        nonce=make_nonce(),
    ) | {PUBLIC_KEY_HEADER: attacker.public_key_b64}
    changed = {name.lower() for name in signed}
    kept = {name: value for name, value in message.headers.items() if name.lower() not in changed}
    return replace(message, headers=kept | signed, body=body)
