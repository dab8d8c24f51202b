"""The setting FEDHUB_JWT_ISSUERS: whose JWTs the hub accepts from programs, and with which rights."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import cast

from django.core.exceptions import ImproperlyConfigured

from core.malformed_input import InvalidIdentifier, MalformedMessage
from core.net.url_grammar import split_url
from core.strict_json import Json, JsonObject, parse_json

ALGORITHMS = ("RS256", "ES256", "EdDSA")
"""The signatures that the hub verifies; each needs a public key, so no issuer's key can be taken for a shared one."""

MAX_ISSUERS = 20
DEFAULT_AGE_SECONDS = 86_400
NAME = "FEDHUB_JWT_ISSUERS"

_REQUIRED = ("issuer", "audience", "user", "required_claims")
_OPTIONAL = ("jwks_url", "algorithms", "scopes", "scope_claims", "max_age_seconds")


@dataclass(frozen=True, slots=True)
class Issuer:
    """A server whose JWTs the hub accepts; `read_issuers` makes it.

    `issuer` is compared with the claim `iss`. A token has one audience, which must be one of `audiences`. It acts for
    the user named `user`, with `scopes` and with the scopes that `scope_claims` gives for the values of its claims, as
    far as the roles of that user give them. `required_claims` names values, one of which the token's claim must have; a
    nested object stands for a claim that is an object. Keys are read from `jwks_url`; if it is empty, discovery names
    their address. A token is refused `max_age_seconds` after it was issued, whatever its `exp` says.
    """

    issuer: str
    audiences: frozenset[str]
    user: str
    algorithms: frozenset[str]
    jwks_url: str
    scopes: frozenset[str]
    scope_claims: Mapping[str, Mapping[str, frozenset[str]]]
    required_claims: JsonObject
    max_age_seconds: int


def read_issuers(text: str, *, scopes: Collection[str]) -> tuple[Issuer, ...]:
    """Return the issuers in the JSON text of the setting; `scopes` are the scopes of the hub.

    Raises ImproperlyConfigured, with the place of the fault, for a text that is not strict JSON, for an unknown or a
    missing member, and for a member of another form.
    """
    if not text:
        return ()
    try:
        entries = parse_json(text)
        if not isinstance(entries, list) or len(entries) > MAX_ISSUERS:
            raise ValueError(f"must be a JSON array of at most {MAX_ISSUERS} objects")
        found = tuple(_read_issuer(entry, f"[{place}]", scopes) for place, entry in enumerate(entries))
        names = [issuer.issuer for issuer in found]
        if len(set(names)) < len(names):
            raise ValueError("names an issuer twice; one entry may have several audiences")
    except MalformedMessage as exc:
        raise ImproperlyConfigured(f"{NAME} is not strict JSON: {exc}.") from exc
    except ValueError as exc:
        raise ImproperlyConfigured(f"{NAME} {exc}.") from exc
    return found


def _read_issuer(entry: Json, place: str, known: Collection[str]) -> Issuer:
    if not isinstance(entry, dict):
        raise ValueError(f"{place} must be an object")
    if unknown := sorted(set(entry) - {*_REQUIRED, *_OPTIONAL}):
        raise ValueError(f"{place} has unknown members: {', '.join(unknown)}")
    if missing := [name for name in _REQUIRED if name not in entry]:
        raise ValueError(f"{place} lacks {', '.join(missing)}")
    issuer = Issuer(
        issuer=_url(entry["issuer"], f"{place}.issuer"),
        audiences=frozenset(_texts(entry["audience"], f"{place}.audience")),
        user=_text(entry["user"], f"{place}.user"),
        algorithms=frozenset(_texts(entry.get("algorithms", ["RS256"]), f"{place}.algorithms", among=ALGORITHMS)),
        jwks_url=_url(entry["jwks_url"], f"{place}.jwks_url") if "jwks_url" in entry else "",
        scopes=frozenset(_texts(entry["scopes"], f"{place}.scopes", among=known) if "scopes" in entry else ()),
        scope_claims=_scope_claims(entry.get("scope_claims", {}), f"{place}.scope_claims", known),
        required_claims=_claims(entry["required_claims"], f"{place}.required_claims"),
        max_age_seconds=_seconds(entry.get("max_age_seconds", DEFAULT_AGE_SECONDS), f"{place}.max_age_seconds"),
    )
    if not issuer.scopes and not issuer.scope_claims:
        raise ValueError(f"{place} gives no scope: name scopes or scope_claims")
    return issuer


def _text(value: Json, place: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 2048 or value != value.strip():
        raise ValueError(f"{place} must be a text of 1 to 2048 characters, without spaces around it")
    return value


def _texts(value: Json, place: str, *, among: Collection[str] = ()) -> list[str]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values:
        raise ValueError(f"{place} must be a text or a non-empty array of texts")
    texts = [_text(item, place) for item in values]
    if among and (unknown := sorted(set(texts) - set(among))):
        raise ValueError(f"{place} has {', '.join(unknown)}; known are {', '.join(among)}")
    return texts


def _url(value: Json, place: str) -> str:
    url = _text(value, place)
    try:
        parts = split_url(url)
    except InvalidIdentifier as exc:
        raise ValueError(f"{place} is {exc}") from exc
    if parts.query is not None or parts.fragment is not None:
        raise ValueError(f"{place} must have no query and no fragment")
    return url


def _seconds(value: Json, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 60 <= value <= 31 * 86_400:
        raise ValueError(f"{place} must be a whole number from 60 to {31 * 86_400}")
    return value


def _scope_claims(value: Json, place: str, known: Collection[str]) -> dict[str, dict[str, frozenset[str]]]:
    if not isinstance(value, dict) or not all(isinstance(scopes, dict) and scopes for scopes in value.values()):
        raise ValueError(f"{place} must be an object of non-empty objects: claim, then value, then scopes")
    return {
        claim: {
            text: frozenset(_texts(scopes, f"{place}.{claim}.{text}", among=known))
            for text, scopes in cast(JsonObject, by_value).items()
        }
        for claim, by_value in value.items()
    }


def _claims(value: Json, place: str) -> JsonObject:
    """Return the required claims, each as a list of texts or as an object of further claims."""
    if not isinstance(value, dict) or not value:
        raise ValueError(f"{place} must be a non-empty object of claims and their values, such as sub")
    return {
        name: _claims(item, f"{place}.{name}") if isinstance(item, dict) else list(_texts(item, f"{place}.{name}"))
        for name, item in value.items()
    }
