"""Authentication of callers: tokens in both headers, sessions, and the text of each refusal."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.utils import timezone
from oauth2_provider.models import get_access_token_model, get_application_model, set_token_value
from rest_framework.test import APIClient

from core.oidc.signing_key import load_or_create
from core.tokens.services import issue_token
from federations.models import Federation
from tests.conftest import Api, MakeUser

FEDERATIONS = "/api/v1/federations"
REFUSED = {"detail": "JWT or session authentication required"}
NO_SCOPE = {"detail": "Insufficient permissions"}

pytestmark = pytest.mark.django_db


def token_of(user: User | None, *, application: Any = None, **columns: Any) -> str:
    """Store a token with columns that `issue_token` never writes."""
    raw = "raw-token-for-tests"
    values = {"scope": "federations-read", "expires": timezone.now() + timedelta(days=1)} | columns
    token = get_access_token_model()(user=user, application=application, **values)
    set_token_value(token, raw)
    token.save()
    return raw


def get(**headers: str) -> Any:
    return APIClient().get(FEDERATIONS, headers={name.replace("_", "-"): value for name, value in headers.items()})


def assert_refused(response: Any) -> None:
    assert response.status_code == 401
    assert response.json() == REFUSED
    assert response["WWW-Authenticate"] == 'Bearer realm="fedhub"'


def test_a_token_is_taken_in_either_header(owner: User) -> None:
    token = issue_token("owner", scopes=["federations-read"], days=1)
    assert get(Authorization=f"Bearer {token}").status_code == 200
    assert get(Authorization=f"bearer  {token}").status_code == 200
    assert get(X_API_Key=token).status_code == 200
    assert get(X_API_Key=token, Authorization=f"Bearer {token}").status_code == 200


def test_no_credential_is_refused() -> None:
    assert_refused(APIClient().get(FEDERATIONS))


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer unknown"},
        {"Authorization": "Bearer a b"},
        {"Authorization": "Bearer a,b"},
        {"Authorization": "Token {token}"},
        {"Authorization": "{token}"},
        {"Authorization": "Basic b3duZXI6cGFzc3dvcmQ="},
        {"Authorization": "Bearer {token}x"},
        {"Authorization": "Bearer é"},
        {"Authorization": "Bearer " + "a" * 5000},
        {"X_API_Key": ""},
        {"X_API_Key": "unknown"},
        {"X_API_Key": "Bearer {token}"},
        {"X_API_Key": "{token}", "Authorization": "Bearer unknown"},
        {"X_API_Key": "unknown", "Authorization": "Bearer {token}"},
        {"X_API_Key": "{token}", "Authorization": "Basic b3duZXI6cGFzc3dvcmQ="},
    ],
    ids=str,
)
def test_a_bad_header_is_refused_beside_any_other_header(owner: User, headers: dict[str, str]) -> None:
    token = issue_token("owner", scopes=["federations-read"], days=1)
    assert_refused(get(**{name: value.format(token=token) for name, value in headers.items()}))


def test_a_bad_header_is_refused_beside_a_valid_session(owner: User) -> None:
    client = APIClient()
    client.force_login(owner)
    assert client.get(FEDERATIONS).status_code == 200
    assert_refused(client.get(FEDERATIONS, headers={"Authorization": "Bearer unknown"}))
    assert_refused(client.get(FEDERATIONS, headers={"X-API-Key": ""}))


def test_an_expired_token_is_refused(owner: User) -> None:
    raw = token_of(owner, expires=timezone.now() - timedelta(seconds=1))
    assert_refused(get(Authorization=f"Bearer {raw}"))


def test_the_token_of_an_inactive_user_is_refused(owner: User) -> None:
    token = issue_token("owner", scopes=["federations-read"], days=1)
    User.objects.update(is_active=False)
    assert_refused(get(Authorization=f"Bearer {token}"))


def test_a_token_for_another_server_is_refused(owner: User) -> None:
    raw = token_of(owner, resource=["https://other.example.com/"])
    assert_refused(get(Authorization=f"Bearer {raw}"))


def test_a_token_for_this_server_is_taken(owner: User) -> None:
    raw = token_of(owner, resource=[settings.FEDHUB_SERVER_URL])
    assert get(Authorization=f"Bearer {raw}").status_code == 200


def make_application(user: User | None, **columns: Any) -> Any:
    model = get_application_model()
    values = {"client_type": model.CLIENT_CONFIDENTIAL, "authorization_grant_type": model.GRANT_CLIENT_CREDENTIALS}
    return model.objects.create(user=user, name="robot", **(values | columns))


def test_a_machine_token_acts_as_its_applications_owner(owner: User, federation: Federation) -> None:
    raw = token_of(None, application=make_application(owner))
    shown = get(Authorization=f"Bearer {raw}").json()
    assert [row["id"] for row in shown["federations"]] == [federation.id]


def test_a_machine_token_without_an_owner_is_refused() -> None:
    raw = token_of(None, application=make_application(None))
    assert_refused(get(Authorization=f"Bearer {raw}"))


def test_a_machine_token_of_an_inactive_owner_is_refused(make_user: MakeUser) -> None:
    raw = token_of(None, application=make_application(make_user("gone", is_active=False)))
    assert_refused(get(Authorization=f"Bearer {raw}"))


def test_a_token_that_the_hub_signs_for_runtimes_is_refused(owner: User, tmp_path: Path) -> None:
    import jwt

    key = load_or_create(settings.FEDHUB_OIDC_KEY_PATH)
    claims = {"sub": str(owner.pk), "iss": settings.FEDHUB_SERVER_URL, "scope": "federations-read"}
    signed = jwt.encode(claims, key.private_key, algorithm="RS256", headers={"kid": key.kid})
    assert_refused(get(Authorization=f"Bearer {signed}"))


def test_no_column_of_any_table_holds_a_raw_token(owner: User, client: Any) -> None:
    issued = issue_token("owner", scopes=["federations-read"], days=1)
    make_application(owner, client_id="robot", client_secret="machine secret")
    granted = client.post(
        "/o/token/",
        {"grant_type": "client_credentials", "client_id": "robot", "client_secret": "machine secret"},
    ).json()["access_token"]
    stored = everything_stored()
    for raw in (issued, granted, "machine secret"):
        assert raw not in stored
    assert hashlib.sha256(issued.encode()).hexdigest() in stored


def everything_stored() -> str:
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        assert "oauth2_provider_accesstoken" in tables
        rows = []
        for table in tables:
            # SQLite's index of substrings has no texts, and cannot be read as a table.
            if table.endswith("_trigrams"):
                continue
            cursor.execute(f'SELECT * FROM "{table}"')
            rows += cursor.fetchall()
    return repr(rows)


# Scopes -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("get", FEDERATIONS, "federations-read"),
        ("get", f"{FEDERATIONS}/{'0' * 24}", "federations-read"),
        ("get", f"{FEDERATIONS}/{'0' * 24}/jobs", "federations-read"),
        ("get", f"{FEDERATIONS}/{'0' * 24}/jobs/{'0' * 24}", "federations-read"),
        ("get", "/api/v1/servers", "federations-read"),
        ("get", f"/api/v1/servers/{'0' * 24}", "federations-read"),
        ("get", "/api/v1/agents", "federations-read"),
        ("get", f"/api/v1/agents/{'0' * 24}", "federations-read"),
        ("get", "/api/v1/search?query=x", "federations-read"),
        ("post", FEDERATIONS, "federations-write"),
        ("put", f"{FEDERATIONS}/{'0' * 24}", "federations-write"),
        ("delete", f"{FEDERATIONS}/{'0' * 24}", "federations-write"),
        ("post", f"{FEDERATIONS}/{'0' * 24}/sync", "federations-write"),
        ("post", "/api/v1/federation/agentcore/runtime/sync", "system-ops"),
    ],
)
def test_each_endpoint_needs_its_own_scope(api: Api, owner: User, method: str, path: str, scope: str) -> None:
    others = " ".join(sorted({"federations-read", "federations-write", "system-ops"} - {scope}))
    refused = getattr(api(owner, others), method)(path)
    assert (refused.status_code, refused.json()) == (403, NO_SCOPE)
    assert_refused(getattr(api(), method)(path))
    body = {"runtimeArn": 1, "providerType": 1}
    passed = getattr(api(owner, scope), method)(path, body if method != "get" else None, format="json")
    assert passed.status_code in (200, 400, 404)


@pytest.mark.parametrize(
    ("attributes", "permissions", "may_write", "may_operate"),
    [
        ({}, [], False, False),
        ({"is_staff": True}, [], True, False),
        ({}, ["add_federation"], True, False),
        ({}, ["system_ops"], False, True),
        ({"is_superuser": True}, [], True, True),
    ],
)
def test_a_session_has_the_scopes_of_its_roles(
    make_user: MakeUser, attributes: dict[str, bool], permissions: list[str], may_write: bool, may_operate: bool
) -> None:
    user = make_user("somebody", **attributes)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = APIClient()
    client.force_login(user)
    assert client.get(FEDERATIONS).status_code == 200
    assert client.post(FEDERATIONS, {}, format="json").status_code == (400 if may_write else 403)
    legacy = client.post("/api/v1/federation/agentcore/runtime/sync", {"dryRun": 1}, format="json")
    assert legacy.status_code == (400 if may_operate else 403)


def test_the_session_of_a_user_who_became_inactive_is_refused(owner: User) -> None:
    client = APIClient()
    client.force_login(owner)
    User.objects.update(is_active=False)
    assert_refused(client.get(FEDERATIONS))


def test_a_session_needs_the_csrf_token_for_unsafe_methods(make_user: MakeUser) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(make_user("staff", is_staff=True))
    refused = client.post(FEDERATIONS, {"displayName": "x", "providerType": "aws_agentcore"}, format="json")
    assert refused.status_code == 403
    assert refused.json() == {"detail": "CSRF Failed: CSRF cookie not set."}
    assert not Federation.objects.exists()


def test_a_token_needs_no_csrf_token(owner: User) -> None:
    token = issue_token("owner", scopes=["federations-write"], days=1)
    client = APIClient(enforce_csrf_checks=True)
    created = client.post(
        FEDERATIONS,
        {"displayName": "x", "providerType": "aws_agentcore"},
        format="json",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert created.status_code == 201
