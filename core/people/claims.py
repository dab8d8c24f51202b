"""Reads a person from the claims of an ID token. Pure: the claims are verified before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.people.providers import EVERYONE, SignInProvider

MAX_TEXT = 150
"""The longest name in Django's table of users."""

MAX_EMAIL = 254


@dataclass(frozen=True, slots=True)
class Person:
    """A person as a provider describes them; `groups` are the hub's groups that the claim of groups gives."""

    issuer: str
    subject: str
    username: str
    first_name: str
    last_name: str
    email: str
    groups: frozenset[str]
    may_get_account: bool
    is_staff: bool
    has_second_factor: bool


def read_person(provider: SignInProvider, claims: Mapping[str, Any]) -> Person:
    """Return the person of verified claims; a claim of another type than the expected one is left out."""

    def text(name: str, longest: int) -> str:
        value = claims.get(provider.claim_of(name))
        return value.strip() if isinstance(value, str) and len(value) <= longest else ""

    values = _texts(claims.get(provider.claim_of("groups")))
    return Person(
        issuer=provider.issuer,
        subject=str(claims["sub"]),
        username=text("username", MAX_TEXT),
        first_name=text("first_name", MAX_TEXT),
        last_name=text("last_name", MAX_TEXT),
        email=text("email", MAX_EMAIL),
        groups=frozenset(group for value, group in provider.groups if value in values),
        may_get_account=_is_among(provider.accounts_for, values),
        is_staff=_is_among(provider.staff_for, values),
        has_second_factor=bool(_texts(claims.get("amr")) & set(provider.second_factor_amr)),
    )


def _is_among(named: tuple[str, ...], values: frozenset[str]) -> bool:
    return EVERYONE in named or not values.isdisjoint(named)


def _texts(value: Any) -> frozenset[str]:
    """Return the values of a claim that is a list of texts, or one text."""
    if isinstance(value, str):
        return frozenset({value})
    return frozenset(item for item in value if isinstance(item, str)) if isinstance(value, list) else frozenset()
