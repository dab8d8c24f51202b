"""The verdict on the signatures of an agent card (A2A 1.0, section 8.4.3): JWS (RFC 7515) over the canonical card.

Only keys that staff pinned count. A key's place that the card itself names (`jku`, `jwk`, `x5u`) is never looked at,
because the card's author would then vouch for the card. The algorithm must be one that the type of the pinned key
fixes; `none` and the algorithms of shared keys are in no list.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from jwt import PyJWS, PyJWTError

from core.malformed_input import MalformedMessage
from core.strict_json import parse_json_object
from federations.sync.agent_cards import with_json_names
from federations.sync.card_keys import MAX_KID_CHARS, CardKey, CardKeyError
from federations.sync.card_payload import SIGNATURES, signed_payload
from federations.sync.resources import Json, JsonObject

MAX_SIGNATURES = 10
MAX_HEADER_CHARS = 4096
_MAX_DEPTH = 8
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+\Z", re.ASCII)
_ALGORITHMS = ("EdDSA", "ES256", "RS256", "PS256")
_UNREADABLE = "A signature of the card cannot be read"


class SignatureState(StrEnum):
    """What the hub found about the signatures of a card.

    VERIFIED: a pinned key made one of them. UNKNOWN_KEY: the keys that they name are not pinned. BAD: one that names a
    pinned key does not fit the card, or one is malformed or of a refused algorithm.
    """

    VERIFIED = "verified"
    UNSIGNED = "unsigned"
    UNKNOWN_KEY = "unknown_key"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class CardVerdict:
    """The state, with the id that the deciding signature gives its key, the pinned key's name, and the reason."""

    state: SignatureState
    kid: str = ""
    key_name: str = ""
    reason: str = ""


def verify_card(card: JsonObject, keys: Sequence[CardKey]) -> CardVerdict:
    """Return the verdict on a card as its agent served it; `keys` are the pinned keys that may verify it.

    One verified signature is enough, because a rotation of keys needs two. Without one, a bad signature counts more
    than an unknown key.
    """
    listed = with_json_names(card).get(SIGNATURES)
    if listed is None or listed == []:
        return CardVerdict(SignatureState.UNSIGNED)
    if not isinstance(listed, list) or len(listed) > MAX_SIGNATURES:
        return CardVerdict(SignatureState.BAD, reason=f"The card has no list of at most {MAX_SIGNATURES} signatures")
    try:
        payload = signed_payload(card)
    except MalformedMessage as exc:
        return CardVerdict(SignatureState.BAD, reason=f"The card cannot be brought into its signed form: {exc}")
    provider = with_json_names(card).get("provider")
    organization = provider.get("organization") if isinstance(provider, dict) else None
    allowed = [key for key in keys if not key.organization or key.organization == organization]
    found = [_verdict(each, payload, allowed) for each in listed]
    order = (SignatureState.VERIFIED, SignatureState.BAD, SignatureState.UNKNOWN_KEY)
    return min(found, key=lambda verdict: order.index(verdict.state))


def _verdict(signature: Json, payload: bytes, keys: Sequence[CardKey]) -> CardVerdict:
    if not isinstance(signature, dict):
        return CardVerdict(SignatureState.BAD, reason=_UNREADABLE)
    protected, value = signature.get("protected"), signature.get("signature")
    header = _read_header(protected)
    if header is None or not isinstance(value, str) or not _BASE64URL.match(value):
        return CardVerdict(SignatureState.BAD, reason=_UNREADABLE)
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_CHARS:
        return CardVerdict(SignatureState.BAD, reason="A signature names no key (kid)")
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        return CardVerdict(SignatureState.BAD, kid, reason=f"The hub does not verify the algorithm {algorithm!r:.40}")
    # An extension that must be understood (RFC 7515, section 4.1.11) is none that the hub understands.
    if "crit" in header or "b64" in header:
        return CardVerdict(SignatureState.BAD, kid, reason="The signature needs an extension that the hub has not")
    named = [key for key in keys if key.kid == kid]
    if not named:
        return CardVerdict(SignatureState.UNKNOWN_KEY, kid, reason="No pinned key of this card's provider has this id")
    token = f"{protected}.{base64.urlsafe_b64encode(payload).rstrip(b'=').decode()}.{value}"
    for key in named:
        if algorithm in key.algorithms and _is_signed(token, key, algorithm):
            return CardVerdict(SignatureState.VERIFIED, kid, key.name)
    return CardVerdict(SignatureState.BAD, kid, named[0].name, "The signature does not fit the card and the pinned key")


def _read_header(protected: Json) -> JsonObject | None:
    if not isinstance(protected, str) or len(protected) > MAX_HEADER_CHARS or not _BASE64URL.match(protected):
        return None
    try:
        octets = base64.urlsafe_b64decode(protected + "=" * (-len(protected) % 4))
        return parse_json_object(octets, max_bytes=MAX_HEADER_CHARS, max_depth=_MAX_DEPTH)
    except (ValueError, MalformedMessage):
        return None


def _is_signed(token: str, key: CardKey, algorithm: str) -> bool:
    try:
        PyJWS().decode(token, key.verifier(algorithm), algorithms=[algorithm])
    except (PyJWTError, CardKeyError):
        return False
    return True
