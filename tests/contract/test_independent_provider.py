"""Signing in at a provider that others wrote, in a process of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_network
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from pytest_django.fixtures import Settings

from core.people import provider_client

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", "true"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        with httpx.Client(transport=httpx.HTTPTransport(retries=7)) as patient:
            patient.get(f"{address}/jwks").raise_for_status()
        yield address
    finally:
        process.terminate()
        process.wait()


def test_a_person_signs_in_at_an_independent_provider(client: Client, issuer: str, settings: Settings) -> None:
    settings.FEDHUB_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    work = {"issuer": issuer, "client_id": "hub", "client_secret": "words-of-the-client"}
    rules = {"groups": {"ops": "Operators"}, "accounts_for": ["ops"], "staff_for": ["ops"]}
    settings.FEDHUB_SIGN_IN_PROVIDERS = json.dumps({"work": work | rules})
    provider_client.forget_metadata()
    Group.objects.create(name="Operators")
    person = {"preferred_username": "ada", "email": "ada@example.org", "groups": ["ops"]}
    httpx.put(f"{issuer}/users/ada-1", json=person).raise_for_status()

    away = client.get("/admin/sign-in/with/work/?next=/admin/federations/federation/")["Location"]
    back = httpx.post(away, data={"sub": "ada-1"}).headers["Location"]
    parts = urlsplit(back)
    answer = client.get(parts.path, dict(parse_qsl(parts.query)))

    assert answer["Location"] == "/admin/federations/federation/"
    user = User.objects.get(username="ada")
    assert [group.name for group in user.groups.all()] == ["Operators"]
    assert client.get("/admin/").context["user"] == user

    client.post("/admin/logout/")
    assert client.get(parts.path, dict(parse_qsl(parts.query)))["Location"] == "/admin/login/"
