"""What the hub of the soak has before the soak begins: federations with schedules, agents for work, and a peer."""

from __future__ import annotations

import json
from dataclasses import dataclass

from benchmarks.soak.accounts import Accounts, account_of, role_of
from benchmarks.soak.stack import Stack
from core.strict_json import JsonObject
from tests.contract.agent_pair import AgentPair
from tests.contract.peer_pair import REGISTER
from tests.sandbox_server import REGION

_VERSION: JsonObject = {"a2aVersions": ["1.0"], "forwardedHeaders": ["A2A-Version"]}
# The agents that get work. They are in an account of their own, whose runtimes do not change.
WORKERS: dict[str, JsonObject] = {
    "works_at_once": {"worker": "streams_at_once", **_VERSION},
    "works_streaming": {"worker": "streams", "workerSeconds": 2, **_VERSION},
    "works_polled": {"worker": "polled", "workerSeconds": 2, **_VERSION},
}
_CREATE = """
from core.actors import Actor
from django.contrib.auth.models import User
from federations.services.federations import create_federation
root = User.objects.get(username="root")
staff = Actor(id=str(root.pk), name="root")
out = {{}}
for account, role in {accounts}:
    config = {{"region": "{region}", "assumeRoleArn": role}}
    out[account] = create_federation(
        provider_type="aws_agentcore", display_name="Account " + account, description="", tags=[],
        provider_config=config, by=staff,
    ).id
"""
_SCHEDULE = """
from federations.models import Federation
from federations.schedules.rule import Schedule
from federations.services.schedule import set_schedule
for federation in Federation.objects.filter(id__in={ids}):
    set_schedule(federation, Schedule(interval_seconds={seconds}))
"""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The prepared hubs: the pair that trusts each other, and the federation of each account.

    `unscheduled` are federations of the same accounts without a schedule.
    """

    pair: AgentPair
    federations: dict[str, str]
    unscheduled: list[str]

    def schedule(self, stack: Stack, seconds: int | None) -> None:
        """Sync each federation every `seconds`, or only on request for None."""
        stack.hub.do(_SCHEDULE.format(ids=sorted(self.federations.values()), seconds=seconds))


def prepare(stack: Stack, accounts: Accounts) -> Prepared:
    """Let both hubs trust each other, fill the accounts, and store a federation for each of them."""
    cloud = stack.sandbox.admin
    for name, fields in WORKERS.items():
        cloud.add(name, "A2A", **fields)
    pair = AgentPair(stack.peer, stack.hub, cloud, dict.fromkeys(WORKERS, False))
    stack.peer.do(REGISTER)
    accounts.fill()
    numbers = range(accounts.count + accounts.spare)
    stored = stack.hub.do(
        _CREATE.format(accounts=json.dumps([[account_of(n), role_of(n)] for n in numbers]), region=REGION)
    )
    federations = {account_of(number): str(stored[account_of(number)]) for number in numbers[: accounts.count]}
    return Prepared(pair, federations, [str(stored[account_of(number)]) for number in numbers[accounts.count :]])
