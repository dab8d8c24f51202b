"""A clock that the tests set, and the doors that take a password or a client secret."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from oauth2_provider.models import get_application_model

from core.signin import attempts
from tests.conftest import MakeUser

PASSWORD = "correct horse battery"
SECRET = "machine secret"
WRONG = "wrong secret"


class Clock:
    """The clock of core.signin."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the set time."""
        return self.time

    def wait(self, seconds: float) -> None:
        """Set the clock forward."""
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still until a test sets it forward."""
    found = Clock()
    monkeypatch.setattr(attempts, "timezone", SimpleNamespace(now=found.now))
    return found


@dataclass(frozen=True)
class Door:
    """A place that takes a secret."""

    name: str
    enter: Callable[..., Any]
    """Try a secret for a name from an address; return the response."""
    right: str
    wrong_status: int
    right_status: int


def admin_login(name: str, secret: str, address: str) -> Any:
    return Client(REMOTE_ADDR=address).post("/admin/login/", {"username": name, "password": secret})


def api_login(name: str, secret: str, address: str) -> Any:
    return Client(REMOTE_ADDR=address).post("/api/auth/login/", {"username": name, "password": secret})


def change_password(name: str, secret: str, address: str) -> Any:
    client = Client(REMOTE_ADDR=address)
    client.force_login(User.objects.get(username=name))
    new = "another long passphrase"
    fields = {"old_password": secret, "new_password1": new, "new_password2": new + "!"}
    return client.post("/admin/password_change/", fields)


def token_form(name: str, secret: str, address: str) -> Any:
    fields = {"grant_type": "client_credentials", "client_id": name, "client_secret": secret}
    return Client(REMOTE_ADDR=address).post("/o/token", fields)


def basic(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def token_basic(name: str, secret: str, address: str) -> Any:
    fields = {"grant_type": "client_credentials"}
    return Client(REMOTE_ADDR=address).post("/o/token", fields, headers=basic(name, secret))


def revoke_form(name: str, secret: str, address: str) -> Any:
    fields = {"token": "x", "client_id": name, "client_secret": secret}
    return Client(REMOTE_ADDR=address).post("/o/revoke_token/", fields)


def revoke_basic(name: str, secret: str, address: str) -> Any:
    return Client(REMOTE_ADDR=address).post("/o/revoke_token/", {"token": "x"}, headers=basic(name, secret))


ADMIN_LOGIN = Door("the admin's log-in", admin_login, PASSWORD, 200, 302)
TOKEN = Door("the token endpoint, by form", token_form, SECRET, 401, 200)
DOORS = [
    ADMIN_LOGIN,
    Door("the API's log-in", api_login, PASSWORD, 200, 302),
    # The new passwords differ, so that the form of a right old password is shown again and changes nothing.
    Door("one's own password", change_password, PASSWORD, 200, 200),
    TOKEN,
    Door("the token endpoint, by header", token_basic, SECRET, 401, 200),
    Door("revocation, by form", revoke_form, SECRET, 401, 200),
    Door("revocation, by header", revoke_basic, SECRET, 401, 200),
]
every_door = pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)


@pytest.fixture
def robot(make_user: MakeUser) -> User:
    """A member of staff named `robot`, and a program with the same client id."""
    user = make_user("robot", is_staff=True)
    model = get_application_model()
    model.objects.create(
        user=user,
        client_id="robot",
        client_secret=SECRET,
        client_type=model.CLIENT_CONFIDENTIAL,
        authorization_grant_type=model.GRANT_CLIENT_CREDENTIALS,
    )
    return user
