"""Real A2A agents on the official package `a2a-sdk`: each has a card and a JSON-RPC endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from a2a.helpers.proto_helpers import get_message_text, new_text_message
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentProvider, AgentSkill
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from core.strict_json import JsonObject
from sandbox.a2a_hostile import FLOODS, HOSTILE, Flood
from sandbox.a2a_log import AgentLog
from sandbox.a2a_workers import WORKERS, Worker
from sandbox.odd_cards import break_card
from sandbox.runtime_specs import RuntimeSpec, SandboxRuntime

ALL_WORKERS: Mapping[str, type[Worker]] = {**WORKERS, **HOSTILE}
OVERSIZE_CHARACTERS = 5 * 1024 * 1024


class EchoExecutor(AgentExecutor):
    """Runs an A2A agent for the SDK: it sends the text of each received message back."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Send the message's text back."""
        text = get_message_text(context.message) if context.message else ""
        await event_queue.enqueue_event(new_text_message(f"{self._name}: {text}", context_id=context.context_id))

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Do nothing, because an echo ends before it can be cancelled."""


def is_streaming(spec: RuntimeSpec) -> bool:
    """Tell whether the agent of `spec` streams."""
    worker = ALL_WORKERS.get(spec.worker)
    return spec.worker in FLOODS or (worker is not None and worker.streams)


def build_card(spec: RuntimeSpec, version: int, url: str) -> AgentCard:
    """Return the agent card of `spec`; with A2A 0.3 among its versions, the card also has a `url`."""
    interfaces = [
        AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version=version) for version in spec.a2a_versions
    ]
    padding = "x" * OVERSIZE_CHARACTERS if spec.behavior.oversize else ""
    return AgentCard(
        name=spec.name,
        description=spec.description + padding,
        supported_interfaces=interfaces,
        provider=AgentProvider(organization="fedhub sandbox", url="https://sandbox.example"),
        version=f"{version}.0.0",
        capabilities=AgentCapabilities(streaming=is_streaming(spec), push_notifications=False),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[_skill(skill) for skill in spec.skills],
    )


def _skill(skill: JsonObject) -> AgentSkill:
    return AgentSkill(
        id=str(skill["id"]),
        name=str(skill["name"]),
        description=str(skill.get("description", "")),
        tags=[str(tag) for tag in cast("Sequence[object]", skill.get("tags", ()))],
        examples=[str(example) for example in cast("Sequence[object]", skill.get("examples", ()))],
    )


@dataclass(slots=True)
class _Agent:
    spec: RuntimeSpec
    version: int
    card: ASGIApp
    endpoint: ASGIApp


def _build(runtime: SandboxRuntime, url: str, log: AgentLog, tasks: InMemoryTaskStore) -> _Agent:
    spec = runtime.spec
    card = build_card(spec, runtime.version, url)
    worker = ALL_WORKERS.get(spec.worker)
    executor = worker(runtime.runtime_id, log, spec.worker_seconds) if worker else EchoExecutor(spec.name)
    handler = DefaultRequestHandler(executor, tasks, card)
    card_app: ASGIApp = _route(create_agent_card_routes(card))
    if spec.behavior.card:
        card_app = JSONResponse(break_card(agent_card_to_dict(card), spec.behavior.card))
    speaks_0_3 = "0.3" in spec.a2a_versions
    endpoint: ASGIApp = _route(create_jsonrpc_routes(handler, "/", enable_v0_3_compat=speaks_0_3))
    if spec.worker in FLOODS:
        events = int(spec.worker_seconds * 1_000) or FLOODS[spec.worker]
        endpoint = Route("/", Flood(events).answer, methods=["POST"]).app
    return _Agent(spec, runtime.version, card_app, endpoint)


def _route(routes: Sequence[Route]) -> ASGIApp:
    return routes[0].app


class A2aHost:
    """Holds the A2A agents for the data plane: it builds one at a runtime's first call, and passes requests to it.

    `log` says what each agent received and did. A changed agent keeps its tasks; a restarted one forgets them.
    """

    def __init__(self) -> None:
        self._agents: dict[str, _Agent] = {}
        self._tasks: dict[str, InMemoryTaskStore] = {}
        self.log = AgentLog()

    async def card(self, runtime: SandboxRuntime, url: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the runtime's agent card."""
        await self._agent(runtime, url).card(scope, receive, send)

    async def answer(self, runtime: SandboxRuntime, url: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one JSON-RPC request to the runtime's agent."""
        await self._agent(runtime, url).endpoint(scope, receive, send)

    def restart(self, runtime_id: str) -> None:
        """Let an agent forget its tasks."""
        self._agents.pop(runtime_id, None)
        self._tasks.pop(runtime_id, None)

    def _agent(self, runtime: SandboxRuntime, url: str) -> _Agent:
        agent = self._agents.get(runtime.runtime_id)
        if agent is None or agent.spec is not runtime.spec or agent.version != runtime.version:
            tasks = self._tasks.setdefault(runtime.runtime_id, InMemoryTaskStore())
            agent = self._agents[runtime.runtime_id] = _build(runtime, url, self.log, tasks)
        return agent
