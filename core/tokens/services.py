"""The services that issue, list, revoke and forget the tokens of people and programs."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditlog.context import disable_auditlog
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db.models import Q, QuerySet
from django.utils import timezone
from oauth2_provider.models import (
    AccessToken,
    get_access_token_model,
    get_grant_model,
    get_refresh_token_model,
    refresh_token_expire_timedelta,
    revoke_access_token,
    set_token_value,
)
from oauth2_provider.settings import oauth2_settings

from core.api.scopes import OF_ONE_FEDERATION, scopes_of_roles
from core.errors import InvalidRequestError
from core.programs.models import TokenNote
from core.store.unit_of_work import retried, unit_of_work

PREFIX = "fedhub_"
"""Scanners for leaked secrets recognize a token by this prefix."""

MAX_DAYS = 3650

KEPT = timedelta(days=30)
"""How long an expired or revoked token stays in the lists."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a person says of a new token: a name, and the only federation that it reaches or an empty text."""

    name: str
    federation_id: str = ""


@retried
def issue_token(username: str, *, scopes: Collection[str], days: int, note: Note | None = None) -> str:
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
    with unit_of_work(with_accounts=True):
        token.save()
        if note is not None:
            TokenNote.objects.create(token=token, name=note.name, federation_id=note.federation_id)
    return raw


def issue_own_token(user: AbstractUser, *, scopes: Collection[str], days: int, note: Note) -> str:
    """Issue a token for the person who asks for it; raise InvalidRequestError as `issue_token` does.

    A scope that the roles of the person do not give is refused, and so is one that a token for one federation cannot
    have.
    """
    if missing := sorted(set(scopes) - scopes_of_roles(user)):
        raise InvalidRequestError(f"Your roles do not give {', '.join(missing)}.")
    if note.federation_id and (wider := sorted(set(scopes) - OF_ONE_FEDERATION)):
        raise InvalidRequestError(f"A token for one federation cannot have {', '.join(wider)}.")
    return issue_token(user.get_username(), scopes=scopes, days=days, note=note)


def tokens_of(username: str) -> QuerySet[AccessToken]:
    """Return the tokens that act for a user, those of the user's programs too, with their related rows.

    Raises InvalidRequestError for an unknown user.
    """
    user = _find_user(username)
    holders = Q(user=user) | Q(user=None, application__user=user)
    found: QuerySet[AccessToken] = get_access_token_model().objects.filter(holders)
    return found.select_related("application", "last_use", "note").order_by("pk")


def revoke_tokens(username: str, ids: Collection[int] | None = None) -> int:
    """End the tokens of a user at once, and the refresh tokens that belong to them; return how many were ended.

    `ids` chooses some of the tokens that `tokens_of` returns; None means all. Raises InvalidRequestError for an unknown
    user, and for an id that is not that of a token of the user: then no token is ended.
    """
    tokens = {token.pk: token for token in tokens_of(username)}
    if unknown := sorted(set(ids or ()) - set(tokens)):
        raise InvalidRequestError(f"{username} has no token {', '.join(map(str, unknown))}")
    chosen = [token for key, token in tokens.items() if ids is None or key in ids]
    for token in chosen:
        revoke_access_token(token)
    return len(chosen)


def forget_old_tokens(now: datetime) -> None:
    """Delete used-up codes, and the tokens that ended more than KEPT before `now`.

    A refresh token that was used stays as long, so that its second use is recognized.
    """
    get_grant_model().objects.filter(expires__lt=now).delete()
    with disable_auditlog():
        get_refresh_token_model().objects.filter(old_refresh_tokens(now)).delete()
        get_access_token_model().objects.filter(old_access_tokens(now)).delete()


def old_refresh_tokens(now: datetime) -> Q:
    """Return the condition of the refresh tokens that ended more than KEPT before `now`."""
    lifetime = refresh_token_expire_timedelta() or timedelta.max
    return Q(revoked__lt=now - KEPT) | Q(revoked=None, access_token__expires__lt=now - KEPT - lifetime)


def old_access_tokens(now: datetime) -> Q:
    """Return the condition of the access tokens that ended more than KEPT before `now`, without a refresh token."""
    return Q(expires__lt=now - KEPT, refresh_token=None)


def find_active_user(username: str) -> AbstractUser:
    """Return the active user of this name; raise InvalidRequestError for an unknown or inactive user."""
    user = _find_user(username)
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


def _find_user(username: str) -> AbstractUser:
    model = get_user_model()
    user = model.objects.filter(**{model.USERNAME_FIELD: username}).first()
    if not isinstance(user, AbstractUser):
        raise InvalidRequestError(f"There is no user named {username!r}")
    return user
