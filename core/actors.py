"""Who asked for something, in the form that rows keep."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or a part of the hub; `id` is stable, `name` is for reading and cut to what a row holds."""

    id: str
    name: str


SCHEDULE = Actor(id="", name="schedule")


def actor_of(user: AbstractBaseUser | AnonymousUser) -> Actor:
    """Return the actor that stands for a signed-in user."""
    return Actor(id=str(user.pk), name=user.get_username()[:200])
