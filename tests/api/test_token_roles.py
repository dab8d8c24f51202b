"""A token never has more than the roles of its person give at the time of the request."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from oauth2_provider.models import get_application_model
from rest_framework.test import APIClient

from core.tokens.services import issue_token
from federations.models import AccessLevel, Federation
from federations.services.access import grant
from tests.conftest import PERMISSIONS_OF_SCOPES, MakeUser, give_scopes

pytestmark = pytest.mark.django_db

FEDERATIONS = "/api/v1/federations"
REQUESTS = {
    "federations-write": ("post", FEDERATIONS),
    "system-ops": ("post", "/api/v1/federation/agentcore/runtime/sync"),
    "peers-read": ("get", "/api/v1/intents"),
    "peers-write": ("post", "/api/v1/federation/dispatch"),
}


def token_of_a_person(user: User, scope: str) -> str:
    return issue_token(user.username, scopes=[scope], days=1)


def token_of_a_program(user: User, scope: str) -> str:
    model = get_application_model()
    values = {"client_type": model.CLIENT_CONFIDENTIAL, "authorization_grant_type": model.GRANT_CLIENT_CREDENTIALS}
    model.objects.create(user=user, client_id="robot", client_secret="machine secret", **values)
    form = f"grant_type=client_credentials&client_id=robot&client_secret=machine+secret&scope={scope}"
    answer = APIClient().post("/o/token", form, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 200, answer.content
    return str(answer.json()["access_token"])


KINDS = pytest.mark.parametrize("kind", [token_of_a_person, token_of_a_program])


def use(token: str, scope: str) -> int:
    method, path = REQUESTS[scope]
    body = {"runtimeArn": 1, "providerType": 1} if method == "post" else None
    client = APIClient(headers={"Authorization": f"Bearer {token}"})
    return int(getattr(client, method)(path, body, format="json").status_code)


@KINDS
@pytest.mark.parametrize("scope", REQUESTS)
def test_a_token_loses_a_scope_with_the_permission_and_gets_it_back(make_user: MakeUser, kind: Any, scope: str) -> None:
    user = give_scopes(make_user("ines"))
    token = kind(user, scope)
    assert use(token, scope) in (200, 400, 404, 422)
    user.user_permissions.remove(*Permission.objects.filter(codename=PERMISSIONS_OF_SCOPES[scope]))
    assert use(token, scope) == 403
    give_scopes(user)
    assert use(token, scope) != 403


@KINDS
@pytest.mark.parametrize("scope", REQUESTS)
def test_a_token_loses_a_scope_with_the_group(make_user: MakeUser, kind: Any, scope: str) -> None:
    group, user = Group.objects.create(name="operators"), make_user("ines")
    group.permissions.set(Permission.objects.filter(codename__in=PERMISSIONS_OF_SCOPES.values()))
    user.groups.add(group)
    token = kind(user, scope)
    assert use(token, scope) != 403
    user.groups.clear()
    assert use(token, scope) == 403


@KINDS
@pytest.mark.parametrize("lost", ["is_superuser", "is_staff"])
def test_a_token_loses_a_scope_with_the_rank(make_user: MakeUser, kind: Any, lost: str) -> None:
    user = make_user("ines", **{lost: True})
    token = kind(user, "federations-write")
    assert use(token, "federations-write") == 400
    User.objects.filter(pk=user.pk).update(**{lost: False})
    assert use(token, "federations-write") == 403


@KINDS
@pytest.mark.parametrize("scope", REQUESTS)
def test_a_token_of_an_inactive_person_is_refused(make_user: MakeUser, kind: Any, scope: str) -> None:
    user = give_scopes(make_user("ines"))
    token = kind(user, scope)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert use(token, scope) == 401


def test_a_program_of_an_inactive_person_gets_no_token(make_user: MakeUser) -> None:
    user = give_scopes(make_user("ines"))
    token_of_a_program(user, "peers-read")
    User.objects.filter(pk=user.pk).update(is_active=False)
    for scope in ("", "&scope=peers-read", "&scope=federations-read"):
        form = f"grant_type=client_credentials&client_id=robot&client_secret=machine+secret{scope}"
        answer = APIClient().post("/o/token", form, content_type="application/x-www-form-urlencoded")
        if answer.status_code == 200:
            client = APIClient(headers={"Authorization": f"Bearer {answer.json()['access_token']}"})
            assert answer.json()["scope"] == ""
            assert client.get(FEDERATIONS).status_code == 401


@pytest.mark.parametrize("level", [AccessLevel.EDIT, AccessLevel.OWNER])
@pytest.mark.parametrize("by_group", [False, True])
def test_a_grant_on_a_federation_gives_the_writing_scope_there_alone(
    make_user: MakeUser, federation: Federation, level: AccessLevel, by_group: bool
) -> None:
    user, group = make_user("ines"), Group.objects.create(name="editors")
    user.groups.add(group)
    client = APIClient(headers={"Authorization": f"Bearer {token_of_a_person(user, 'federations-write')}"})
    path = f"{FEDERATIONS}/{federation.pk}"
    assert client.put(path, {}, format="json").status_code == 403
    row = grant(federation, level=level, **({"group": group} if by_group else {"user": user}))
    assert client.put(path, {}, format="json").status_code == 400
    created = client.post(FEDERATIONS, {"displayName": "x", "providerType": "aws_agentcore"}, format="json")
    assert (created.status_code, created.json()) == (403, {"detail": "Insufficient permissions"})
    row.delete()
    assert client.put(path, {}, format="json").json() == {"detail": "Insufficient permissions"}
