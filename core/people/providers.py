"""The setting of sign-in providers: JSON that is read strictly, and the frozen values that come of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from core import environment
from core.strict_json import MalformedJson, parse_json_object

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,38}\Z")
DEFAULT_SCOPES = ("openid", "profile", "email")
FIELDS = {
    "username": "preferred_username",
    "first_name": "given_name",
    "last_name": "family_name",
    "email": "email",
    "groups": "groups",
}
"""What the hub reads of a person, and the claim that holds it unless the setting names another one."""

EVERYONE = "*"


@dataclass(frozen=True, slots=True)
class SignInProvider:
    """One provider of the setting.

    `claims` names the claim of each field of FIELDS. `groups` gives the hub's group for a value of the claim of
    groups. `accounts_for` and `staff_for` hold values of that claim, or `*`: who gets an account at the first sign-in,
    and which of these accounts are staff. An ID token whose `amr` has a value of `second_factor_amr` also proves a
    second factor.
    """

    name: str
    title: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    claims: tuple[tuple[str, str], ...] = tuple(FIELDS.items())
    groups: tuple[tuple[str, str], ...] = ()
    accounts_for: tuple[str, ...] = ()
    staff_for: tuple[str, ...] = ()
    second_factor_amr: tuple[str, ...] = ()

    def claim_of(self, name: str) -> str:
        """Return the claim that holds a field of FIELDS."""
        return dict(self.claims)[name]


class SettingError(ValueError):
    """Raised for a setting that cannot be used; the message names the provider and the key."""


def sign_in_providers() -> dict[str, SignInProvider]:
    """Return the providers of the settings by name; none if the setting has a fault, which a system check reports."""
    try:
        return _read_once(settings.FEDHUB_SIGN_IN_PROVIDERS)
    except SettingError:
        return {}


def read_providers(text: str) -> dict[str, SignInProvider]:
    """Return the providers of the setting's text, by name; raise SettingError for the first fault."""
    if not text:
        return {}
    try:
        found = parse_json_object(text)
    except MalformedJson as exc:
        raise SettingError(f"the text is not a JSON object with the providers' names: {exc}") from exc
    providers = {name: _read_provider(name, given) for name, given in found.items()}
    issuers = [provider.issuer for provider in providers.values()]
    if len(set(issuers)) < len(issuers):
        raise SettingError("two providers have the same issuer")
    return providers


@lru_cache(maxsize=4)
def _read_once(text: str) -> dict[str, SignInProvider]:
    return read_providers(text)


def _read_provider(name: str, given: Any) -> SignInProvider:
    if not NAME.match(name):
        raise SettingError(f"the name {name!r} is not made of at most 39 small letters, digits and hyphens")
    if not isinstance(given, dict):
        raise SettingError(f"{name}: not a JSON object")
    known = {*SignInProvider.__dataclass_fields__, "client_secret_file"} - {"name"}
    if unknown := sorted(set(given) - known):
        raise SettingError(f"{name}: unknown key {', '.join(unknown)}")
    reader = _Reader(name, given)
    issuer = reader.text("issuer")
    if not issuer.startswith(("https://", "http://")) or set(issuer) & set("?#@ "):
        raise SettingError(f"{name}: issuer is not an http(s) address without query and fragment")
    scopes = reader.texts("scopes", DEFAULT_SCOPES)
    if "openid" not in scopes:
        raise SettingError(f"{name}: scopes lacks openid, without which a provider sends no ID token")
    claims = reader.pairs("claims")
    if unknown := sorted(set(claims) - set(FIELDS)):
        raise SettingError(f"{name}: claims has the unknown field {', '.join(unknown)}")
    return SignInProvider(
        name=name,
        title=reader.text("title", name),
        issuer=issuer,
        client_id=reader.text("client_id"),
        client_secret=_secret(reader),
        scopes=scopes,
        claims=tuple({**FIELDS, **claims}.items()),
        groups=tuple(reader.pairs("groups").items()),
        accounts_for=reader.texts("accounts_for"),
        staff_for=reader.texts("staff_for"),
        second_factor_amr=reader.texts("second_factor_amr"),
    )


def _secret(reader: _Reader) -> str:
    path = reader.text("client_secret_file", "")
    if not path:
        secret = reader.text("client_secret", "")
    elif "client_secret" in reader.given:
        raise SettingError(f"{reader.name}: give client_secret or client_secret_file, not both")
    else:
        try:
            secret = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as exc:
            raise SettingError(f"{reader.name}: the file of client_secret_file cannot be read") from exc
    environment.hide_also(f"FEDHUB_SIGN_IN_PROVIDERS.{reader.name}.client_secret", secret)
    return secret


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the values of one provider, and refuses those of another type."""

    name: str
    given: Mapping[str, Any]

    def text(self, key: str, default: str | None = None) -> str:
        value = self.given.get(key, default)
        if value is None:
            raise SettingError(f"{self.name}: {key} is missing")
        if not isinstance(value, str) or (not value.strip() and default is None):
            raise SettingError(f"{self.name}: {key} is not a text")
        return value.strip()

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        value = self.given.get(key, default)
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item for item in value):
            raise SettingError(f"{self.name}: {key} is not a list of texts")
        return tuple(value)

    def pairs(self, key: str) -> dict[str, str]:
        value = self.given.get(key, {})
        if not isinstance(value, dict) or not all(isinstance(item, str) and item for item in value.values()):
            raise SettingError(f"{self.name}: {key} is not an object of texts")
        return dict(value)
