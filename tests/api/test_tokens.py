"""Issuing tokens: the command, and the OAuth token endpoint."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from oauth2_provider.models import get_access_token_model, get_application_model
from rest_framework.test import APIClient

from tests.conftest import MakeUser

pytestmark = pytest.mark.django_db

KNOWN = "agents-run, federations-read, federations-write, peers-read, peers-write, system-ops"


def run(**options: Any) -> list[str]:
    out = io.StringIO()
    call_command("issue_token", stdout=out, **options)
    return out.getvalue().splitlines()


def test_issue_token_prints_the_token_alone_on_its_last_line(owner: User) -> None:
    lines = run(user="owner", scopes="federations-read federations-write", days=2)
    assert lines[0] == "A token of owner for federations-read federations-write, valid for 2 days."
    assert any("Authorization: Bearer" in line for line in lines)
    response = APIClient().get("/api/v1/federations", headers={"X-API-Key": lines[-1]})
    assert response.status_code == 200


def test_issue_token_names_the_scopes_that_the_roles_do_not_give(make_user: MakeUser) -> None:
    make_user("ines")
    lines = run(user="ines", scopes="federations-read peers-write system-ops", days=2)
    told = "Today the roles of ines do not give peers-write system-ops; the token has it once they do."
    assert lines[1] == told


def test_issue_token_counts_its_days_from_now(owner: User) -> None:
    run(user="owner", scopes="federations-read", days=2)
    token = get_access_token_model().objects.get()
    assert 2 * 86400 - 60 < (token.expires - token.created).total_seconds() <= 2 * 86400


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"user": "nobody"}, "There is no user named 'nobody'"),
        ({"user": "gone"}, "The user 'gone' is inactive"),
        (
            {"scopes": "federations-read root"},
            f"Unknown scope root; known are {KNOWN}",
        ),
        ({"scopes": " "}, f"Name at least one scope: {KNOWN}"),
        ({"days": 0}, "days: must be from 1 to 3650"),
        ({"days": 3651}, "days: must be from 1 to 3650"),
    ],
)
def test_issue_token_explains_a_refusal(
    owner: User, make_user: MakeUser, options: dict[str, Any], message: str
) -> None:
    make_user("gone", is_active=False)
    with pytest.raises(CommandError) as refused:
        run(**({"user": "owner", "scopes": "federations-read", "days": 1} | options))
    assert str(refused.value) == message
    assert not get_access_token_model().objects.exists()


# The token endpoint -------------------------------------------------------------------------------------------------
def register(user: User, **columns: Any) -> None:
    model = get_application_model()
    values = {"client_type": model.CLIENT_CONFIDENTIAL, "authorization_grant_type": model.GRANT_CLIENT_CREDENTIALS}
    model.objects.create(user=user, client_id="robot", client_secret="machine secret", **(values | columns))


def ask(path: str = "/o/token/", **form: str) -> Any:
    credentials = {"client_id": "robot", "client_secret": "machine secret"}
    return APIClient().post(path, "&".join(f"{k}={v}" for k, v in (credentials | form).items()).replace(" ", "+"),
                            content_type="application/x-www-form-urlencoded")  # fmt: skip


def test_an_application_gets_a_token_that_works_until_it_is_revoked(owner: User) -> None:
    register(owner)
    granted = ask(grant_type="client_credentials").json()
    assert granted["scope"] == "federations-read"
    header = {"Authorization": f"Bearer {granted['access_token']}"}
    assert APIClient().get("/api/v1/federations", headers=header).status_code == 200
    assert ask("/o/revoke_token/", token=granted["access_token"]).status_code == 200
    assert APIClient().get("/api/v1/federations", headers=header).status_code == 401


def test_an_application_gets_no_scope_that_its_owners_roles_do_not_give(make_user: MakeUser) -> None:
    register(make_user("plain"))
    for scope in ("federations-write", "system-ops", "federations-read system-ops"):
        refused = ask(grant_type="client_credentials", scope=scope)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")
    get_application_model().objects.update(user=make_user("root", is_superuser=True))
    granted = ask(grant_type="client_credentials", scope="federations-write system-ops").json()
    assert granted["scope"].split() == ["federations-write", "system-ops"]


def test_a_wrong_secret_gets_no_token(owner: User) -> None:
    register(owner)
    refused = ask(grant_type="client_credentials", client_secret="wrong")
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert not get_access_token_model().objects.exists()


def test_a_password_gets_no_token(owner: User) -> None:
    register(owner, authorization_grant_type=get_application_model().GRANT_PASSWORD)
    refused = ask(grant_type="password", username="owner", password="correct horse battery")
    assert refused.status_code == 400
    assert not get_access_token_model().objects.exists()


@pytest.mark.parametrize(
    "path", ["/o/authorized_tokens/", "/o/applications/", "/o/introspect/", "/o/register/", "/o/device/"]
)
def test_no_other_oauth_page_is_served(path: str) -> None:
    assert APIClient().get(path).status_code == 404
