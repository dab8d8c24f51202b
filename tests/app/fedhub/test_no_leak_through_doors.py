"""A person who may see one federation reads of one federation, at every door by which people and programs read.

The doors are the REST API, the MCP server, the API of the MCP registry, Agentic Resource Discovery, the agents that
peers see, and the admin. tests/app/fedhub/test_may_see.py compares what a session sees before and after; here programs
ask with tokens, and each list must also name what the person may see.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Permission, User
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.test import Client
from django.urls import reverse
from mcp.client.client import Client as McpClient
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import ResourceTemplateReference

from core.actors import actor_of
from core.tokens.services import Note, issue_token
from federations.api.registry_entries import name_of
from federations.mcp.face import McpFace
from federations.models import A2aAgent, AccessLevel, Federation, McpServer
from federations.services.access import grant
from federations.services.deleted_servers import note_deleted
from federations.services.server_visibility import set_public
from fedhub.asgi_front import Front
from peers.models import Peer
from peers.services.catalog.agents import agent_id_of, set_visibility
from peers.services.catalog.ard import CATALOG
from peers.services.trust.peer_tokens import issue_peer_token
from peers.services.trust.peers import add_peer
from tests.app.federations.admin.cloud import STAFF, MemoryCloud, put_in_place
from tests.app.fedhub.matrix import SCOPES
from tests.app.fedhub.test_front import late
from tests.app.fedhub.test_may_see import (
    RIGHTS,
    SECRET,
    WORD,
    admin_paths,
    api_paths,
    make_account,
    mark_texts,
    searches,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

SHOWN = "velmora"
"""What each name of the visible federation has."""

HUB = "http://127.0.0.1:8000"
QUERIES = (WORD, SECRET, "ledger", "triage", "post entry")
# The lists that name what the person may see; every other answer must only be silent about the rest.
REST_LISTS = ("federations", "servers", "agents", "runtimes", "runs")
ADMIN_LISTS = ("federation", "mcpserver", "a2aagent", "runtimeobservation", "syncjob", "storedplan", "agentrun")

Answers = dict[str, str]
"""What each door answers, by the door's name."""


def read(client: Client, paths: Iterable[str], **headers: Any) -> Answers:
    answers = {}
    for path in dict.fromkeys(paths):
        answer = client.get(path, **headers)
        content = b"".join(answer) if answer.streaming else answer.content
        answers[path] = f"{answer.status_code} {dict(answer.headers)} {content.decode(errors='replace')}"
    return answers


def rest_paths(shown: Federation, hidden: Federation) -> Iterator[str]:
    for found in (shown, hidden):
        yield from api_paths(found)
    for text in QUERIES:
        yield f"{reverse('search')}?query={text}"
        yield from (f"{reverse(name)}?query={text}" for name in ("federations", "servers", "agents", "runtimes"))
    for name in ("servers", "agents", "runtimes", "runs"):
        yield f"{reverse(name)}?federationId={hidden.pk}"
    yield f"{reverse('search')}?query=ledger&federationId={hidden.pk}"


def registry_paths(*found: Federation) -> Iterator[str]:
    """Yield the three endpoints of the registry, also for deleted servers."""
    lists = reverse("registry-servers")
    queries = [f"search={text}" for text in QUERIES]
    yield from (f"{lists}?{query}" for query in ("limit=100", "include_deleted=true", "version=1", *queries))
    yield f"{lists}?updated_since=2020-01-01T00:00:00Z"
    for row in McpServer.objects.filter(federation__in=[each.pk for each in found]):
        yield reverse("registry-versions", args=[name_of(row)])
        yield reverse("registry-version", args=[name_of(row), "latest"]) + "?include_deleted=true"


def ard_answers(*found: Federation) -> Answers:
    """Ask by Agentic Resource Discovery as a stranger does."""
    client, names = Client(), []
    for federation in found:
        names += [("agent", agent_id_of(row.path)) for row in A2aAgent.objects.filter(federation=federation)]
        names += [("server", row.server_name) for row in McpServer.objects.filter(federation=federation)]
    host = HUB.removeprefix("http://").partition(":")[0]
    paths = [f"/ard/cards/{kind}/{name}" for kind, name in names]
    paths += [f"/ard/agents/urn:air:{host}:{kind}:{name}" for kind, name in names]
    answers = read(client, ["/.well-known/ard.json", "/.well-known/ai-catalog.json", *paths])
    for text in QUERIES:
        body = json.dumps({"query": {"text": text}, "pageSize": 100})
        answer = client.post("/ard/search", body, content_type="application/json")
        assert answer.status_code == 200
        answers[f"search {text}"] = answer.content.decode()
    return answers


