"""A query that is compiled once finds what Django's own finds, however many values it gets."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DEFAULT_DB_ALIAS, connections
from django.test.utils import CaptureQueriesContext
from oauth2_provider.models import get_access_token_model

from core.store.compiled_queries import CompiledQuery, any_of, any_pair
from core.store.many_rows import insert_each
from core.store.unit_of_work import REGISTRY, locked, unit_of_work
from core.tokens.services import Note, issue_token
from peers.models import Intent, Peer, SeenNonce
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db
AT = dt.datetime(2026, 5, 4, 3, 2, 1, 123000, tzinfo=dt.UTC)
ODD = ("plain", "quotes \"' % %s", '["a"]', "é \u2028", "")


@pytest.fixture
def intents() -> list[Intent]:
    """Store some intents, whose titles have characters that a language of queries may treat in its own way."""
    rows = [
        Intent(id=f"i-{number}", title=title, state={"nested": [number, None]}, created_at=AT, updated_at=AT)
        for number, title in enumerate(ODD)
    ]
    with unit_of_work():
        insert_each(rows)
    return rows


@pytest.fixture
def nonces(db: None) -> list[Peer]:
    """Store two peers, each with the nonces a and b."""
    peers = [Peer.objects.create(server_url=f"https://{name}.example.org") for name in ("one", "two")]
    with unit_of_work():
        insert_each([SeenNonce(peer=peer, nonce=nonce, expires_at=AT) for peer in peers for nonce in "ab"])
    return peers


def test_rows_are_those_of_django(intents: list[Intent]) -> None:
    query = CompiledQuery(lambda ids: Intent.objects.filter(any_of("pk", ids)).order_by("pk"))
    for ids in ({"i-1"}, {"i-0", "i-1", "i-4", "other"}, set()):
        found = query.rows(ids)
        expected = list(Intent.objects.filter(pk__in=ids).order_by("pk"))
        assert [vars(row) | {"_state": 0} for row in found] == [vars(row) | {"_state": 0} for row in expected]
        assert all(row.state["nested"][1] is None and row.created_at == AT for row in found)


def test_a_row_of_some_columns_loads_the_others_later_and_is_saved_as_a_known_one(intents: list[Intent]) -> None:
    query = CompiledQuery(lambda ids: Intent.objects.filter(any_of("pk", ids)).order_by().only("title"))
    (row,) = query.rows({"i-1"})
    assert row.get_deferred_fields() and row.state == {"nested": [1, None]}
    row.title = "Another"
    row.save()
    assert Intent.objects.count() == len(ODD) and Intent.objects.get(pk="i-1").title == "Another"


def test_related_rows_come_with_a_row(db: None) -> None:
    user = User.objects.create_superuser("worker")
    for days in (1, 2):
        issue_token("worker", scopes=["federations-read"], days=days, note=Note("build") if days == 1 else None)
    query = CompiledQuery(
        lambda checksums: (
            get_access_token_model()
            .objects.select_related("user", "application__user", "note")
            .filter(any_of("token_checksum", checksums))
            .order_by("expires")
        ),
        DEFAULT_DB_ALIAS,
    )
    checksums = list(get_access_token_model().objects.values_list("token_checksum", flat=True))
    with CaptureQueriesContext(connections[DEFAULT_DB_ALIAS]) as asked:
        one, other = query.rows(checksums)
        assert one.user == other.user == user and one.user.username == "worker"
        assert (one.note.name, one.application, hasattr(other, "note")) == ("build", None, False)
    assert len(asked) == 1


@pytest.mark.parametrize("title", ODD)
def test_every_text_is_found_as_it_is(intents: list[Intent], title: str) -> None:
    query = CompiledQuery(lambda titles: Intent.objects.filter(any_of("title", titles)).order_by())
    assert [row.title for row in query.rows([title])] == [title]
    assert len(query.rows(ODD)) == len(ODD)


def test_conditions_with_other_values_keep_them(intents: list[Intent]) -> None:
    query = CompiledQuery(
        lambda titles, ids: (
            Intent.objects.filter(any_of("title", titles), any_of("pk", ids), title__gt="p")
            .order_by("pk")
            .values_list("pk", "created_at")
        )
    )
    assert [tuple(row) for row in query.rows(ODD, {"i-0", "i-1", "i-2"})] == [("i-0", AT), ("i-1", AT)]
    assert query.rows(["plain"], {"i-1"}) == []


def test_pairs_are_found_as_pairs(nonces: list[Peer]) -> None:
    one, two = (peer.pk for peer in nonces)
    query = CompiledQuery(
        lambda pairs: SeenNonce.objects.filter(any_pair("peer_id", "nonce", pairs)).values_list("peer_id", "nonce")
    )
    given = {(one, "a"), (two, "b"), (two, "c")}
    found = {tuple(row) for row in query.rows(given)}
    is_mongodb = connections[REGISTRY].vendor == "mongodb"
    assert found == {(one, "a"), (two, "b")} | ({(one, "b"), (two, "a")} if is_mongodb else set())
    assert query.rows(set()) == []


def test_a_locking_query_locks_in_its_order(nonces: list[Peer]) -> None:
    query = CompiledQuery(
        lambda ids: locked(Peer.objects.filter(any_of("pk", ids)).order_by("pk").only("state"), no_key=True)
    )
    with unit_of_work(), counted_queries() as asked:
        found = query.rows({peer.pk for peer in nonces})
    assert [peer.pk for peer in found] == sorted(peer.pk for peer in nonces)
    if connections[REGISTRY].vendor == "postgresql":
        assert "FOR NO KEY UPDATE" in asked[-1]


def test_django_compiles_it_once(intents: list[Intent], monkeypatch: pytest.MonkeyPatch) -> None:
    if connections[REGISTRY].vendor == "mongodb":
        pytest.skip("MongoDB gets each query anew")
    made: list[Any] = []

    def make(ids: Any) -> Any:
        made.append(ids)
        return Intent.objects.filter(any_of("pk", ids)).order_by()

    query = CompiledQuery(make)
    assert [len(query.rows([f"i-{number}" for number in range(most)])) for most in range(4)] == [0, 1, 2, 3]
    assert len(made) == 1
