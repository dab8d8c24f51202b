"""The public keys that verify agent cards: read from JSON Web Keys (RFC 7517), for the algorithms of their type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK, PyJWTError

from federations.sync.resources import JsonObject

MAX_KEYS = 50
MAX_KID_CHARS = 256
RSA_BITS = range(2048, 8193)
"""RFC 7518, section 3.3, asks for 2048 bits at least; larger keys only cost time."""

_ALGORITHMS: Mapping[tuple[object, object], tuple[str, ...]] = {
    ("OKP", "Ed25519"): ("EdDSA",),
    ("EC", "P-256"): ("ES256",),
    ("RSA", None): ("RS256", "PS256"),
}
_NAMED_AFTER_THE_CURVE = {"Ed25519": "EdDSA"}
"""RFC 9864 names the algorithm of an Ed25519 key after its curve."""

_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")


class CardKeyError(ValueError):
    """Raised for a key or a key set that the hub cannot use; the message says why, for staff."""


@dataclass(frozen=True, slots=True)
class CardKey:
    """A key that staff pinned: it verifies cards whose signature names `kid` and that one of `algorithms` made.

    `name` is the name that staff gave. A key with an `organization` verifies only cards of a provider of this name.
    """

    name: str
    kid: str
    jwk: JsonObject
    organization: str = ""

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Return the algorithms of the key; its own `alg` leaves one of them."""
        return algorithms_of(self.jwk)

    def verifier(self, algorithm: str) -> PyJWK:
        """Return the key for one of its algorithms; raises CardKeyError."""
        return _load(self.jwk, algorithm)


def algorithms_of(jwk: JsonObject) -> tuple[str, ...]:
    """Return the algorithms that the type of a key fixes, and only `alg` of them if the key names it."""
    kind, curve = jwk.get("kty"), jwk.get("crv")
    known = _ALGORITHMS.get((kind, curve), ()) if isinstance(kind, str) and isinstance(curve, str | None) else ()
    named = jwk.get("alg")
    if named is None:
        return known
    named = _NAMED_AFTER_THE_CURVE.get(named, named) if isinstance(named, str) else ""
    return tuple(algorithm for algorithm in known if algorithm == named)


def read_jwk(jwk: JsonObject) -> JsonObject:
    """Return the public key if the hub can use it; raises CardKeyError for a private, a shared or an unusable key."""
    if any(member in jwk for member in _PRIVATE):
        raise CardKeyError("this is a private or shared key; pin the public key alone, and make a new pair")
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_CHARS:
        raise CardKeyError(f"the key has no kid of 1 to {MAX_KID_CHARS} characters, by which signatures name it")
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise CardKeyError("the key is not for signatures")
    algorithms = algorithms_of(jwk)
    if not algorithms:
        raise CardKeyError("the key is none for EdDSA (Ed25519), ES256 (P-256), RS256 or PS256 (RSA)")
    _load(jwk, algorithms[0])
    return jwk


def read_jwk_set(document: JsonObject) -> list[JsonObject]:
    """Return the usable keys of a JWK Set; raises CardKeyError for another document and for a set without any.

    Keys that share an id are left out, because a signature cannot say which of them it means.
    """
    entries = document.get("keys")
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise CardKeyError(f"not a JWK Set of at most {MAX_KEYS} keys")
    found = [entry for entry in entries if isinstance(entry, dict) and _is_usable(entry)]
    kids = [entry["kid"] for entry in found]
    usable = [entry for entry in found if kids.count(entry["kid"]) == 1]
    if not usable:
        raise CardKeyError("the JWK Set has no usable key with an id of its own")
    return usable


def _is_usable(entry: JsonObject) -> bool:
    try:
        read_jwk(entry)
    except CardKeyError:
        return False
    return True


def _load(jwk: JsonObject, algorithm: str) -> PyJWK:
    try:
        key = PyJWK(jwk, algorithm=algorithm)
    except (PyJWTError, ValueError, TypeError, KeyError) as exc:
        raise CardKeyError("the key is malformed") from exc
    if isinstance(key.key, RSAPublicKey) and key.key.key_size not in RSA_BITS:
        raise CardKeyError(f"the RSA key has {key.key.key_size} bits; 2048 to 8192 are allowed")
    return key
