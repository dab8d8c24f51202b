"""Who must give a second factor: the setting FEDHUB_SECOND_FACTOR names groups and kinds of users."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User

from core.people.marks import Stage
from core.people.models import SecondFactor

SUPERUSERS, STAFF, EVERYONE = "superusers", "staff", "everyone"


def must_have_second_factor(user: User) -> bool:
    """Tell whether the setting requires a second factor of the user."""
    named = set(settings.FEDHUB_SECOND_FACTOR)
    if EVERYONE in named or (STAFF in named and user.is_staff) or (SUPERUSERS in named and user.is_superuser):
        return True
    groups = named - {SUPERUSERS, STAFF, EVERYONE}
    return bool(groups) and user.groups.filter(name__in=groups).exists()


def has_second_factor(user: User) -> bool:
    """Tell whether the user has an authenticator app or a passkey."""
    return SecondFactor.objects.filter(user=user).exists()


def first_stage(user: User) -> Stage:
    """Return the stage of a sign-in by one proof."""
    if has_second_factor(user):
        return Stage.SECOND
    return Stage.SET_UP if must_have_second_factor(user) else Stage.FULL


def stage_again(user: User, stage: Stage) -> Stage:
    """Return the stage of a session in use, after the roles of the user may have changed."""
    if stage == Stage.FULL and must_have_second_factor(user) and not has_second_factor(user):
        return Stage.SET_UP
    return stage
