"""Providers that the tests of signing in share, and the setting that names them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django.fixtures import Settings

from core.people import accounts, provider_client
from tests.app.core.people.provider import Provider, running_provider
from tests.conftest import MakeUser

Configure = Callable[..., None]


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Provider, Provider]]:
    with running_provider() as one, running_provider() as two:
        yield one, two


@pytest.fixture
def configure(servers: tuple[Provider, Provider], settings: Settings) -> Configure:
    """Set the two providers, with more keys for the first."""

    def set_providers(**more: Any) -> None:
        client = {"client_id": "hub", "client_secret": "s3cret-words-of-the-hub"}
        plain = [{"issuer": each.issuer, **client} for each in servers]
        settings.FEDHUB_SIGN_IN_PROVIDERS = json.dumps({"one": plain[0] | more, "two": plain[1]})

    return set_providers


@pytest.fixture
def providers(
    db: None, servers: tuple[Provider, Provider], configure: Configure, settings: Settings
) -> tuple[Provider, Provider]:
    """Two providers that answer rightly, whose addresses the guard allows."""
    for server in servers:
        server.__init__(int(server.issuer.rpartition(":")[2]))  # type: ignore[misc]
    settings.FEDHUB_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    configure()
    provider_client.forget_metadata()
    return servers


@pytest.fixture
def provider(providers: tuple[Provider, Provider]) -> Provider:
    return providers[0]


@pytest.fixture
def ada(make_user: MakeUser, provider: Provider) -> User:
    """A superuser with the e-mail address ada@example.org, linked to ada-1 of the first provider."""
    user = make_user("ada", is_staff=True, is_superuser=True, email="ada@example.org")
    accounts.link(user, issuer=provider.issuer, subject="ada-1")
    return user
