"""What the hub records of the use of a token: the time and the address, at most once a minute."""

from __future__ import annotations

import io
import sqlite3
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from oauth2_provider.models import (
    get_access_token_model,
    get_application_model,
    get_grant_model,
    get_refresh_token_model,
)
from rest_framework.test import APIClient

from core.programs.models import TokenUse
from core.tokens.services import issue_token
from core.tokens.tasks import forget
from tests.api.test_token_roles import token_of_a_person, token_of_a_program
from tests.conftest import MakeUser

pytestmark = pytest.mark.django_db


def use(token: str, address: str = "192.0.2.7") -> Any:
    client = APIClient(headers={"Authorization": f"Bearer {token}"}, REMOTE_ADDR=address)
    return client.get("/api/v1/federations")


@pytest.mark.parametrize("kind", [token_of_a_person, token_of_a_program])
def test_a_use_is_recorded_with_time_and_address(owner: User, kind: Any) -> None:
    raw = kind(owner, "federations-read")
    assert not TokenUse.objects.exists()
    before = timezone.now()
    assert use(raw).status_code == 200
    recorded = get_access_token_model().objects.get().last_use
    assert before <= recorded.used_at <= timezone.now()
    assert recorded.address == "192.0.2.7"


def test_a_token_writes_at_most_once_a_minute_and_each_request_at_most_once(owner: User) -> None:
    raw = issue_token("owner", scopes=["federations-read"], days=1)

    def writes(address: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert use(raw, address).status_code == 200
        return sum("programs_tokenuse" in query["sql"] and "SELECT" not in query["sql"][:8] for query in queries)

    assert writes("192.0.2.7") == 1
    assert writes("192.0.2.8") == 0
    TokenUse.objects.update(used_at=timezone.now() - timedelta(seconds=61))
    assert writes("2001:db8::8") == 1
    assert TokenUse.objects.get().address == "2001:db8::8"


def test_a_refused_token_is_not_recorded(owner: User) -> None:
    raw = issue_token("owner", scopes=["federations-read"], days=1)
    User.objects.update(is_active=False)
    assert use(raw).status_code == 401
    assert not TokenUse.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_request_does_not_wait_for_the_writer_of_sqlite(owner: User) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite has one writer")
    raw = issue_token("owner", scopes=["federations-read"], days=1)
    writer = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    try:
        begin = timezone.now()
        assert use(raw).status_code == 200
        assert timezone.now() - begin < timedelta(seconds=5)
        assert not TokenUse.objects.exists()
    finally:
        writer.execute("ROLLBACK")
        writer.close()
    assert use(raw).status_code == 200
    assert TokenUse.objects.exists()
    assert connection.connection.execute("PRAGMA busy_timeout").fetchone() == (20_000,)


# Lists and ends ------------------------------------------------------------------------------------------------------
def tokens(*arguments: str) -> list[str]:
    out = io.StringIO()
    call_command("tokens", "--user", "owner", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_the_tokens_of_a_user_are_listed_and_revoked_without_being_shown(owner: User, make_user: MakeUser) -> None:
    assert tokens() == ["No token acts for owner."]
    raws = [token_of_a_person(owner, "federations-read"), token_of_a_program(owner, "federations-read")]
    other = token_of_a_person(make_user("other"), "federations-read")
    assert use(raws[0]).status_code == 200
    first, second = tokens()
    assert "federations-read, expires" in first and "from 192.0.2.7" in first
    assert "never used" in second and "robot" in second
    assert not any(raw in line for raw in raws for line in (first, second))

    first_id = first.partition(":")[0]
    with pytest.raises(CommandError, match="owner has no token 999999"):
        tokens("--revoke", first_id, "999999")
    assert use(raws[0]).status_code == 200
    assert tokens("--revoke", first_id) == ["Tokens of owner revoked: 1"]
    assert [use(raw).status_code for raw in raws] == [401, 200]
    assert tokens("--revoke-all") == ["Tokens of owner revoked: 1"]
    assert [use(raw).status_code for raw in (*raws, other)] == [401, 401, 200]


def test_codes_and_tokens_are_forgotten_a_month_after_their_end(owner: User) -> None:
    now = timezone.now()
    access, renewal, grant = get_access_token_model(), get_refresh_token_model(), get_grant_model()
    program = get_application_model().objects.create(user=owner, client_id="desk")

    def store(name: str, ended: timedelta, **of_refresh_token: Any) -> None:
        token = access.objects.create(user=owner, token=name, expires=now - ended, application=program)
        if of_refresh_token:
            renewal.objects.create(user=owner, token=f"r-{name}", application=program, access_token=token)
            renewal.objects.filter(access_token=token).update(**of_refresh_token)

    day = timedelta(days=1)
    store("valid", -day)
    store("ended lately", 29 * day)
    store("ended", 31 * day)
    store("renewable", 31 * day, revoked=None)
    store("given up", 61 * day, revoked=None)
    store("used lately", 31 * day, revoked=now - 29 * day)
    store("used", 31 * day, revoked=now - 31 * day)
    grant.objects.create(user=owner, application=program, code="c", expires=now - timedelta(seconds=1))

    forget()
    kept = {"valid", "ended lately", "renewable", "used lately"}
    assert set(access.objects.values_list("token", flat=True)) == kept
    assert set(renewal.objects.values_list("token", flat=True)) == {"r-renewable", "r-used lately"}
    assert not grant.objects.exists()
