"""The authentication backend of names and passwords, with the limits on guessing."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.http import HttpRequest

from core.signin.attempts import Realm, address_of, attempt


class LimitedModelBackend(ModelBackend):
    """Django's backend for names and passwords, with limits on wrong passwords.

    The limits cover every form and class that calls `django.contrib.auth.authenticate`.
    """

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """Return the user, or None for a wrong password; raise TooManyFailuresError over a limit.

        While FEDHUB_PASSWORD_LOGIN is off, each password is wrong, at every door.
        """
        if not settings.FEDHUB_PASSWORD_LOGIN:
            return None
        name = username if username is not None else kwargs.get(get_user_model().USERNAME_FIELD)
        if request is None or name is None or password is None:
            return super().authenticate(request, username, password, **kwargs)
        with attempt(Realm.USER, name, address_of(request)) as tried:
            user = super().authenticate(request, username, password, **kwargs)
            tried.is_right = user is not None
        return user
