"""Every endpoint for every kind of caller: the status that the table expects. A new endpoint fails until it is here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from pytest_django import Settings

from federations.mcp.admission import MCP_PATH, Refused, admit
from peers.protocol.federation_log import EXCHANGE_TYPE
from tests.app.fedhub.matrix import (
    APPROVE,
    CREATE,
    EDIT,
    GIVE_WORK,
    OWN,
    PEERS_READ,
    PEERS_WRITE,
    READ,
    RUN,
    SYSTEM,
    VIEW,
    WRITE,
    Caller,
    callers_by_jwt,
    make_world,
    undone,
    without_logs,
)
from tests.conftest import CONFIG

pytestmark = pytest.mark.django_db

DOCUMENTS = ("federation-manifest", "did-document", "mcp-resource-metadata")
"""The endpoints that look at no proof."""

PEERS = ("federation-status", "federation-dispatch", "intents", "intent")
"""The endpoints that know a peer's token, which has none of their scopes: 403 instead of 401."""


class Need(NamedTuple):
    """What a request needs: a scope, and a right on the row; the status for callers who have both, and the body.

    `hidden` is the status for callers without the right.
    """

    scope: str = ""
    right: str = ""
    status: int = 200
    body: dict[str, Any] | None = None
    hidden: int = 403


FEDERATION = {"providerType": "aws_agentcore", "displayName": "New", "providerConfig": CONFIG}
SEE, CHANGE, DELETE = Need(READ, VIEW), Need(WRITE, EDIT), Need(WRITE, OWN)
PUBLIC = Need()
ENVELOPE = {
    "dispatch_id": "r-1",
    "source_server": "https://partner.example.org",
    "target_server": "http://127.0.0.1:8000",
    "intent_id": "i-1",
    "intent_title": "Reconcile",
    "intent_state": {},
    "created_at": timezone.now().isoformat(),
}
EXCHANGE = {
    "type": EXCHANGE_TYPE,
    "source_server": "https://partner.example.org",
    "target_server": "http://127.0.0.1:8000",
    "created_at": timezone.now().isoformat(),
    "checkpoint": None,
}
OF_A_PEER = Need(scope="a peer's proof")
CALLBACK = {"dispatch_id": "d-1", "event_type": "state_delta", "state_delta": {}}

TABLE: dict[tuple[str, str], Need] = {
    ("api", "get"): PUBLIC,
    ("mcp-resource-metadata", "get"): PUBLIC,
    ("federations", "get"): Need(READ),
    ("federations", "post"): Need(WRITE, CREATE, 201, FEDERATION),
    ("federation", "get"): SEE,
    ("federation", "put"): CHANGE._replace(body={"displayName": "New", "providerConfig": CONFIG}),
    ("federation", "delete"): DELETE,
    # The body is refused after the right was looked at, so that no sync runs.
    ("federation-sync", "post"): CHANGE._replace(status=400, body={"dryRun": 7}),
    ("jobs", "get"): SEE,
    ("job", "get"): SEE,
    ("job-changes", "get"): SEE,
    ("plans", "get"): SEE,
    ("plans", "post"): CHANGE._replace(status=400, body={"reason": 7}),
    ("plan", "get"): SEE,
    ("plan-changes", "get"): SEE,
    ("plan-apply", "post"): CHANGE._replace(status=400, body={"digest": 7}),
    ("plan-dismiss", "post"): CHANGE._replace(body={"reason": "Not now"}),
    ("servers", "get"): Need(READ),
    ("server", "get"): SEE,
    ("registry-servers", "get"): Need(READ),
    ("registry-versions", "get"): SEE._replace(hidden=404),
    ("registry-version", "get"): SEE._replace(hidden=404),
    ("agents", "get"): Need(READ),
    ("agent", "get"): SEE,
    ("agent-runs", "get"): Need(RUN, VIEW),
    ("agent-runs", "post"): Need(RUN, GIVE_WORK, 201, {"text": "Check this"}),
    ("runs", "get"): Need(RUN),
    ("run", "get"): Need(RUN, VIEW),
    ("run-cancel", "post"): Need(RUN, GIVE_WORK),
    ("run-input", "post"): Need(RUN, GIVE_WORK, 409, {"text": "Answer"}),
    ("run-approve", "post"): Need(PEERS_WRITE, APPROVE),
    ("run-refuse", "post"): Need(PEERS_WRITE, APPROVE, 200, {"reason": "Not now"}),
    ("runtimes", "get"): Need(READ),
    ("runtime", "get"): SEE,
    ("search", "get"): Need(READ, status=400),
    ("legacy-sync", "post"): Need(SYSTEM, status=400, body={"dryRun": 7}),
    ("federation-manifest", "get"): PUBLIC,
    ("did-document", "get"): PUBLIC,
    ("federation-agents", "get"): PUBLIC,
    ("federation-status", "get"): Need(PEERS_READ),
    ("federation-receive", "post"): OF_A_PEER._replace(body=ENVELOPE),
    ("federation-callback", "post"): OF_A_PEER._replace(body=CALLBACK),
    ("federation-checkpoints", "post"): OF_A_PEER._replace(body=EXCHANGE),
    ("federation-dispatch", "post"): Need(PEERS_WRITE, status=422, body={}),
    ("intents", "get"): Need(PEERS_READ),
    ("intents", "post"): Need(PEERS_WRITE, status=201, body={"title": "New"}),
    ("intent", "get"): Need(PEERS_READ),
}
BESIDE = {"oidc-discovery", "oidc-jwks", "healthz", "token", "revoke-token", "schema", "docs", "login", "logout"}
BESIDE |= {"authorize", "oauth-server-metadata", "metrics", "readyz"}
BESIDE |= {f"ard-{name}" for name in ("manifest", "search", "explore", "list", "entry", "card")}
"""Endpoints outside the API, which do not look at a caller's rights; some ask for a secret or a token of their own."""


