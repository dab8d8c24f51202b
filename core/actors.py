"""The actor: the person or the part of the hub that asks for an action, in the form that rows keep."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or a part of the hub.

    `id` is stable and empty for a part of the hub; `name` is for people and has at most 200 characters.
    """

    id: str
    name: str


SCHEDULE = Actor(id="", name="schedule")


def actor_of(user: AbstractBaseUser | AnonymousUser) -> Actor:
    """Return the actor that stands for a signed-in user."""
    return Actor(id=str(user.pk), name=user.get_username()[:200])
