"""What a person may not see changes nothing for this person: no page, answer, count, chart, filter, file or hit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.conf import LazySettings
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db.models import CharField, Model, TextField
from django.test import Client
from django.urls import reverse

from federations.api.registry_entries import name_of
from federations.models import (
    A2aAgent,
    AccessLevel,
    AgentRun,
    Federation,
    McpServer,
    RuntimeObservation,
    StoredPlan,
    SyncJob,
)
from federations.services.access import grant
from federations.services.daily_counts import record_daily_counts
from federations.services.deleted_servers import note_deleted
from federations.services.stored_plans.make import create_plan
from tests.app.federations.admin.cloud import (
    STAFF,
    MemoryCloud,
    agent,
    failed_agent,
    federation,
    put_in_place,
    server,
    sync,
)
from tests.app.fedhub.test_matrix_admin import ONLY_POST, address, pages
from tests.app.fedhub.test_matrix_api import endpoints
from tests.browser.rows import make_runs

pytestmark = pytest.mark.django_db(transaction=True)

SECRET, WORD = "zyxsecret", "quorvex"
"""What each text of the hidden federation has: a word that no answer may have, and one that requests search for."""

FEDERATION_ROWS = (McpServer, A2aAgent, StoredPlan)
# Rights that open pages, and none that opens a federation.
RIGHTS = [
    *("export_list", "run_a2aagent", "approve_agentrun", "sync_federation", "view_agentvisibilitychoice"),
    *("change_agentvisibilitychoice", "view_peer", "view_dispatch", "view_receiveddispatch", "view_registeredagent"),
]
# What differs from one request to the next by itself. The score of a hit is relative to all documents of the index.
PASSING = re.compile(
    r'name="csrfmiddlewaretoken" value="[^"]+"|"csrfToken": "[^"]+"|name="nonce" value="[^"]+"|"score":[\d.]+'
    r"|\d+ (?:second|minute)s? ago|just now|T\d\d:\d\d:[\d.]+Z|\d\d:\d\d(?::\d\d)?(?: UTC)?|\b[\d.]+ s\b"
)


def make_account(name: str, region: str, cloud: MemoryCloud, mark: str = "") -> Federation:
    """Store a federation with rows of every kind; `mark` is in the name of each."""
    found = federation(f"{name}{mark}", region=region, tags=(f"production{mark}",))
    findings = (server(f"ledger{mark}"), server(f"refunds{mark}"), agent(f"triage{mark}"), failed_agent(f"kyc{mark}"))
    sync(found, cloud, *findings)
    cloud.findings = findings[1:]
    create_plan(found, by=STAFF, reason=f"Look{mark}")
    make_runs(A2aAgent.objects.get(federation=found))
    record_daily_counts()
    return found


def mark_texts(found: Federation) -> None:
    """Write the two words into each free text of the rows of a federation."""
    for model, rows in rows_of(found):
        names = [
            field.attname
            for field in model._meta.concrete_fields
            if type(field) in (CharField, TextField) and not field.choices and not field.is_relation
            if not field.unique
            and not re.search(r"id$|digest|scope|lock_key|source|kind|protocol|state|url|^path", field.name)
        ]
        for row in rows:
            values = {name: f"{SECRET} {WORD} {getattr(row, name) or ''}" for name in names}
            limits = {field.attname: field.max_length or 10_000 for field in model._meta.concrete_fields}
            model._default_manager.filter(pk=row.pk).update(
                **{name: text[: limits[name]] for name, text in values.items()}
            )


def rows_of(found: Federation) -> Iterator[tuple[type[Model], Any]]:
    yield Federation, Federation.objects.filter(pk=found.pk)
    yield from ((model, model._default_manager.filter(federation=found)) for model in FEDERATION_ROWS)
    yield RuntimeObservation, RuntimeObservation.objects.filter(scope=found.pk)
    for model in (SyncJob, AgentRun):
        yield model, model._default_manager.filter(federation_id=found.pk)


def shown_to(client: Client, paths: list[str]) -> dict[str, str]:
    """Return what each path answers to a person, without what differs by itself."""
    shown = {}
    for path in paths:
        answer = client.get(path)
        content = b"".join(answer) if answer.streaming else answer.content
        text = PASSING.sub("", content.decode(errors="replace"))
        shown[path] = f"{answer.status_code} {answer.headers.get('location', '')} {text}"
    return shown


def line_of(row: Any) -> str:
    """Return the name of a line of the row's Activity, one that does not exist for a row that nobody changed."""
    entry = LogEntry.objects.get_for_object(row).first()
    return f"audit-{entry.pk if entry else 0}"


