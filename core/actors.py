"""The actor: the person or the part of the hub that asks for a change, as jobs and other rows store it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # A command names its actor before Django has its settings.
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asked for a change: a user, or a part of the hub such as the schedule. Services store it in their rows.

    `id` is the user's primary key as text, and empty for a part of the hub. `name` is the user's name or the name of
    the part, for people to read; `actor_of` cuts a user's name to 200 characters.
    """

    id: str
    name: str


SCHEDULE = Actor(id="", name="schedule")


def actor_of(user: AbstractBaseUser | AnonymousUser) -> Actor:
    """Return the actor that stands for a signed-in user."""
    return Actor(id=str(user.pk), name=user.get_username()[:200])
