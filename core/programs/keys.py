"""The public keys of an issuer of JWTs: read from its JWK Set, kept for a bounded time, and asked for again seldom.

Theory of operation. A set is fetched through the guarded client when the first token of its issuer comes, and again
when it is REFRESH_SECONDS old or lacks the key that a token names; between two attempts pass at least RETRY_SECONDS, so
tokens with invented key ids make the hub ask once a minute at most. While the issuer does not answer, the set that was
read last stays in use until KEEP_SECONDS after it was read; so a key that its issuer withdraws is trusted for that time
at most. Each web process has its own sets.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.conf import settings
from jwt import PyJWK, PyJWTError

from core.malformed_input import MalformedMessage
from core.net.client import TransportError, send
from core.programs.issuers import Issuer
from core.strict_json import Json, JsonObject, parse_json_object

REFRESH_SECONDS = 600
RETRY_SECONDS = 60
KEEP_SECONDS = 3600
TIMEOUT_SECONDS = 5.0
MAX_BYTES = 65_536
MAX_KEYS = 50
MAX_KID_CHARS = 256
RSA_BITS = range(2048, 8193)
"""RFC 7518, section 3.3, asks for 2048 bits at least; larger keys only cost time."""

logger = logging.getLogger(__name__)


class KeysUnavailable(Exception):
    """Raised if the key set of an issuer cannot be read."""


@dataclass(slots=True)
class _Kept:
    """What is kept of one issuer: its keys by key id, and when they were read and asked for, on the monotonic clock."""

    keys: Mapping[str, PyJWK] = field(default_factory=dict)
    read_at: float | None = None
    tried_at: float | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class KeySets:
    """The key sets of all issuers; `fetch` reads a set, and `clock` returns seconds that never go back."""

    def __init__(
        self, fetch: Callable[[Issuer], Mapping[str, PyJWK]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    def find(self, issuer: Issuer, kid: str) -> PyJWK | None:
        """Return the issuer's key with this id, or None; ask the issuer if the kept set is old or lacks the key."""
        kept = self._kept.setdefault(issuer.issuer, _Kept())
        if self._needs_fetch(kept, kid):
            with kept.lock:
                # Another thread may have fetched the set while this one waited.
                if self._needs_fetch(kept, kid):
                    self._renew(kept, issuer)
        is_usable = kept.read_at is not None and self._clock() - kept.read_at < KEEP_SECONDS
        return kept.keys.get(kid) if is_usable else None

    def forget_all(self) -> None:
        """Forget every set, as a new process has none."""
        self._kept.clear()

    def _needs_fetch(self, kept: _Kept, kid: str) -> bool:
        now = self._clock()
        is_current = kept.read_at is not None and now - kept.read_at < REFRESH_SECONDS and kid in kept.keys
        return not is_current and (kept.tried_at is None or now - kept.tried_at >= RETRY_SECONDS)

    def _renew(self, kept: _Kept, issuer: Issuer) -> None:
        try:
            keys = self._fetch(issuer)
            kept.keys, kept.read_at = keys, self._clock()
        except KeysUnavailable as exc:
            logger.warning("The keys of the issuer %s cannot be read: %s", issuer.issuer, exc)
        finally:
            kept.tried_at = self._clock()


def fetch_keys(issuer: Issuer) -> Mapping[str, PyJWK]:
    """Return the issuer's keys by key id, from the address that the setting or discovery names.

    Raises KeysUnavailable. Discovery must name the issuer itself (OpenID Connect Discovery 1.0, section 4.3).
    """
    url = issuer.jwks_url
    if not url:
        document = _read(f"{issuer.issuer.rstrip('/')}/.well-known/openid-configuration")
        named = document.get("jwks_uri")
        if document.get("issuer") != issuer.issuer or not isinstance(named, str):
            raise KeysUnavailable("the discovery document names another issuer or no jwks_uri")
        url = named
    return usable_keys(_read(url))


def usable_keys(document: JsonObject) -> dict[str, PyJWK]:
    """Return by key id the keys of a JWK Set that verify one of ALGORITHMS; raise KeysUnavailable for another document.

    A key without an id, a key for another use, a private or a shared key, and all keys that share an id are left out.
    """
    entries = document.get("keys")
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise KeysUnavailable(f"not a JWK Set of at most {MAX_KEYS} keys")
    kids = [entry.get("kid") for entry in entries if isinstance(entry, dict)]
    found = {}
    for entry in entries:
        kid = entry.get("kid") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_CHARS:
            continue
        if kids.count(kid) == 1 and (key := _usable_key(entry)) is not None:
            found[kid] = key
    return found


def _usable_key(entry: JsonObject) -> PyJWK | None:
    algorithm = _algorithm_of(entry)
    operations = entry.get("key_ops", ["verify"])
    is_for_signatures = entry.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    if algorithm is None or not is_for_signatures or "d" in entry or "k" in entry:
        return None
    try:
        key = PyJWK(entry, algorithm=algorithm)
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key.key, RSAPublicKey) and key.key.key_size not in RSA_BITS:
        return None
    return key


def _algorithm_of(entry: JsonObject) -> str | None:
    """Return the algorithm that the type of a key fixes, or None if the hub does not verify it or `alg` differs."""
    kinds: dict[tuple[Json, Json], tuple[str, ...]] = {
        ("RSA", None): ("RS256",),
        ("EC", "P-256"): ("ES256",),
        # RFC 9864 names the algorithm of an Ed25519 key after its curve.
        ("OKP", "Ed25519"): ("EdDSA", "Ed25519"),
    }
    kind, curve = entry.get("kty"), entry.get("crv")
    names = kinds.get((kind, curve)) if isinstance(kind, str) and isinstance(curve, str | None) else None
    return names[0] if names and entry.get("alg", names[0]) in names else None


def _read(url: str) -> JsonObject:
    try:
        answer = send(
            "GET",
            url,
            headers={"Accept": "application/json"},
            allowed_networks=settings.FEDHUB_ALLOWED_NETWORKS,
            timeout_seconds=TIMEOUT_SECONDS,
            max_bytes=MAX_BYTES,
        )
        if answer.status != 200:
            raise KeysUnavailable(f"{url} answers {answer.status}")
        return parse_json_object(answer.body, max_bytes=MAX_BYTES)
    except (TransportError, MalformedMessage) as exc:
        raise KeysUnavailable(f"{url}: {exc}") from exc


KEY_SETS = KeySets(fetch_keys)
"""The key sets of this process."""