def mcp_answers(token: str, mode: str, ids: Iterable[str]) -> Answers:
    """Call every method of the MCP server with the official client; an error is an answer too."""

    async def ask() -> Answers:
        face = McpFace()
        front = Front(WSGIHandler(), late, body_seconds=10, max_body_bytes=2**20, threads=2, mounted=[face])
        answers: Answers = {}

        async def note(door: str, asked: Any) -> Any:
            try:
                found = await asked
            except MCPError as exc:
                answers[door] = f"error {exc}"
                return None
            answers[door] = found.model_dump_json(by_alias=True)
            return found

        headers = {"Authorization": f"Bearer {token}"}
        transport = httpx2.ASGITransport(app=front)
        async with (
            httpx2.AsyncClient(transport=transport, headers=headers, timeout=60) as http,
            McpClient(streamable_http_client(f"{HUB}/mcp", http_client=http), mode=mode) as client,
        ):
            await note("tools", client.list_tools())
            await note("templates", client.list_resource_templates())
            await note("prompts", client.list_prompts())
            template = ResourceTemplateReference(uri="fedhub://servers/{id}")
            await note("complete", client.complete(template, {"name": "id", "value": ""}))
            listed = await note("resources", client.list_resources())
            uris = [str(each.uri) for each in listed.resources]
            for uri in [*uris, *(f"fedhub://{kind}/{each}" for kind in ("servers", "agents") for each in ids)]:
                await note(f"read {uri}", client.read_resource(uri))
            await note("list_federations", client.call_tool("list_federations", {}))
            hits = set(ids) | {uri.rpartition("/")[2] for uri in uris}
            for text in QUERIES:
                found = await note(f"search {text}", client.call_tool("search_registry", {"query": text, "limit": 100}))
                hits |= {hit["id"] for hit in found.structured_content["hits"]}
            parts = {f"{each}:{kind}:0" for each in ids for kind in ("tool", "resource", "prompt", "skill")}
            for each in sorted(hits | parts):
                await note(f"describe {each}", client.call_tool("describe", {"id": each}))
        await face.close()
        return answers

    return asyncio.run(ask())


def peers_answers() -> Answers:
    """Read the documents and agents of the hub as a stranger, and as an approved peer by its token."""
    peer = add_peer("https://partner.example.org", by=STAFF)
    Peer.objects.filter(pk=peer.pk).update(state="approved")
    token = issue_peer_token(peer, days=1, by=STAFF)
    paths = ["/.well-known/openintent-federation.json", "/.well-known/did.json", reverse("federation-agents")]
    of_peer = read(Client(), [reverse("federation-agents")], headers={"authorization": f"Bearer {token}"})
    return {f"stranger {path}": text for path, text in read(Client(), paths).items()} | {
        f"peer {path}": text for path, text in of_peer.items()
    }


def staff_paths(shown: Federation, hidden: Federation) -> Iterator[str]:
    yield from (*admin_paths(), *admin_paths(shown), *admin_paths(hidden), *searches(hidden))
    # These pages repeat the question, so it must not be the mark itself.
    yield from (f"{reverse('admin:search')}?s={text}" for text in (*QUERIES, SHOWN) if text != SECRET)
    yield from (f"{reverse('admin:search')}?s={row.pk}" for row in (shown, hidden))
    yield from (reverse(name) for name in ("own-tokens", "new-token"))


def leaks(answers: Answers) -> list[str]:
    # The address of a question is no answer.
    return [door for door, text in answers.items() if SECRET in text.lower().replace(door.lower(), "")]


def silent(answers: Answers, doors: Iterable[str], *marks: str) -> list[str]:
    return [door for door in doors if not any(mark in answers[door] for mark in (SHOWN, *marks))]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, settings: LazySettings, tmp_path: Path) -> MemoryCloud:
    settings.FEDHUB_SERVER_URL, settings.FEDHUB_ARD, settings.FEDHUB_PUBLIC_REGISTRY = HUB, "0.91", True
    # The threads of the front end with the test, so that no connection may stay open in them.
    monkeypatch.setitem(connections.databases["default"], "CONN_MAX_AGE", 0)
    settings.FEDHUB_STRANGER_REQUESTS_PER_MINUTE = settings.FEDHUB_REGISTRY_REQUESTS_PER_MINUTE = 0
    return put_in_place(monkeypatch, settings, tmp_path)


