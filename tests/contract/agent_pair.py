"""Two hubs and a local AWS: the agents of one hub are in the sandbox, and the other hub gives them work."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from core.strict_json import JsonObject
from federations.models import AgentRun
from peers.models import Dispatch, InboundCallback, ReceivedDispatch
from sandbox.client import SandboxClient, SandboxClientError
from tests.contract.peer_hubs import Hub, template
from tests.contract.peer_pair import Pair
from tests.sandbox_server import REGION, ROLE_ARN, RunningSandbox

_SCOPES = ["agents-run", "federations-read", "federations-write", "peers-read", "peers-write"]
_CONNECT = """
from core.actors import Actor
from django.contrib.auth.models import User
from core.tokens.services import issue_token
from federations.services.federations import create_federation
from peers.services.catalog.agents import set_visibility
from peers.services.catalog.work_settings import set_asks_before_work
root = User.objects.create_superuser("root")
staff = Actor(id=str(root.pk), name="root")
config = {config}
federation = create_federation(
    provider_type="aws_agentcore", display_name="Local", description="", tags=[], provider_config=config, by=staff
)
for name, asks in {agents}.items():
    path = "/agentcore/a2a/" + name.replace("_", "-")
    set_visibility(federation.id, path, "unlisted", staff)
    set_asks_before_work(federation.id, path, asks, by=staff)
out = [federation.id, issue_token("root", scopes={scopes}, days=1)]
"""


class AgentPair(Pair):
    """The pair of hubs; the agents of `right` are in the sandbox, and its staff use its API."""

    def __init__(self, left: Hub, right: Hub, cloud: SandboxClient, asks: Mapping[str, bool]) -> None:
        super().__init__(left, right)
        config = {"region": REGION, "assumeRoleArn": ROLE_ARN}
        self.federation_id, self.staff_token = right.do(
            _CONNECT.format(config=config, agents=dict(asks), scopes=_SCOPES)
        )
        self.cloud = cloud
        self._sync()

    def _sync(self) -> None:
        self.right.run("manage.py", "sync_federation", self.federation_id)

    def remove_agent(self, name: str) -> None:
        """Remove an agent from the sandbox and from the registry of `right`."""
        self.cloud.remove(name)
        self._sync()

    def run_of(self, dispatch_id: str, state: str) -> AgentRun:
        """Wait until the run of a dispatch is in this state, and return it."""
        stored = self.right.stored(ReceivedDispatch).filter(dispatch_id=dispatch_id)

        def find() -> AgentRun | None:
            received = stored.first()
            return (
                self.right.stored(AgentRun).filter(dispatch_id=received.pk, state=state).first() if received else None
            )

        self.right.wait(find, f"no run is {state}")
        found = find()
        assert found is not None
        return found

    def decide_run(self, run: AgentRun, verb: str, **body: str) -> None:
        """Act on a run as staff of `right`."""
        headers = {"Authorization": f"Bearer {self.staff_token}"}
        answer = httpx.post(f"{self.right.url}/api/v1/runs/{run.id}/{verb}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text

    def ended(self, dispatch_id: str, status: str) -> tuple[Dispatch, list[tuple[str, Any]]]:
        """Wait for the end; return the dispatch of `left`, and the event type and state_delta of each callback."""
        self.wait_for(dispatch_id, status)
        callbacks = self.left.stored(InboundCallback).filter(dispatch_id=dispatch_id).order_by("received_at")
        told = [(row.event_type, row.body["state_delta"]) for row in callbacks]
        return self.left.stored(Dispatch).get(pk=dispatch_id), told


@contextmanager
def agent_pair(
    folder: Path,
    sandbox: RunningSandbox,
    agents: Mapping[str, JsonObject],
    *,
    asks: Collection[str] = (),
    worker: str = "fedhub",
    variables: Mapping[str, str] | None = None,
) -> Iterator[AgentPair]:
    """Yield two running hubs, and add `agents` to the sandbox; those in `asks` ask before work.

    The second hub has a worker for agents alone, of the Celery application `worker`, so that reports go out while
    agents work. `variables` are further ones of its environment.
    """
    database = template(folder / "template")
    own = {**sandbox.environment, "FEDHUB_HANDLERS": "peers.handlers.A2aAgents", **(variables or {})}
    left = Hub("left", folder / "left")
    right = Hub("right", folder / "right", extra=own, worker=worker)
    for name, fields in agents.items():
        sandbox.admin.add(name, "A2A", **fields)
    try:
        for hub, programs in ((left, ["worker"]), (right, ["worker-handlers,peers,sweep", "worker-agents"])):
            hub.create(database)
            hub.start("web", "beat", *programs)
        yield AgentPair(left, right, sandbox.admin, {name: name in asks for name in agents})
    finally:
        for hub in (left, right):
            hub.kill()
        for name in agents:
            with suppress(SandboxClientError):  # The test has removed it.
                sandbox.admin.remove(name)
