"""Documents: JSON that is text on every store, and the migrations of their rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, cast

import pytest
from django.apps import apps
from django.core.exceptions import FieldError
from django.db import connections, models

from core.store.document_rows import store_as_json, store_as_text
from core.store.documents import DocumentField
from core.store.many_rows import update_each
from core.store.unit_of_work import REGISTRY
from federations.models import A2aAgent, McpServer
from peers.models import Dispatch, Intent, OutboundCallback, Peer, ReceivedDispatch
from tests.conftest import MakeAgent, MakeServer

pytestmark = pytest.mark.django_db
REGISTRY_APPS = ("federations", "peers")
# Neither sent nor compared: counters and texts that the hub writes; and texts alone, which no store changes.
KEPT_AS_JSON = {
    "federations.SyncJob.summary", "federations.SyncJob.changes",
    "federations.SyncJob.plan_summary", "federations.StoredPlan.summary", "federations.StoredPlan.classes",
    "federations.StoredPlan.basis", "federations.StoredPlan.held_by",
    "federations.Federation.provider_config", "peers.Peer.callback_origins",
}  # fmt: skip
DOCUMENT = {
    "z": 1e21, "a": [-0.0, 1.0, 2**63 - 1, -(2**63)], "big": 10**200, "text": "é\U0001f600\0\ud800", "m": {"b": None},
}  # fmt: skip
INTENT = {"Intent": ("state", "constraints")}


def fields_of(kind: type[models.Field[Any, Any]]) -> set[str]:
    return {
        f"{app}.{model.__name__}.{field.name}"
        for app in REGISTRY_APPS
        for model in apps.get_app_config(app).get_models()
        if not model._meta.proxy
        for field in model._meta.concrete_fields
        if isinstance(field, kind)
    }


def raw(row: models.Model, column: str) -> Any:
    """Return the column as the database holds it."""
    connection: Any = connections[REGISTRY]
    if connection.vendor == "mongodb":
        rows = connection.get_collection(row._meta.db_table)
        return rows.find_one({row._meta.pk.column: row.pk}, session=connection.session)[column]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {row._meta.db_table} WHERE id = %s", [row.pk])
        return cursor.fetchone()[0]


def put(row: models.Model, column: str, value: str) -> None:
    """Write a column as the former migrations and databases have left it: JSON, on MongoDB as a document."""
    connection: Any = connections[REGISTRY]
    if connection.vendor == "mongodb":
        found = {"$set": {column: json.loads(value)}}
        rows = connection.get_collection(row._meta.db_table)
        rows.update_one({row._meta.pk.column: row.pk}, found, session=connection.session)
        return
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {row._meta.db_table} SET {column} = %s WHERE id = %s", [value, row.pk])


def editor() -> Any:
    connection: Any = connections[REGISTRY]
    return connection.SchemaEditorClass(connection)


def canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def test_only_what_is_neither_sent_nor_compared_as_a_number_is_a_database_s_json() -> None:
    assert fields_of(models.JSONField) == KEPT_AS_JSON
    assert len(fields_of(DocumentField)) == 40


def test_a_document_comes_back_as_it_went_in_with_its_members_in_order() -> None:
    intent = Intent.objects.create(title="x", state=DOCUMENT)
    Intent.objects.filter(pk=intent.pk).update(constraints=DOCUMENT)
    stored = Intent.objects.get(pk=intent.pk)
    assert json.dumps(stored.state) == json.dumps(stored.constraints) == json.dumps(DOCUMENT)
    assert raw(intent, "state") == json.dumps(DOCUMENT, separators=(",", ":"))


def test_a_discovered_document_keeps_numbers_of_any_size(make_server: MakeServer, make_agent: MakeAgent) -> None:
    schema = {"inputSchema": {"maximum": 10**30, "multipleOf": 1e-21, "default": -0.0, "minimum": -1e21}}
    server = make_server(None, tools=[schema], capabilities=schema, resources=[schema], prompts=[schema])
    make_agent(None, card=schema, skills=[schema], runtime_access=schema)
    stored, agent = McpServer.objects.get(), A2aAgent.objects.get()
    for found in (stored.tools[0], stored.capabilities, stored.resources[0], stored.prompts[0], agent.card,
                  agent.skills[0], agent.runtime_access):  # fmt: skip
        assert canonical(found) == canonical(schema)
    server.tools = [schema, schema]
    update_each([server], ["tools"], batch_size=10)
    assert canonical(McpServer.objects.get().tools) == canonical([schema, schema])


@pytest.mark.parametrize("value", [{"bad": float("nan")}, {"bad": float("inf")}, {"bad": object()}])
def test_a_value_that_is_not_json_is_refused(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        Intent.objects.create(title="x", state=value)


def test_none_is_null() -> None:
    Dispatch.objects.create(id="d", target_server="https://a.example", envelope="{}", attestation=None)
    assert Dispatch.objects.get(attestation__isnull=True).attestation is None


@pytest.mark.parametrize("lookup", ["state", "state__contains", "state__a", "state__regex", "state__in"])
def test_a_look_up_in_a_document_is_refused(lookup: str) -> None:
    with pytest.raises(FieldError):
        list(Intent.objects.filter(**{lookup: {"a": 1}}))


# Migrations of rows ---------------------------------------------------------------------------------------------------
def test_old_rows_become_text_of_one_form_and_integers_that_were_floats_are_floats_again() -> None:
    intents = [Intent.objects.create(title=str(number)) for number in range(501)]
    for intent in intents[:2] + intents[-1:]:
        put(intent, "state", '{"n": 1e21, "m": [1, -0.5], "deep": {"list": [{"x": 9223372036854775807}]}}')
    if connections[REGISTRY].vendor != "mongodb":
        put(intents[0], "state", '{"n": 1000000000000000000000, "m": [1, 9223372036854775808]}')
    for _ in range(2):
        store_as_text(apps, editor(), "peers", INTENT)
        expected = '{"n":1e+21,"m":[1,-0.5],"deep":{"list":[{"x":9223372036854775807}]}}'
        assert raw(intents[1], "state") == raw(intents[-1], "state") == expected
        assert raw(intents[2], "state") == "{}"
    if connections[REGISTRY].vendor != "mongodb":
        assert raw(intents[0], "state") == '{"n":1e+21,"m":[1,9.223372036854776e+18]}'


def test_a_row_that_is_not_migrated_yet_is_read() -> None:
    intent = Intent.objects.create(title="x")
    put(intent, "state", '{"n": [1, {"a": "b"}]}')
    assert Intent.objects.get().state == {"n": [1, {"a": "b"}]}


def test_text_becomes_json_again() -> None:
    intent = Intent.objects.create(title="x", state={"n": 10**30, "m": 7}, constraints={"a": ["b"]})
    store_as_json(apps, editor(), "peers", INTENT)
    if connections[REGISTRY].vendor == "mongodb":
        assert raw(intent, "state") == {"n": 1e30, "m": 7}
    store_as_text(apps, editor(), "peers", INTENT)
    assert canonical(Intent.objects.get().state) == canonical({"n": 1e30, "m": 7})
    assert Intent.objects.get().constraints == {"a": ["b"]}


def test_callbacks_are_numbered_by_their_times_and_an_end_comes_last() -> None:
    peer = Peer.objects.create(server_url="https://hub.example.org")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for name in "ab":
        received = ReceivedDispatch.objects.create(peer=peer, dispatch_id=name, accepted=True, envelope={})
        for number, event in enumerate(["completed", "state_delta", "budget_warning"], 11):
            OutboundCallback.objects.create(
                received=received, peer=peer, event_type=event, idempotency_key=event, body="{}", created_at=now,
                sequence=number,
            )  # fmt: skip
    migration = import_module("peers.migrations.0006_document_rows")
    for _ in range(2):
        migration.number_callbacks(apps, editor())
        for received in ReceivedDispatch.objects.all():
            rows = list(received.callbacks.order_by("sequence").values_list("sequence", "event_type"))
            assert sorted(number for number, _ in rows) == [1, 2, 3]
            assert rows[-1][1] == "completed"


# Indexes --------------------------------------------------------------------------------------------------------------
def test_no_index_of_one_column_is_the_beginning_of_another_index() -> None:
    covered = []
    for app in REGISTRY_APPS:
        for model in apps.get_app_config(app).get_models():
            meta, local = model._meta, cast(list[Any], model._meta.local_fields)
            whole = [index.fields for index in meta.indexes if not index.condition]
            whole += [list(each.fields) for each in meta.total_unique_constraints]
            starts = {fields[0] for fields in whole}
            covered += [str(field) for field in local if field.db_index and field.name in starts]
    assert covered == []


def test_no_uniqueness_is_escaped_by_a_null() -> None:
    """Each unique constraint over an optional column has a second one for the rows without a value."""
    for app in REGISTRY_APPS:
        for model in apps.get_app_config(app).get_models():
            unique = [each for each in model._meta.constraints if isinstance(each, models.UniqueConstraint)]
            for constraint in unique:
                for name in constraint.fields:
                    if model._meta.get_field(name).null:
                        wanted = models.Q(**{f"{name}__isnull": True})
                        assert any(each.condition == wanted for each in unique), constraint.name


@pytest.mark.parametrize(
    ("card", "names"),
    [
        ({"name": " Rx Guardian ", "provider": {"organization": "Clinic"}}, ("Rx Guardian", "Clinic")),
        ({"name": "Rx Guardian", "provider": "Clinic"}, ("Rx Guardian", "")),
        ({"name": 7, "provider": {"organization": None}}, ("", "")),
        ([], ("", "")),
    ],
)
def test_stored_agents_get_the_names_on_their_cards(make_agent: MakeAgent, card: Any, names: tuple[str, str]) -> None:
    agent = make_agent(None, card=card, card_name="", organization="")
    migration = import_module("federations.migrations.0009_names_on_cards")
    migration.fill_names(apps, editor())
    agent.refresh_from_db()
    assert (agent.card_name, agent.organization) == names


@pytest.mark.parametrize(("skills", "count"), [([{"id": "a"}, {"id": "b"}], 2), ([], 0), ({"id": "a"}, 0)])
def test_stored_agents_get_the_number_of_their_skills(make_agent: MakeAgent, skills: Any, count: int) -> None:
    agent = make_agent(None, skills=skills, num_skills=0)
    migration = import_module("federations.migrations.0011_number_of_skills")
    migration.count_skills(apps, editor())
    agent.refresh_from_db()
    assert agent.num_skills == count
