"""The service that issues tokens for people and programs."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.utils import timezone
from oauth2_provider.models import get_access_token_model, set_token_value
from oauth2_provider.settings import oauth2_settings

from core.errors import InvalidRequestError

PREFIX = "fedhub_"
"""Scanners for leaked secrets recognize a token by this prefix."""

MAX_DAYS = 3650


def issue_token(username: str, *, scopes: Collection[str], days: int) -> str:
    """Issue a token of a user, valid for `days` days from now, and return it; the database holds only its checksum.

    Raises InvalidRequestError for an unknown or inactive user, for unknown scopes or an empty collection of scopes,
    and for days outside 1 to 3650.
    """
    user = find_active_user(username)
    check_scopes(scopes)
    if not 1 <= days <= MAX_DAYS:
        raise InvalidRequestError(f"days: must be from 1 to {MAX_DAYS}")
    raw = PREFIX + secrets.token_urlsafe(32)
    expires = timezone.now() + timedelta(days=days)
    token = get_access_token_model()(user=user, scope=" ".join(sorted(scopes)), expires=expires)
    set_token_value(token, raw)
    token.save()
    return raw


def find_active_user(username: str) -> AbstractUser:
    """Return the active user of this name; raise InvalidRequestError for an unknown or inactive user."""
    model = get_user_model()
    user = model.objects.filter(**{model.USERNAME_FIELD: username}).first()
    if not isinstance(user, AbstractUser):
        raise InvalidRequestError(f"There is no user named {username!r}")
    if not user.is_active:
        raise InvalidRequestError(f"The user {username!r} is inactive")
    return user


def check_scopes(scopes: Collection[str]) -> None:
    """Raise InvalidRequestError for an unknown scope or an empty collection."""
    known = sorted(oauth2_settings.SCOPES)
    unknown = sorted(set(scopes) - set(known))
    if unknown:
        raise InvalidRequestError(f"Unknown scope {', '.join(unknown)}; known are {', '.join(known)}")
    if not scopes:
        raise InvalidRequestError(f"Name at least one scope: {', '.join(known)}")
