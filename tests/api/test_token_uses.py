"""What the hub records of the use of a token: the time and the address, at most once a minute."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from oauth2_provider.models import get_access_token_model
from rest_framework.test import APIClient

from core.programs.models import TokenUse
from core.tokens.services import issue_token
from tests.api.test_token_roles import token_of_a_person, token_of_a_program

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
