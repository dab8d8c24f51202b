"""The endpoints of runs: work for an agent, its events, decisions, rights, and repeated requests."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User

from core.actors import Actor
from core.tokens.services import issue_token
from federations.models import A2aAgent, AgentRun, Federation
from federations.runs.states import RunSource
from federations.services.runs.cancel_many import cancel_runs_of_peer
from federations.services.runs.make import Work, make_run
from peers.models import Peer, PeerState
from peers.services.trust.peer_tokens import issue_peer_token
from tests.api.contract import TIME, UNKNOWN, answer, error, refusal
from tests.conftest import Api, MakeAgent, MakeUser
from tests.stores.counting import counted_queries

RUN_KEYS = [
    "id", "agentId", "agentName", "federationId", "source", "dispatchId", "state", "text", "answer", "usage", "error",
    "sends", "createdBy", "createdAt", "startedAt", "finishedAt",
]  # fmt: skip
SCOPES = "agents-run peers-write"
STAFF = Actor("1", "tests")


@pytest.fixture
def agent(federation: Federation, make_agent: MakeAgent) -> A2aAgent:
    return make_agent(federation, "worker")


def with_permissions(user: User, *codenames: str) -> User:
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return user


@pytest.fixture
def operator(reader: User) -> User:
    """Views the federation and may give work to its agents."""
    return with_permissions(reader, "run_a2aagent")


def runs_of(agent: A2aAgent) -> str:
    return f"/api/v1/agents/{agent.id}/runs"


def of_peer(agent: A2aAgent, *, needs_approval: bool = True) -> AgentRun:
    work = Work("secret", source=RunSource.PEER, source_id="peer-1", dispatch_id="d-1", needs_approval=needs_approval)
    return make_run(agent, work, by=Actor("", "https://peer.example"))


def test_work_is_queued_shown_and_listed(api: Api, operator: User, agent: A2aAgent) -> None:
    client = api(operator, "agents-run")
    status, made = answer(client.post(runs_of(agent), {"text": "add 1", "data": {"n": 2**40}}, format="json"))
    assert (status, list(made)) == (201, RUN_KEYS)
    assert TIME.match(made.pop("createdAt"))
    assert made == {
        "id": made["id"], "agentId": agent.id, "agentName": "worker", "federationId": agent.federation_id,
        "source": "staff", "dispatchId": None, "state": "queued", "text": "add 1", "answer": None, "usage": {},
        "error": None, "sends": 0, "createdBy": str(operator.pk), "startedAt": None, "finishedAt": None,
    }  # fmt: skip
    shown = client.get(f"/api/v1/runs/{made['id']}").json()
    assert list(shown) == [*RUN_KEYS, "events"] and shown["events"] == []
    for path in ("/api/v1/runs", runs_of(agent)):
        listed = client.get(path).json()
        assert list(listed) == ["runs", "pagination"]
        assert [run["id"] for run in listed["runs"]] == [made["id"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("agentId={agent}", 1), ("federationId={federation}", 1), ("state=queued", 1), ("source=staff", 1),
        ("agentId=x", 0), ("federationId=" + UNKNOWN, 0), ("state=completed", 0), ("source=peer", 0),
        ("dispatchId=d", 0), ("state=nonsense", 0),
    ],
)  # fmt: skip
def test_filters(api: Api, operator: User, agent: A2aAgent, query: str, found: int) -> None:
    make_run(agent, Work("add 1"), by=STAFF)
    path = f"/api/v1/runs?{query.format(agent=agent.id, federation=agent.federation_id)}"
    assert api(operator, "agents-run").get(path).json()["pagination"]["total"] == found


def test_a_repeated_request_is_the_same_run_and_another_one_conflicts(
    api: Api, operator: User, owner: User, agent: A2aAgent
) -> None:
    client, path = api(operator, "agents-run"), runs_of(agent)
    key: Any = {"HTTP_IDEMPOTENCY_KEY": "k-1"}
    first = client.post(path, {"text": "add 1"}, format="json", **key)
    again = client.post(path, {"text": "add 1", "data": None}, format="json", **key)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    other = client.post(path, {"text": "add 2"}, format="json", **key)
    assert answer(other) == (409, error("conflict", "The Idempotency-Key was used with another request"))
    theirs = api(owner, "agents-run").post(path, {"text": "add 2"}, format="json", **key)
    assert theirs.status_code == 201
    assert client.post(path, {"text": "a"}, format="json", HTTP_IDEMPOTENCY_KEY="k" * 201).status_code == 400
    assert AgentRun.objects.count() == 2


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": "  "}, {"text": 1}, {"text": "a", "data": [1]}])
def test_malformed_work_is_refused(api: Api, operator: User, agent: A2aAgent, body: dict[str, Any]) -> None:
    assert api(operator, "agents-run").post(runs_of(agent), body, format="json").status_code == 400
    assert not AgentRun.objects.exists()


def test_an_agent_of_a_disabled_federation_gets_no_work(api: Api, operator: User, agent: A2aAgent) -> None:
    Federation.objects.update(status="disabled")
    message = "Federation in status 'disabled' cannot run its agents"
    found = api(operator, "agents-run").post(runs_of(agent), {"text": "a"}, format="json")
    assert answer(found) == (409, error("conflict", message))


ACTIONS = {"cancel": {}, "input": {"text": "40"}, "approve": {}, "refuse": {"reason": "not now"}}
VERBS = {"cancel": "cancelled", "input": "answered", "approve": "approved", "refuse": "refused"}
ALLOWED = {
    "waiting_approval": {"cancel": "cancelled", "approve": "queued", "refuse": "cancelled"},
    "queued": {"cancel": "cancelled"},
    "running": {"cancel": "running"},
    "input_required": {"cancel": "input_required", "input": "running"},
}
STATES = ("waiting_approval", "queued", "running", "input_required", "completed", "failed", "cancelled", "expired")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_in_each_state(api: Api, operator: User, agent: A2aAgent, state: str, action: str) -> None:
    run = make_run(agent, Work("add 1"), by=STAFF)
    AgentRun.objects.filter(id=run.id).update(state=state)
    client = api(with_permissions(operator, "approve_agentrun"), SCOPES)
    found = client.post(f"/api/v1/runs/{run.id}/{action}", ACTIONS[action], format="json")
    expected = ALLOWED.get(state, {}).get(action)
    if expected is None:
        message = f"Run in state '{state}' cannot be {VERBS[action]}"
        assert answer(found) == (409, error("conflict", message))
        return
    assert (found.status_code, found.json()["state"]) == (200, expected)
    stored = AgentRun.objects.get(id=run.id)
    assert stored.state == expected
    assert (stored.due_at is None) == stored.has_ended
    kinds = list(stored.events.values_list("kind", flat=True))
    assert (
        kinds
        == {
            "cancel": ["cancelled", "ended"] if expected == "cancelled" else ["cancelled"],
            "input": ["answered"],
            "approve": ["approved"],
            "refuse": ["cancelled", "ended"],
        }[action]
    )
    if action == "refuse":
        assert stored.error == "Refused: not now"


def test_a_second_cancel_changes_nothing(api: Api, operator: User, agent: A2aAgent) -> None:
    run = make_run(agent, Work("add 1"), by=STAFF)
    AgentRun.objects.filter(id=run.id).update(state="running")
    client = api(operator, "agents-run")
    for _ in range(2):
        assert client.post(f"/api/v1/runs/{run.id}/cancel", {"reason": "enough"}, format="json").status_code == 200
    stored = AgentRun.objects.get(id=run.id)
    assert (stored.cancel_reason, stored.events.count()) == ("enough", 1)


def every_request(client: Any, agent: A2aAgent, run: AgentRun) -> dict[str, int]:
    """Return the status of each endpoint: reads, then the actions, on a run that waits for approval."""
    path = f"/api/v1/runs/{run.id}"
    found = {
        "list": client.get("/api/v1/runs"),
        "list of agent": client.get(runs_of(agent)),
        "show": client.get(path),
        "run": client.post(runs_of(agent), {"text": "a"}, format="json"),
        "approve": client.post(f"{path}/approve", {}, format="json"),
        "refuse": client.post(f"{path}/refuse", {"reason": "no"}, format="json"),
        "input": client.post(f"{path}/input", {"text": "a"}, format="json"),
        "cancel": client.post(f"{path}/cancel", {}, format="json"),
    }
    return {name: response.status_code for name, response in found.items()}


def test_who_may_do_what_with_work_of_staff(
    api: Api, make_user: MakeUser, agent: A2aAgent, federation: Federation, stranger: User, reader: User
) -> None:
    def ask(user: User | None) -> dict[str, int]:
        run = make_run(agent, Work("a", needs_approval=True), by=STAFF)
        client = api(user)
        if user is not None:
            token = issue_token(user.username, scopes=SCOPES.split(), days=1)
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        return every_request(client, agent, run)

    assert set(ask(None).values()) == {401}
    refused = dict.fromkeys(("list of agent", "show", "run", "approve", "refuse", "input", "cancel"), 403)
    assert ask(stranger) == {"list": 200, **refused}
    reads = {"list": 200, "list of agent": 200, "show": 200}
    writes = {"run": 403, "approve": 403, "refuse": 403, "input": 403, "cancel": 403}
    assert ask(reader) == reads | writes
    assert ask(with_permissions(reader, "run_a2aagent", "add_dispatch")) == reads | writes | {
        "run": 201, "input": 409, "cancel": 200,
    }  # fmt: skip
    assert ask(with_permissions(reader, "approve_agentrun")) == reads | {
        "run": 201, "approve": 200, "refuse": 409, "input": 409, "cancel": 200,
    }  # fmt: skip


def test_a_peers_work_is_seen_only_with_the_right_to_see_received_dispatches(
    api: Api, operator: User, agent: A2aAgent
) -> None:
    run = of_peer(agent)
    client = api(with_permissions(operator, "approve_agentrun"), SCOPES)
    assert client.get("/api/v1/runs").json()["runs"] == []
    assert answer(client.get(f"/api/v1/runs/{run.id}")) == (403, refusal("VIEW"))
    assert client.post(f"/api/v1/runs/{run.id}/approve", {}, format="json").status_code == 403
    client = api(with_permissions(User.objects.get(pk=operator.pk), "view_receiveddispatch"), SCOPES)
    (shown,) = client.get("/api/v1/runs?source=peer&dispatchId=d-1").json()["runs"]
    assert (shown["source"], shown["dispatchId"], shown["createdBy"]) == ("peer", "d-1", None)
    assert client.post(f"/api/v1/runs/{run.id}/approve", {}, format="json").json()["state"] == "queued"


def test_a_peers_token_opens_no_endpoint_of_runs(api: Api, agent: A2aAgent) -> None:
    peer = Peer.objects.create(server_url="https://peer.example", state=PeerState.APPROVED)
    token = issue_peer_token(peer, days=1, by=STAFF)
    client = api()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert set(every_request(client, agent, of_peer(agent)).values()) <= {401, 403}


def test_unknown_objects(api: Api, operator: User) -> None:
    client = api(operator, "agents-run")
    for key in (UNKNOWN, "x"):
        assert answer(client.get(f"/api/v1/runs/{key}")) == (404, error("not_found", "Run not found"))
        assert answer(client.get(f"/api/v1/agents/{key}/runs")) == (404, error("not_found", "Agent not found"))


def test_a_list_needs_as_many_queries_for_many_runs_as_for_one(api: Api, operator: User, agent: A2aAgent) -> None:
    client = api(operator, "agents-run")
    make_run(agent, Work("a"), by=STAFF)
    client.get("/api/v1/runs")
    with counted_queries() as one:
        client.get("/api/v1/runs")
    for _ in range(5):
        make_run(agent, Work("a"), by=STAFF)
    with counted_queries() as many:
        client.get("/api/v1/runs")
    assert len(many) == len(one)


def test_a_peer_loses_its_waiting_runs_together(agent: A2aAgent) -> None:
    for number in range(10):
        of_peer(agent, needs_approval=number % 2 == 0)
    assert cancel_runs_of_peer("peer-1", reason="the peer was suspended") == 10
    assert set(AgentRun.objects.values_list("state", "error")) == {("cancelled", "the peer was suspended")}
