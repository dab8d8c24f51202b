"""What the hub of the soak has before the soak begins: federations with schedules, agents for work, and a peer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from benchmarks.soak.accounts import Accounts, account_of, role_of
from benchmarks.soak.stack import Stack
from core.strict_json import JsonObject
from tests.contract.peer_pair import APPROVE, FINGERPRINT, REGISTER
from tests.sandbox_server import REGION, ROLE_ARN

_VERSION: JsonObject = {"a2aVersions": ["1.0"], "forwardedHeaders": ["A2A-Version"]}
# The agents that get work. They are in an account of their own, whose runtimes do not change.
WORKERS: dict[str, JsonObject] = {
    "works_at_once": {"worker": "streams_at_once", **_VERSION},
    "works_streaming": {"worker": "streams", "workerSeconds": 2, **_VERSION},
    "works_polled": {"worker": "polled", "workerSeconds": 2, **_VERSION},
}
ANSWER_SECONDS = 60.0
_SCOPES = ["agents-run", "federations-read", "federations-write", "peers-read", "peers-write"]
_PEOPLE = f"""
{FINGERPRINT}
from django.contrib.auth.models import User
from core.tokens.services import issue_token
User.objects.create_superuser("root")
out = [issue_token("root", scopes={_SCOPES}, days=1), out]
{REGISTER}
"""
_SHOW = """
from peers.services.catalog.agents import set_visibility
from peers.services.catalog.work_settings import set_asks_before_work
for name in {names}:
    path = "/agentcore/a2a/" + name
    set_visibility("{federation}", path, "unlisted", staff)
    set_asks_before_work("{federation}", path, False, by=staff)
"""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The prepared hubs: a token of staff on each, and the id of the federation of each account.

    `unscheduled` are federations of further accounts without a schedule.
    """

    url: str
    token: str
    peer_token: str
    federations: dict[str, str]
    unscheduled: list[str]

    def client(self) -> httpx.Client:
        """Return a client of the hub's API with the token of staff."""
        return _client(self.url, self.token)

    def schedule(self, seconds: int | None) -> None:
        """Sync each federation every `seconds`, or only on request for None."""
        with self.client() as client:
            for number, federation in enumerate(self.federations.values()):
                body = {**_body(**_named(number)), "schedule": {"intervalSeconds": seconds} if seconds else None}
                client.put(f"/api/v1/federations/{federation}", json=body).raise_for_status()


def prepare(stack: Stack, accounts: Accounts) -> Prepared:
    """Let both hubs trust each other, fill the accounts, and store a federation for each of them."""
    hub, peer = stack.hub, stack.peer
    for name, fields in WORKERS.items():
        stack.sandbox.admin.add(name, "A2A", **fields)
    with ThreadPoolExecutor(2) as pool:
        people = pool.map(lambda each: each.do(_PEOPLE), (hub, peer))
        accounts.fill()
        (token, fingerprint), (peer_token, peer_fingerprint) = people
        with _client(hub.url, token) as client:
            at_work = _create(client, "Work", ROLE_ARN)
            show = _SHOW.format(names=[name.replace("_", "-") for name in WORKERS], federation=at_work)
            approvals = pool.map(
                lambda each: each[0].do(each[1]),
                (
                    (hub, APPROVE.format(name="hub", url=peer.url, fingerprint=peer_fingerprint) + show),
                    (peer, APPROVE.format(name="peer", url=hub.url, fingerprint=fingerprint)),
                ),
            )
            ids = [_create(client, **_named(number)) for number in range(accounts.count + accounts.spare)]
            client.post(f"/api/v1/federations/{at_work}/sync", json={}).raise_for_status()
        list(approvals)
    federations = {account_of(number): ids[number] for number in range(accounts.count)}
    return Prepared(hub.url, token, peer_token, federations, ids[accounts.count :])


def _client(url: str, token: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=ANSWER_SECONDS)


def _named(number: int) -> dict[str, str]:
    return {"name": f"Account {account_of(number)}", "role": role_of(number)}


def _body(name: str, role: str) -> JsonObject:
    return {"displayName": name, "providerConfig": {"region": REGION, "assumeRoleArn": role}}


def _create(client: httpx.Client, name: str, role: str) -> str:
    answer = client.post("/api/v1/federations", json={"providerType": "aws_agentcore", **_body(name, role)})
    answer.raise_for_status()
    return str(answer.json()["id"])
