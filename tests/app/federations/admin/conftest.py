"""Staff with different permissions, and a cloud account in memory as the provider of every service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.app.federations.admin.cloud import MemoryCloud, put_in_place


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, settings: LazySettings, tmp_path: Path) -> MemoryCloud:
    return put_in_place(monkeypatch, settings, tmp_path)


@pytest.fixture
def admin(db: None, cloud: MemoryCloud) -> Client:
    """Sign in as a superuser."""
    return signed_in(User.objects.create_superuser("operator", password="a long enough password"))


@pytest.fixture
def staff(db: None, cloud: MemoryCloud) -> Callable[..., Client]:
    """Return a function that signs in as a staff member with only the named permissions."""

    def sign_in(*codenames: str, username: str = "ines") -> Client:
        user = User.objects.create_user(username, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        return signed_in(user)

    return sign_in


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client