def endpoints() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield the name, the method and the names of the ids of each endpoint in the URL configuration."""

    def walk(patterns: Any) -> Iterator[URLPattern]:
        for each in patterns:
            if isinstance(each, URLResolver):
                yield from walk(each.url_patterns) if str(each.pattern) != "admin/" else ()
            elif not str(each.pattern).startswith("admin/"):
                yield each

    for each in walk(get_resolver().url_patterns):
        for method in list(getattr(each.callback, "actions", None) or ["get"]):
            # A view of both GET and HEAD names the second once it was called.
            if each.name and method != "head" and each.name not in BESIDE | {"home"}:
                yield each.name, method, tuple(each.pattern.regex.groupindex)


def expected(caller: Caller, name: str, need: Need) -> int:
    """Return the status that the table expects."""
    if need.scope == OF_A_PEER.scope:
        return need.status if caller.is_peer else 401
    if name in DOCUMENTS or (not need.scope and not caller.token):
        return 200
    if caller.is_peer and name in (*PEERS, "federation-agents"):
        return 403 if need.scope else need.status
    if not caller.is_known:
        # Also where no proof is needed, a proof that does not hold is refused.
        return 401
    if need.scope and need.scope not in caller.scopes:
        return 403
    return need.status if not need.right or need.right in caller.rights else need.hidden


def mcp_status(caller: Caller, client: Client) -> int:
    """Return the status by which the MCP server, which is no view of Django, refuses a caller; 200 for no refusal."""
    headers = {"authorization": f"Bearer {caller.token}"} if caller.token else {}
    headers["cookie"] = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    request = RequestFactory().post(MCP_PATH, b"{}", content_type="application/json", headers=headers)
    with undone(), without_logs():
        admitted = admit(request.META, b"{}", 2)
    return admitted.status if isinstance(admitted, Refused) else 200


def expected_at_mcp(caller: Caller) -> int:
    """Return the status that a caller gets there: a session is no proof, and a token needs the reading scope."""
    if not caller.token or not caller.is_known:
        return 401
    return 200 if READ in caller.scopes else 403


def test_every_endpoint_is_in_the_table() -> None:
    assert {(name, method) for name, method, _ in endpoints()} == set(TABLE)


# Twelve seconds of one core alone.
@pytest.mark.timeout(240)
def test_every_caller_gets_the_expected_status_of_every_endpoint(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    world = make_world()
    world.callers += callers_by_jwt(monkeypatch, settings)
    wrong: list[str] = []
    for caller in world.callers:
        client = caller.client()
        for name, method, keys in endpoints():
            need = TABLE[name, method]
            path = reverse(name, args=[world.ids[key] for key in keys])
            with undone(), without_logs():
                status = getattr(client, method)(path, need.body or {}, content_type="application/json").status_code
            if status != expected(caller, name, need):
                wrong.append(f"{caller.name}: {method.upper()} {path}: {status}, not {expected(caller, name, need)}")
        if (status := mcp_status(caller, client)) != expected_at_mcp(caller):
            wrong.append(f"{caller.name}: POST /mcp: {status}, not {expected_at_mcp(caller)}")
    assert len(world.callers) > 20
    assert not wrong, "\n".join(wrong)
