"""The page of every endpoint: it renders, says what it is, and its forms are the documented examples."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import resolve
from rest_framework.serializers import BaseSerializer

import federations.api.plan_serializers
import federations.api.run_serializers
import federations.api.serializers
import peers.api.serializers
from core.actors import Actor
from core.api.browsable.answer_html import MAX_HTML_CHARS
from core.api.browsable.described import ROOT, Operation, hub_description
from core.api.browsable.forms import CURRENT, action_form
from core.api.browsable.links import registered_links
from core.tokens.services import issue_token
from federations.models import AccessLevel, AgentRun, Federation, FederationStatus, McpServer, StoredPlan, SyncStatus
from federations.services.access import grant
from federations.services.runs.make import Work, make_run
from peers.models import Intent
from tests.api.contract import path_of, with_job
from tests.api.test_schema import SPEC_ROUTES
from tests.conftest import MakeAgent, MakeRuntime, MakeServer, MakeUser, give_scopes

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
DESCRIPTION = hub_description()
OPERATIONS = {each.id: each for each in DESCRIPTION.operations}
READING = [each.id for each in DESCRIPTION.operations if each.method == "GET"]
ACTIONS = [each.id for each in DESCRIPTION.operations if each.method != "GET" and not each.is_signed]
SIGNED = [each.id for each in DESCRIPTION.operations if each.is_signed]

pytestmark = pytest.mark.django_db


def browser(user: User | None = None) -> Client:
    client = Client(headers=BROWSER, raise_request_exception=False)
    if user is not None:
        client.force_login(user)
    return client


def text_of(page: Any) -> str:
    return unescape(re.sub(r"<[^>]*>", "", page.content.decode()))


def addresses(page: Any) -> set[str]:
    return set(re.findall(r'href="([^"]*)"', page.content.decode()))


def forms(page: Any) -> set[str]:
    return set(re.findall(r'id="form-(\w+)"', page.content.decode()))


@pytest.fixture
def everyone(owner: User) -> User:
    """A user whose roles give every scope and every right on runs, and who owns the federation."""
    names = ("run_a2aagent", "approve_agentrun")
    owner.user_permissions.add(*Permission.objects.filter(codename__in=names))
    return give_scopes(owner)


@pytest.fixture
def ids(
    federation: Federation, make_server: MakeServer, make_agent: MakeAgent, make_runtime: MakeRuntime
) -> dict[str, str]:
    """The id of one object of each kind, by the name of its parameter."""
    agent = make_agent(federation)
    return {
        "federation_id": federation.id,
        "job_id": with_job(federation).id,
        "plan_id": make_plan(federation).id,
        "server_id": make_server(federation).id,
        "agent_id": agent.id,
        "runtime_id": make_runtime(federation).id,
        "run_id": make_run(agent, Work("Add 2 and 40.", needs_approval=True), by=Actor("1", "tests")).id,
        "intent_id": Intent.objects.create(title="Reconcile", state={"month": "May"}).id,
    }


def make_plan(federation: Federation, **columns: Any) -> StoredPlan:
    from django.utils import timezone

    from federations.services.stored_plans.make import LIFETIME
    from federations.sync.summary import summarize

    values = {
        "digest": "d" * 64,
        "expires_at": timezone.now() + LIFETIME,
        "summary": summarize(()).to_dict(),
        "classes": {"compatible": 0, "breaking": 0, "risky": 0},
    }
    return StoredPlan.objects.create(federation=federation, **(values | columns))


def address(operation: Operation, ids: dict[str, str]) -> str:
    query = "?query=demo" if operation.id == "search" else ""
    return operation.address(ids) + query


@pytest.mark.parametrize("name", READING)
def test_every_page_renders_says_what_it_is_and_needs_the_scope(
    name: str, everyone: User, stranger: User, ids: dict[str, str]
) -> None:
    operation, path, client = OPERATIONS[name], address(OPERATIONS[name], ids), browser(everyone)
    with CaptureQueriesContext(connections["default"]) as queries:
        page = client.get(path)
    assert page.status_code == 200
    assert page["Content-Type"].startswith("text/html")
    assert len(queries) <= 15
    text = page.content.decode()
    (title,) = re.findall(r"<title>(.*) – fedhub</title>", text)
    assert f"<h1>{title}</h1>" in text
    assert "You are owner" in text_of(page)
    assert "<script>" not in text and " onclick" not in text
    for parameter in operation.query:
        assert (f'name="{parameter["name"]}"' in text) == (
            not parameter.get("deprecated") and parameter["name"] != "page"
        )
    # The JSON is what programs get.
    programs = Client(headers={"Accept": "application/json"})
    programs.force_login(everyone)
    assert programs.get(path)["Content-Type"] == "application/json"

    refused = browser(stranger).get(path)
    shown_to_all = "{" not in operation.path and operation.scope in (None, "federations-read", "agents-run")
    assert refused.status_code == (200 if shown_to_all else 403)
    assert forms(refused) == set()
    nameless = browser().get(path)
    assert nameless.status_code == (200 if operation.scope is None else 401)
    assert f"/api/auth/login/?next={path.partition('?')[0]}" in nameless.content.decode()


@pytest.mark.parametrize("name", ACTIONS)
def test_every_action_has_a_form_with_the_documented_example(name: str, everyone: User, ids: dict[str, str]) -> None:
    operation = OPERATIONS[name]
    if name == "answer_run":
        AgentRun.objects.update(state="input_required")
    page = browser(everyone).get(address(operation, ids))
    text = page.content.decode()
    assert page.status_code == (200 if any(each.method == "GET" for each in DESCRIPTION.at(operation.path)) else 405)
    assert name in forms(page), text_of(page)
    assert f'data-method="{operation.method}" action="http://testserver{operation.address(ids)}"' in text
    form = action_form(operation, DESCRIPTION, "http://h/", present={})
    assert [json.loads(body) for body in form.bodies.values()] == [each.value for each in operation.examples]
    assert (operation.body is None) == (form.body is None)
    assert operation.body is None or operation.examples
    for example in operation.examples:
        serializer = serializer_of(operation)(data=example.value)
        assert serializer.is_valid(), serializer.errors
        assert {field.name for field in form.fields} >= example.value.keys()


def serializer_of(operation: Operation) -> type[BaseSerializer[Any]]:
    name = f"{DESCRIPTION.resolve(operation.body)[0]}Serializer"
    apps = (federations.api.serializers, federations.api.plan_serializers, federations.api.run_serializers)
    modules = (*apps, peers.api.serializers)
    found: type[BaseSerializer[Any]] = next(getattr(module, name) for module in modules if hasattr(module, name))
    return found


def test_a_form_starts_from_the_values_of_its_object(everyone: User, ids: dict[str, str]) -> None:
    plan = OPERATIONS["apply_plan"]
    form = action_form(plan, DESCRIPTION, "http://h/", present={"digest": "abc", "id": "1"})
    assert json.loads(form.bodies[CURRENT]) == plan.examples[0].value | {"digest": "abc"}
    # A PUT replaces each member: an example would overwrite the object.
    put = OPERATIONS["update_federation"]
    form = action_form(put, DESCRIPTION, "http://h/", present={"displayName": "mine", "id": "1", "tags": []})
    assert json.loads(form.body or "") == {"displayName": "mine", "tags": []}
    page = browser(everyone).get(f"/api/v1/intents/{ids['intent_id']}")
    assert f'"intent_id": "{ids["intent_id"]}"' in text_of(page)
    assert '"intent_title": "Reconcile"' in text_of(page)
    assert "Research task" in unescape(page.content.decode())


@pytest.mark.parametrize("name", SIGNED)
def test_an_endpoint_for_peers_has_no_page_and_the_list_says_so(name: str, everyone: User) -> None:
    operation = OPERATIONS[name]
    answer = browser(everyone).get(operation.path)
    assert answer["Content-Type"] == "application/json"
    page = browser(everyone).get(f"{ROOT}/")
    assert operation.path not in addresses(page)
    assert f"{operation.path}</span>" in page.content.decode()
    assert text_of(page).count("For hubs: it takes a peer's signature or token") == len(SIGNED) == 3


@pytest.mark.parametrize("path", ["/api/v1/federation/status", "/api/v1/federation/agents", "/api/v1/intents"])
def test_a_request_with_a_proof_is_a_programs_and_gets_json(path: str) -> None:
    for proof in ({"Authorization": "Bearer x"}, {"X-API-Key": "x"}, {"Signature": "x"}, {"Signature-Input": "x"}):
        answer = Client(headers=BROWSER | proof, raise_request_exception=False).get(path)
        assert (answer["Content-Type"], answer.status_code) == ("application/json", 401)


def test_the_first_address_lists_every_endpoint_for_programs_and_people(everyone: User) -> None:
    answer = Client().get("/api/v1")
    assert answer["Content-Type"] == "application/json"
    listed = {
        (each["method"].lower(), each["path"]) for group in answer.json()["groups"] for each in group["endpoints"]
    }
    assert listed == SPEC_ROUTES
    for client in (browser(), browser(everyone)):
        page = client.get("/api/v1/")
        assert page.status_code == 200
        text = unescape(page.content.decode())
        for operation in DESCRIPTION.operations:
            assert operation.title in text
            assert (
                f'class="path">{operation.path}<' in text
                or f'href="{operation.path}">' in text
                or (operation.path == ROOT)
            )


def test_each_rule_of_a_link_names_a_declared_member_and_a_page() -> None:
    for (component, member), links in registered_links().items():
        assert member in DESCRIPTION.components[component]["properties"], (component, member)
        for link in links:
            path = re.sub(r"\{\w+\}", "0" * 24, link.address)
            assert resolve(path.partition("?")[0]).url_name not in ("", None), link.address
            assert link.when.keys() <= DESCRIPTION.components[component]["properties"].keys()


def test_ids_are_links(everyone: User, ids: dict[str, str], federation: Federation) -> None:
    base = path_of(federation)
    jobs = browser(everyone).get(f"{base}/jobs")
    assert {base, f"{base}/jobs/{ids['job_id']}"} <= addresses(jobs)
    assert f"{base}/plans/{ids['plan_id']}" in addresses(browser(everyone).get(f"{base}/plans"))
    assert base in addresses(browser(everyone).get(f"/api/v1/servers/{ids['server_id']}"))
    assert f"/api/v1/intents/{ids['intent_id']}" in addresses(browser(everyone).get("/api/v1/intents"))


def test_titles_name_the_object(everyone: User, ids: dict[str, str]) -> None:
    Federation.objects.filter(id=ids["federation_id"]).update(display_name="eu <prod>")
    path = f"/api/v1/federations/{ids['federation_id']}"
    assert "<h1>Sync jobs of eu &lt;prod&gt;</h1>" in browser(everyone).get(f"{path}/jobs").content.decode()


def test_a_page_has_no_form_that_would_be_refused(
    federation: Federation, reader: User, everyone: User, make_user: MakeUser
) -> None:
    path, plan = path_of(federation), make_plan(federation, held_by=["changes"])
    editor = make_user("editor")
    grant(federation, level=AccessLevel.EDIT, user=editor)
    page = browser(reader).get(path)
    assert forms(page) == set()
    assert "Sync a federation, or do a dry run: not now. It needs the scope federations-write." in text_of(page)
    page = browser(give_scopes(reader)).get(path)
    assert "Sync a federation, or do a dry run: not now. It needs the access level EDIT" in text_of(page)
    assert forms(page) == set()
    page = browser(editor).get(path)
    assert forms(page) == {"sync_federation", "update_federation", "create_plan"}
    assert 'data-member="force"' not in page.content.decode()
    assert "create_federation" not in forms(browser(editor).get("/api/v1/federations"))
    page = browser(editor).get(f"{path}/plans/{plan.id}")
    assert forms(page) == {"dismiss_plan"}
    assert "The plan is held: it needs the access level OWNER" in text_of(page)
    assert forms(browser(everyone).get(f"{path}/plans/{plan.id}")) == {"apply_plan", "dismiss_plan"}
    StoredPlan.objects.update(status="dismissed")
    assert forms(browser(everyone).get(f"{path}/plans/{plan.id}")) == set()
    Federation.objects.update(sync_status=SyncStatus.SYNCING)
    page = browser(everyone).get(path)
    assert "delete_federation" not in forms(page)
    assert "until it ends, only a dry run is possible" in text_of(page)
    Federation.objects.update(status=FederationStatus.DISABLED)
    assert forms(browser(everyone).get(path)) == set()


def test_a_page_of_a_run_has_no_form_that_would_be_refused(reader: User, everyone: User, ids: dict[str, str]) -> None:
    agent, run = f"/api/v1/agents/{ids['agent_id']}", f"/api/v1/runs/{ids['run_id']}"
    page = browser(reader).get(run)
    assert forms(page) == set()
    assert "Your roles give no right to give work to agents" in text_of(page)
    assert "create_run" not in forms(browser(reader).get(agent))
    assert forms(browser(everyone).get(run)) == {"cancel_run", "approve_run", "refuse_run"}
    assert "<h1>A run of demo</h1>" in browser(everyone).get(run).content.decode()
    AgentRun.objects.update(state="completed")
    page = browser(everyone).get(run)
    assert forms(page) == set()
    assert "Run in state 'completed' cannot be cancelled." in text_of(page)
    assert {agent, run} <= addresses(browser(everyone).get("/api/v1/runs"))
    assert "create_run" in forms(browser(everyone).get(agent))
    Federation.objects.update(status=FederationStatus.DISABLED)
    assert "create_run" not in forms(browser(everyone).get(agent))


def test_errors_say_what_to_do_and_name_nothing(everyone: User, stranger: User, federation: Federation) -> None:
    page = browser(stranger).get(path_of(federation) + "/jobs")
    assert (page.status_code, federation.display_name in text_of(page)) == (403, False)
    assert "Its owner or an administrator can give you access" in text_of(page)
    page = browser(stranger).get("/api/v1/intents")
    assert "You need the scope peers-read" in text_of(page)
    page = browser(everyone).get("/api/v1/servers?page=0")
    assert (page.status_code, "page: must be a whole number of 1 or more" in text_of(page)) == (400, True)
    assert "Correct it and send it again" in text_of(page)
    page = browser(everyone).get("/api/v1/intents?page=0")
    assert (page.status_code, "Correct it and send it again" in text_of(page)) == (422, True)
    Federation.objects.update(status=FederationStatus.DISABLED)
    page = browser(everyone).post(f"{path_of(federation)}/sync", {}, content_type="application/json")
    assert (page.status_code, "Nothing was changed" in text_of(page)) == (409, True)


def test_an_unknown_address_has_a_page_for_a_browser_alone(everyone: User) -> None:
    for path in ("/api/v1/nope", "/api/x"):
        for client in (browser(), browser(everyone)):
            page = client.get(path)
            assert page.status_code == 404
            assert f"Nothing answers at {path}." in text_of(page)
            assert client.post(path)["Content-Type"] == "application/json"
        assert Client(headers={"Accept": "text/html"}).get(path)["Content-Type"] == "application/json"


def test_a_token_shows_its_own_scopes(everyone: User) -> None:
    token = issue_token("owner", scopes=["federations-read"], days=1)
    page = Client(headers=BROWSER | {"Authorization": f"Bearer {token}"}).get("/api/v1/federations")
    assert re.search(r"Your token: federations-read\s", text_of(page))
    assert "It needs the scope federations-write." in text_of(page)


def test_options_has_a_page(everyone: User, federation: Federation) -> None:
    for path in (path_of(federation), "/api/v1/intents"):
        page = browser(everyone).options(path)
        assert page.status_code == 200
        assert f"<h1>Options of {path}</h1>" in page.content.decode()
        assert '"parses"' in text_of(page)
        assert "Allow" in text_of(page)


def test_a_large_answer_makes_a_bounded_page(everyone: User, make_server: MakeServer, federation: Federation) -> None:
    server = make_server(federation)
    McpServer.objects.filter(id=server.id).update(tools=[{"name": "<" * 1000, "description": "&" * 1000}] * 1100)
    page = browser(everyone).get(f"/api/v1/servers/{server.id}")
    assert len(page.content) < MAX_HTML_CHARS + 30_000
    assert "The answer has 2" in text_of(page)
    assert "Download as JSON" in text_of(page)


def test_the_pages_load_files_of_the_hub_alone(everyone: User) -> None:
    for page in (browser(everyone).get(ROOT), browser().get("/api/auth/login/")):
        files = re.findall(r'(?:src|<link[^>]*href)="([^"]+)"', page.content.decode())
        assert files and all(file.startswith(f"/{settings.STATIC_URL.strip('/')}/fedhub/") for file in files)
        assert "'unsafe-inline'" not in page["Content-Security-Policy"].partition("script-src")[2].partition(";")[0]