@pytest.fixture
def shown(cloud: MemoryCloud) -> Federation:
    """A federation whose first server and whose agent everybody may see."""
    found = make_account("Payments", "us-east-1", cloud, f"-{SHOWN}")
    for row in A2aAgent.objects.filter(federation=found):
        set_visibility(found.pk, row.path, "public", by=STAFF)
    server = McpServer.objects.get(server_name=f"ledger-{SHOWN}")
    assert set_public([server.pk], True, by=STAFF) == 1
    CATALOG.forget()
    return found


@pytest.fixture
def hidden(cloud: MemoryCloud, shown: Federation) -> Federation:
    """A federation with rows of every kind, in whose texts the marks are."""
    found = make_account("Claims", "eu-west-1", cloud, f"-{SECRET}-{WORD}")
    note_deleted(McpServer.objects.filter(federation=found, server_name__startswith="refunds"))
    mark_texts(found)
    return found


def test_no_door_tells_of_a_federation_that_a_person_may_not_see(shown: Federation, hidden: Federation) -> None:
    ines = User.objects.create_user("ines", is_staff=True)
    grant(shown, level=AccessLevel.VIEW, user=ines)
    ines.user_permissions.set(Permission.objects.filter(codename__in=RIGHTS))
    root = User.objects.create_superuser("root")
    tokens = {
        "the person": issue_token("ines", scopes=SCOPES, days=1),
        # A token for one federation has the rights of an administrator, on that federation alone.
        "one federation": issue_token("root", scopes=SCOPES, days=1, note=Note("cron", federation_id=shown.pk)),
    }
    ids = [row.pk for model in (McpServer, A2aAgent) for row in model._default_manager.filter(federation=hidden)]
    assert len(ids) >= 3
    lists = [reverse(name) for name in REST_LISTS]
    lists += [reverse("registry-servers") + "?limit=100", f"{reverse('search')}?query=ledger"]
    # Jobs and plans name their federation by its id.
    lists += [reverse(name, args=[shown.pk]) for name in ("federation", "jobs", "plans")]
    for holder, token in tokens.items():
        client = Client(headers={"authorization": f"Bearer {token}"})
        told = read(client, [*rest_paths(shown, hidden), *registry_paths(shown, hidden), *lists])
        assert (leaks(told), silent(told, lists, shown.pk)) == ([], []), holder
        for mode in ("legacy", "auto"):
            told = mcp_answers(token, mode, ids)
            named = ["resources", "list_federations", "search ledger", "search triage"]
            named += [door for door in told if door.startswith("read ") and not told[door].startswith("error")]
            assert (leaks(told), silent(told, named)) == ([], []), (holder, mode)
            assert len(named) > 6

    strangers = read(Client(), registry_paths(shown, hidden)) | ard_answers(shown, hidden) | peers_answers()
    agents = reverse("federation-agents")
    public = [f"{reverse('registry-servers')}?limit=100", "/.well-known/ard.json", "search ledger", "search triage"]
    public += [f"stranger {agents}", f"peer {agents}"]
    assert (leaks(strangers), silent(strangers, public)) == ([], [])

    staff = Client()
    staff.force_login(ines)
    pages = [reverse(f"admin:federations_{name}_changelist") for name in ADMIN_LISTS]
    files = [f"{page}export.csv" for page in pages if "runtimeobservation" not in page]
    told = read(staff, [*staff_paths(shown, hidden), *pages, *files])
    boxes = [f"{reverse('admin:search')}?s={SHOWN}", reverse("new-token")]
    assert (leaks(told), silent(told, (*pages, *files, *boxes))) == ([], [])
    walk_as_root(root, shown, hidden, ids)


def walk_as_root(root: User, shown: Federation, hidden: Federation, ids: list[str]) -> None:
    """Walk the same doors as somebody who may see all: each kind of door must then have the marks."""
    token, client = issue_token("root", scopes=SCOPES, days=1), Client()
    client.force_login(root)
    bearer = Client(headers={"authorization": f"Bearer {token}"})
    assert len(leaks(read(bearer, rest_paths(shown, hidden)))) > 20
    assert len(leaks(read(bearer, registry_paths(shown, hidden)))) > 6
    assert len(leaks(mcp_answers(token, "auto", ids))) > 10
    assert len(leaks(read(client, admin_paths(hidden)))) > 10
    for row in A2aAgent.objects.filter(federation=hidden):
        set_visibility(hidden.pk, row.path, "public", by=actor_of(root))
    assert set_public([row.pk for row in McpServer.objects.filter(federation=hidden)], True, by=STAFF)
    CATALOG.forget()
    assert len(leaks(ard_answers(shown, hidden))) > 4
    assert len(leaks(read(Client(), [reverse("federation-agents"), *registry_paths(hidden)]))) > 3
