"""The issuer's documents over HTTP."""

from __future__ import annotations

from pathlib import Path

import jwt
import pytest
from django.test import Client
from pytest_django.fixtures import Settings

pytestmark = pytest.mark.urls("core.oidc.urls")


def test_a_verifier_gets_from_the_issuer_to_its_keys(client: Client, settings: Settings, tmp_path: Path) -> None:
    settings.FEDHUB_SERVER_URL = "https://hub.example"
    settings.FEDHUB_OIDC_KEY_PATH = tmp_path / "key.pem"
    discovery = client.get("/.well-known/openid-configuration")
    assert discovery["Content-Type"] == "application/json"
    assert discovery["Cache-Control"] == "public, max-age=300"
    address = discovery.json()["jwks_uri"]
    keys = client.get(address.removeprefix("https://hub.example")).json()
    assert len(jwt.PyJWKSet.from_dict(keys).keys) == 1


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/.well-known/jwks.json"])
def test_the_documents_are_read_only(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405
