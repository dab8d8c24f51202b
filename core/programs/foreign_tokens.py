"""Verifies a JWT of another issuer by the rules of RFC 8725; every fault is a refusal.

The header and the claims are read by the strict JSON reader, so no member can stand in them twice. The algorithm is one
that the setting allows for the issuer and that the type of the key fixes. The claims are checked before the signature,
so that only a token that would be right asks for a key.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jwt import PyJWK, PyJWS, PyJWTError

from core.malformed_input import MalformedMessage
from core.programs.issuers import ALGORITHMS, Issuer
from core.programs.keys import MAX_KID_CHARS
from core.strict_json import Json, JsonObject, parse_json_object

MAX_CHARS = 4096
MAX_DEPTH = 8
LEEWAY_SECONDS = 60
"""How far the clocks of hub and issuer may differ."""

COMPACT = re.compile(r"[A-Za-z0-9_-]{1,4096}\.[A-Za-z0-9_-]{1,4096}\.[A-Za-z0-9_-]{1,4096}\Z")
"""The compact form of a signed token (RFC 7515, section 7.1): three parts in base64url without padding."""

TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})

FindKey = Callable[[Issuer, str], PyJWK | None]


class ForeignTokenError(Exception):
    """Raised for a token that the hub does not accept; the message is for the log alone."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a verified token is worth: it acts for the user named `user` with `scopes`, which roles may cut further.

    `issuer` and `subject` say which program sent it.
    """

    issuer: str
    subject: str
    user: str
    scopes: frozenset[str]


def accept(raw: str, issuers: Sequence[Issuer], *, now: float, find_key: FindKey) -> Accepted:
    """Verify a token in compact form at the time `now`, in seconds since 1970; raise ForeignTokenError.

    `find_key` returns the key of an issuer with an id, or None.
    """
    if len(raw) > MAX_CHARS or not COMPACT.match(raw):
        raise ForeignTokenError("not a compact JWS")
    header, claims = (_read_part(part) for part in raw.split(".")[:2])
    issuer = next((known for known in issuers if known.issuer == claims.get("iss")), None)
    if issuer is None:
        raise ForeignTokenError("no such issuer")
    algorithm, kid = _check_header(header, issuer)
    subject = _check_claims(claims, issuer, now)
    key = find_key(issuer, kid)
    if key is None:
        raise ForeignTokenError(f"{issuer.issuer} has no key {kid!r}")
    if key.algorithm_name != algorithm:
        raise ForeignTokenError(f"the key {kid!r} is not for {algorithm}")
    try:
        PyJWS().decode(raw, key, algorithms=[algorithm])
    except PyJWTError as exc:
        raise ForeignTokenError(str(exc)) from exc
    return Accepted(issuer.issuer, subject, issuer.user, _scopes(claims, issuer))


def _read_part(part: str) -> JsonObject:
    try:
        octets = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        return parse_json_object(octets, max_bytes=MAX_CHARS, max_depth=MAX_DEPTH)
    except (ValueError, MalformedMessage) as exc:
        raise ForeignTokenError("a part of the token is not strict JSON") from exc


def _check_header(header: JsonObject, issuer: Issuer) -> tuple[str, str]:
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS or algorithm not in issuer.algorithms:
        raise ForeignTokenError("the algorithm is not allowed")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_CHARS:
        raise ForeignTokenError("the header names no key")
    if "crit" in header or "b64" in header:
        # RFC 7515, section 4.1.11: an extension that is not understood makes the token invalid.
        raise ForeignTokenError("the header has an extension")
    if not isinstance(kind, str) or kind.lower() not in TYPES:
        raise ForeignTokenError("the token is of another type")
    return algorithm, kid


def _check_claims(claims: JsonObject, issuer: Issuer, now: float) -> str:
    """Check every claim but `iss`, and return the subject."""
    audience = claims.get("aud")
    # A token for two servers could be replayed here by the other one.
    named = audience[0] if isinstance(audience, list) and len(audience) == 1 else audience
    if not isinstance(named, str) or named not in issuer.audiences:
        raise ForeignTokenError("the token is for another audience, or for several")
    expires, issued = _time(claims, "exp"), _time(claims, "iat")
    if expires <= now - LEEWAY_SECONDS:
        raise ForeignTokenError("the token has expired")
    if issued > now + LEEWAY_SECONDS or ("nbf" in claims and _time(claims, "nbf") > now + LEEWAY_SECONDS):
        raise ForeignTokenError("the token is not valid yet")
    if issued <= now - issuer.max_age_seconds - LEEWAY_SECONDS:
        raise ForeignTokenError("the token was issued too long ago")
    if "cnf" in claims:
        # RFC 7800: the token is bound to a key whose proof the hub does not verify.
        raise ForeignTokenError("the token is bound to a key of its sender")
    if not _has_required(claims, issuer.required_claims):
        raise ForeignTokenError("a required claim is missing or different")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise ForeignTokenError("the token has no subject")
    return subject


def _time(claims: JsonObject, name: str) -> float:
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ForeignTokenError(f"{name} is missing or not a number")
    return float(value)


def _has_required(claims: Json, required: JsonObject) -> bool:
    """Tell whether each required claim is a text among its values; an object is checked member by member."""
    if not isinstance(claims, dict):
        return False
    for name, wanted in required.items():
        value = claims.get(name)
        if isinstance(wanted, dict):
            if not _has_required(value, wanted):
                return False
        elif not isinstance(value, str) or not isinstance(wanted, list) or value not in wanted:
            return False
    return True


def _scopes(claims: JsonObject, issuer: Issuer) -> frozenset[str]:
    """Return the scopes of the setting, and those that it gives for values of claims.

    A claim is a text of words, as `scope` in RFC 8693, section 4.2, or an array of texts, as `groups` and `roles` often
    are.
    """
    found = set(issuer.scopes)
    for claim, by_value in issuer.scope_claims.items():
        value = claims.get(claim)
        words = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
        for word in words:
            if isinstance(word, str):
                found |= by_value.get(word, frozenset())
    return frozenset(found)
