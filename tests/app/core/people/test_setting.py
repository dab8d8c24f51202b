"""The setting of providers is read strictly, and wrong combinations are system checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from core.people.checks import check_groups, check_password_login, check_providers
from core.people.provider_client import _checked_metadata
from core.people.providers import SettingError, read_providers

RIGHT: dict[str, Any] = {"issuer": "https://login.example.com", "client_id": "hub"}
FAULTS: dict[str, Any] = {
    "unknown key hue": {"hue": "red"},
    "issuer is missing": {"issuer": None},
    "issuer is not an http(s) address": {"issuer": "login.example.com"},
    "scopes lacks openid": {"scopes": ["profile"]},
    "claims has the unknown field mail": {"claims": {"mail": "email"}},
    "groups is not an object": {"groups": ["Operators"]},
    "accounts_for is not a list": {"accounts_for": "*"},
    "client_secret_file cannot be read": {"client_secret_file": "no/such/file"},
    "not both": {"client_secret": "a", "client_secret_file": "b"},
}


@pytest.mark.parametrize("message", FAULTS)
def test_a_fault_of_the_setting_is_named(settings: Settings, message: str) -> None:
    given = {name: value for name, value in (RIGHT | FAULTS[message]).items() if value is not None}
    settings.FEDHUB_SIGN_IN_PROVIDERS = json.dumps({"work": given})
    (found,) = check_providers(None)
    assert message in found.msg
    assert found.id == "people.E001"
    assert found.hint


@pytest.mark.parametrize("text", ["[]", "{", '{"Work": {}}', '{"work": []}', '{"a": %s, "b": %s}'])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(SettingError):
        read_providers(text.replace("%s", json.dumps(RIGHT)))


def test_a_secret_comes_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from the file\n")
    provider = read_providers(json.dumps({"work": RIGHT | {"client_secret_file": str(tmp_path / "secret")}}))["work"]
    assert provider.client_secret == "from the file"
    assert "from the file" not in repr(provider)


def test_wrong_combinations_are_checks(settings: Settings) -> None:
    settings.FEDHUB_PASSWORD_LOGIN = False
    assert [found.id for found in check_password_login(None)] == ["people.E003"]
    everyone = RIGHT | {"accounts_for": ["*"], "staff_for": ["*"]}
    inside = RIGHT | {"issuer": "https://10.0.0.1"}
    settings.FEDHUB_SIGN_IN_PROVIDERS = json.dumps({"work": everyone, "inside": inside})
    assert check_password_login(None) == []
    assert {found.id for found in check_providers(None)} == {"people.W001", "people.E002"}


@pytest.mark.django_db
def test_a_missing_group_is_named(settings: Settings) -> None:
    settings.FEDHUB_SECOND_FACTOR = ["superusers", "Approvrs"]
    (found,) = check_groups(None, databases=["default"])
    assert "Approvrs" in found.msg


@pytest.mark.django_db
def test_no_door_takes_a_password_where_passwords_are_off(
    client: Client, settings: Settings, django_user_model: Any
) -> None:
    django_user_model.objects.create_superuser("root", password="correct horse battery")
    settings.FEDHUB_PASSWORD_LOGIN = False
    settings.FEDHUB_SIGN_IN_PROVIDERS = json.dumps({"work": RIGHT | {"title": "Example Inc."}})
    page = client.get("/admin/login/?next=/admin/peers/peer/").content.decode()
    assert 'type="password"' not in page
    assert "Example Inc." in page
    assert "?purpose=sign-in&amp;next=%2Fadmin%2Fpeers%2Fpeer%2F" in page
    for door in ("/admin/login/", "/api/auth/login/"):
        client.post(door, {"username": "root", "password": "correct horse battery"})
        assert client.get("/admin/").status_code == 302
    client.force_login(django_user_model.objects.get())
    assert client.post("/admin/password_change/", {"old_password": "a"})["Location"] == "/admin/security/"


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://login.example.com/"},
        {"token_endpoint": "ftp://login.example.com"},
        {"jwks_uri": None},
        {"id_token_signing_alg_values_supported": ["none", "HS256"]},
    ],
)
def test_unusable_metadata_is_refused(changed: dict[str, Any]) -> None:
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    right = {"issuer": RIGHT["issuer"]} | {name: f"https://login.example.com/{name}" for name in names}
    assert _checked_metadata(right, RIGHT["issuer"])["id_token_signing_alg_values_supported"] == ["RS256"]
    with pytest.raises((ValueError, KeyError)):
        _checked_metadata(right | changed, RIGHT["issuer"])