def admin_paths(only: Federation | None = None) -> Iterator[str]:
    """Yield the pages of the registry and of the agents that peers see, with example rows."""
    for end, name, model, keys in pages():
        is_agents = model is not None and model._meta.app_label == "peers" and "agent" in str(model._meta.model_name)
        if end in ONLY_POST or not (model is None or model._meta.app_label == "federations" or is_agents):
            continue
        if only is None:
            yield address(name, model, end, keys)
        elif model is not None and "object_id" in keys:
            rows = dict(rows_of(only)).get(model)
            if rows is not None and rows.exists():
                ids = {"object_id": rows[0].pk, "line": line_of(rows[0])}
                ids |= {"change_id": "0" * 24, "sequence": 1, "place": 0}
                yield reverse(name, args=[ids[key] for key in keys])


def api_paths(found: Federation) -> Iterator[str]:
    rows: dict[str, Any] = {f"{model._meta.model_name}_id": rows for model, rows in rows_of(found)}
    names = {"server": "mcpserver", "agent": "a2aagent", "runtime": "runtimeobservation", "job": "syncjob"}
    names |= {"plan": "storedplan", "run": "agentrun", "federation": "federation"}
    ids = {f"{name}_id": rows[f"{model}_id"][0].pk for name, model in names.items()}
    server = rows["mcpserver_id"][0]
    ids |= {"registry_name": name_of(server), "version": server.runtime_version}
    for name, method, keys in endpoints():
        if method == "get" and set(keys) <= set(ids):
            yield reverse(name, args=[ids[key] for key in keys])


def searches(hidden: Federation | None = None) -> Iterator[str]:
    """Yield searches and filters for the word of the hidden texts, in every list, the search and the API."""
    text = f"{WORD}"
    for model in admin.site._registry:
        if model._meta.app_label in ("federations", "peers"):
            path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            yield from (f"{path}?q={text}", f"{path}export.csv", f"{path}export.csv?q={text}")
    yield f"{reverse('admin:search')}?s={text}"
    yield f"{reverse('admin:search')}?s=ledger"
    yield from (f"{reverse(page)}?q={text}" for page in ("admin-tools", "admin-skills"))
    for query in (text, "ledger", "post entry", "triage"):
        yield f"{reverse('search')}?query={query}"
    for name in ("federations", "servers", "agents", "runtimes"):
        yield f"{reverse(name)}?query={text}"
    for query in (f"search={text}", "include_deleted=true", "updated_since=2020-01-01T00:00:00Z"):
        yield f"{reverse('registry-servers')}?{query}"
    for name, parameter in (
        ("servers", "federationId"),
        ("agents", "federationId"),
        ("search", "query=x&federationId"),
    ):
        if hidden is not None:
            yield f"{reverse(name)}?{parameter}={hidden.pk}"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, settings: LazySettings, tmp_path: Path) -> MemoryCloud:
    return put_in_place(monkeypatch, settings, tmp_path)


def test_a_federation_that_a_person_may_not_see_changes_nothing_for_this_person(cloud: MemoryCloud) -> None:
    own = make_account("Payments", "us-east-1", cloud)
    ines = User.objects.create_user("ines", is_staff=True)
    grant(own, level=AccessLevel.OWNER, user=ines)
    ines.user_permissions.set(Permission.objects.filter(codename__in=RIGHTS))
    client = Client()
    client.force_login(ines)
    paths = [*dict.fromkeys([*admin_paths(), *api_paths(own), *searches()])]
    before = shown_to(client, paths)

    hidden = make_account("Claims", "eu-west-1", cloud, f"-{SECRET}-{WORD}")
    note_deleted(McpServer.objects.filter(federation=hidden, server_name__startswith="refunds"))
    mark_texts(hidden)
    # Values that the other federation does not have.
    McpServer.objects.filter(federation=hidden).update(status="ODD")
    observed = RuntimeObservation.objects.filter(scope=hidden.pk)
    observed.update(status="ODD", protocol="ODD")
    for model in (McpServer, A2aAgent):
        row = model._default_manager.filter(federation=hidden)[0]
        observed.filter(runtime_id=row.runtime_id).update(**{model.observed_by: row})

    after = shown_to(client, paths)
    changed = [path for path in paths if before[path] != after[path]]
    assert not changed, "\n".join(difference(before[path], after[path], path) for path in changed)
    own_answers = shown_to(client, [*admin_paths(hidden), *api_paths(hidden), *searches(hidden)])
    told = [path for path, text in {**after, **own_answers}.items() if SECRET in text.lower()]
    assert not told, told
    # The same walk as a superuser finds the words, so that the test can fail.
    root = Client()
    root.force_login(User.objects.create_superuser("root"))
    found = sum(SECRET in text.lower() for text in shown_to(root, [*admin_paths(hidden), *searches(hidden)]).values())
    assert found > 30


def difference(before: str, after: str, path: str) -> str:
    """Return the texts around the first place that differs."""
    pairs = enumerate(zip(before, after, strict=False))
    place = next((place for place, (old, new) in pairs if old != new), min(len(before), len(after)))
    return f"{path}: {before[place - 80 : place + 80]!r} -> {after[place - 80 : place + 80]!r}"
