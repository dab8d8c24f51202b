"""Invented requests to every operation and form, by each role: no internal error, no secret, no trace of the code.

FEDHUB_TEST_EXAMPLES says how many requests an administrator sends to each operation and form; every other role sends
a tenth of them (at least one to each operation).
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oauth2_provider.settings import oauth2_settings
from schemathesis import GenerationMode

from core.tokens.services import issue_token
from federations.models import A2aAgent, AgentRun, Federation, McpServer, RuntimeObservation, StoredPlan, SyncJob
from federations.services.stored_plans.make import create_plan
from fedhub.roles import ROLES
from peers.models import Intent
from tests.api.test_conformance import FORESEEN, SCHEMA
from tests.app.federations.admin.cloud import STAFF, put_in_place
from tests.app.fedhub.matrix import undone
from tests.app.fedhub.planted import Search, plant_by_doors, plant_environment, plant_keys
from tests.browser.rows import addresses, example, make_rows

pytestmark = [pytest.mark.timeout(24 * 3600), pytest.mark.django_db(transaction=True)]

EXAMPLES = int(os.environ.get("FEDHUB_TEST_EXAMPLES", "1"))
PEOPLE = {"administrator": EXAMPLES} | dict.fromkeys(("reader", "operator", "approver", "nobody"), EXAMPLES // 10)
TRACES = (b"Traceback", b'File "', b"site-packages", str(django_settings.BASE_DIR).encode())
ROWS = {
    "agent_id": A2aAgent,
    "federation_id": Federation,
    "intent_id": Intent,
    "job_id": SyncJob,
    "plan_id": StoredPlan,
    "run_id": AgentRun,
    "runtime_id": RuntimeObservation,
    "server_id": McpServer,
}
ODD = [
    "", " ", "0", "-1", "9" * 30, "1e400", "NaN", "null", "true", "x" * 5000, "\x00",
    "é\u202e\U0001f600", "'; --", "<script>alert(1)</script>", "{{7*7}}", "%s%n", "../../etc/passwd",
    "[]", "{}", '{"a":',
    "[" * 2000, "2026-02-30", "9999-12-31 23:59:59", "https://[::1", "http://127.0.0.1:1/", "\r\nSet-Cookie: a=b",
]  # fmt: skip


@pytest.fixture
def hub(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Search:
    """A hub with rows and secrets of every kind, and a person of each role."""
    search = Search()
    plant_environment(search, settings, monkeypatch)
    plant_keys(search, settings, tmp_path / "keys")
    User.objects.create_superuser("operator")
    make_rows(put_in_place(monkeypatch, settings, Path(settings.VAR_DIR)))
    root = Client()
    root.force_login(User.objects.get(username="operator"))
    plant_by_doors(search, root)
    for name in PEOPLE:
        person = User.objects.create_user(f"test-{name}", is_staff=True)
        person.groups.set(Group.objects.filter(role__key=name))
    assert {role.key for role in ROLES} <= set(PEOPLE)
    return search


def test_no_invented_request_gets_more_than_an_answer(hub: Search) -> None:
    federation = example(Federation)
    assert isinstance(federation, Federation)
    create_plan(federation, by=STAFF)
    known = {name: str(row.pk) for name, model in ROWS.items() if (row := example(model)) is not None}
    assert set(known) == set(ROWS)
    # The federation goes last, and every row of its resources with it.
    operations = [found.ok() for found in SCHEMA.get_all_operations()]
    for operation in sorted(operations, key=lambda one: one.definition.raw["operationId"] == "delete_federation"):
        for name in PEOPLE:
            ask(hub, operation, known, federation, name)
        assert_clean(hub)


def ask(hub: Search, operation: Any, known: dict[str, str], federation: Federation, name: str) -> None:
    """Send drawn requests to an operation, for existing and for unknown objects, with a token of that person."""
    token = issue_token(f"test-{name}", scopes=list(oauth2_settings.SCOPES), days=1)
    headers = {"Authorization": f"Bearer {token}"}
    examples = max(1, PEOPLE[name])
    there = {parameter.name: known[parameter.name] for parameter in operation.path_parameters}
    drawn = [operation.as_strategy(mode, path_parameters=there) for mode in GenerationMode]
    drawn.append(operation.as_strategy())

    @settings(
        max_examples=examples, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=st.one_of(drawn))
    def send(case: Any) -> None:
        if not Federation.objects.filter(id=federation.id).exists():
            federation.save(force_insert=True)
        response = case.call(headers=headers)
        place = f"{operation.label} {name} {response.status_code}"
        assert response.status_code < 500 or response.status_code in FORESEEN, f"{place} {response.text}"
        hub.look_at(place, response.content + str(dict(response.headers)).encode())

    send()


def test_no_invented_form_gets_more_than_a_page(hub: Search) -> None:
    seen: set[str] = set()
    posted = 0
    for path in dict.fromkeys(addresses()):
        for name, examples in ((name, number) for name, number in PEOPLE.items() if number):
            client = Client(raise_request_exception=False)
            client.force_login(User.objects.get(username=f"test-{name}"))
            page = client.get(path)
            assert page.status_code < 500, f"{path} {name}"
            if page.status_code != 200 or "text/html" not in page["Content-Type"]:
                continue
            for action, fields in forms_of(page.content.decode(), path):
                if f"{name} {action} {sorted(fields)}" in seen:
                    continue
                seen.add(f"{name} {action} {sorted(fields)}")
                draw = random.Random(f"{path} {action} {name}")
                for _ in range(examples):
                    with undone():
                        response = client.post(action, invented(fields, draw))
                    posted += 1
                    assert response.status_code < 500, f"{action} {name}"
                    hub.look_at_response(f"{action} {name} {response.status_code}", response)
        assert_clean(hub)
    assert posted > 100


class Forms(HTMLParser):
    """The forms of a page that are posted: where to, and the fields with the values that a browser would send."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, list[str]]]] = []
        self._is_open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._is_open = given.get("method", "").lower() == "post"
            if self._is_open:
                self.found.append((given.get("action", ""), {}))
        elif self._is_open and tag in ("input", "select", "textarea", "button") and given.get("name"):
            self.found[-1][1].setdefault(given["name"], []).append(given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_open = False


def forms_of(page: str, path: str) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Yield each form of a page but that which signs out, with its whole address."""
    parser = Forms()
    parser.feed(page)
    for action, fields in parser.found:
        target = action if action.startswith("/") else path.partition("?")[0] + action.partition("#")[0]
        if "logout" not in target:
            yield target, fields


def invented(fields: dict[str, list[str]], draw: random.Random) -> dict[str, Any]:
    """Return a form in which each field has its value, an odd one, several, or none."""
    ways: list[Callable[[str], Any]] = [
        lambda name: draw.choice(fields[name]),
        lambda name: draw.choice(fields[name]),
        lambda name: draw.choice(ODD),
        lambda name: [draw.choice(ODD), draw.choice(fields[name])],
        lambda name: SimpleUploadedFile("x.json", draw.choice([b"", b"{", b"\xff\xfe", b"[" * 5000])),
    ]
    return {name: draw.choice(ways)(name) for name in fields if draw.random() < 0.9}


def assert_clean(hub: Search) -> None:
    """Assert that no answer so far has a secret or a trace, and forget the answers."""
    content = b"\n".join(content for _, content in hub.looked_at)
    traced = {place for place, text in hub.looked_at if any(trace in text for trace in TRACES)}
    whole = Search()
    whole.planted = hub.planted
    whole.look_at("answers", content)
    assert not traced
    if whole.found():
        assert hub.found() == {}
    hub.looked_at.clear()
