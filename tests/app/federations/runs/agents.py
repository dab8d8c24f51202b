"""Agents of the sandbox, and the provider's client for one of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import quote

from core.ids import new_object_id
from federations.providers.base import AgentAddress, AgentClient, CallerRequest
from federations.providers.registry import provider_for
from federations.runs.message import OutgoingMessage, context_id, message_id, session_id, trace_parent
from federations.runs.updates import AgentUpdate
from federations.sync.resources import JsonObject, RuntimeAccess
from tests.conftest import CONFIG
from tests.sandbox_server import RunningSandbox

T = TypeVar("T")


def invocation_url(sandbox: RunningSandbox, arn: str) -> str:
    return f"{sandbox.url}/runtimes/{quote(arn, safe='')}/invocations?qualifier=DEFAULT"


def card_of(versions: tuple[str, ...] = ("1.0", "0.3"), *, streaming: bool = False) -> JsonObject:
    """Return what matters of a card: the versions of its interfaces, at another host, and whether it streams."""
    return {
        "supportedInterfaces": [
            {"url": "https://elsewhere.example/", "protocolBinding": "JSONRPC", "protocolVersion": version}
            for version in versions
        ],
        "capabilities": {"streaming": streaming},
    }


STREAMING = ("streams", "asks", "costly", "endless", "large", "chatty")


def columns_of(sandbox: RunningSandbox, runtime: JsonObject, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of the agent, as a sync would store them, for a runtime that was added with `fields`."""
    arn = str(runtime["arn"])
    versions = tuple(fields.get("a2aVersions", ("1.0", "0.3")))
    return {
        "runtime_arn": arn,
        "runtime_id": runtime["id"],
        "url": invocation_url(sandbox, arn),
        "card": card_of(versions, streaming=fields.get("worker") in STREAMING),
    }


def first_message(run_id: str, text: str = "add 2 and 40") -> OutgoingMessage:
    return OutgoingMessage(message_id(run_id), context_id(run_id), text, data={"intent_id": "i-1"})


@asynccontextmanager
async def client_of(
    url: str, arn: str, card: JsonObject, run_id: str = "", **access: Any
) -> AsyncIterator[tuple[AgentClient, str]]:
    """Yield a client of one agent, and the id of the run that it stands for."""
    run_id = run_id or new_object_id()
    request = CallerRequest(config={**CONFIG}, external_id="ext-1")
    caller = await asyncio.to_thread(provider_for("aws_agentcore").agent_caller, request)
    address = AgentAddress(
        url, arn, RuntimeAccess(**({"mode": "iam"} | access)), card, session_id(run_id), trace_parent(run_id)
    )
    try:
        yield caller.client(address), run_id
    finally:
        await caller.aclose()


def call(
    url: str,
    arn: str,
    card: JsonObject,
    use: Callable[[AgentClient, OutgoingMessage], Awaitable[T]],
    run_id: str = "",
    **access: Any,
) -> T:
    """Run `use` with a client of the agent and the message of a new run."""

    async def run() -> T:
        async with asyncio.timeout(30), client_of(url, arn, card, run_id, **access) as (client, chosen):
            return await use(client, first_message(chosen))

    return asyncio.run(run())


async def collect(client: AgentClient, message: OutgoingMessage) -> list[AgentUpdate]:
    return [update async for update in client.send(message)]
