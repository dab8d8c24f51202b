"""Enrichment: the concurrent reading of many runtimes' tools, resources, prompts or cards.

One event loop, in its own thread, reads all runtimes over one connection pool. The discovering thread reports the
progress. A runtime that fails becomes a `FailedRuntime` and does not affect the other runtimes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass

import httpx2

from federations.providers.agentcore.agent_card import read_card, with_version_warning
from federations.providers.agentcore.bearer import TokenRefusedError
from federations.providers.agentcore.bounds import EnrichmentError, Limits, clean_error
from federations.providers.agentcore.connections import connection_pool
from federations.providers.agentcore.control import invocation_url
from federations.providers.agentcore.mcp_client import read_catalog
from federations.providers.agentcore.transport import Authorize, Conversation, Renew, RuntimeTransport
from federations.sync.resources import (
    EnrichedAgent,
    EnrichedMcpServer,
    FailedRuntime,
    ResourceKind,
    Runtime,
    RuntimeAccess,
)

logger = logging.getLogger(__name__)

_CARD_PATH = "/.well-known/agent-card.json"
_REPORT_SECONDS = 1.0

Enriched = EnrichedMcpServer | EnrichedAgent | FailedRuntime


@dataclass(frozen=True, slots=True)
class DescribedRuntime:
    """A runtime that the control plane has described and that the enrichment will read.

    `access` says how the runtime must be called; `kind` is the kind of resource that the registry stores for it.
    `protocol_version` is the stored MCP revision of the server, or empty. `is_private` tells whether the runtime has a
    private endpoint, which the hub may not reach.
    """

    runtime: Runtime
    access: RuntimeAccess
    kind: ResourceKind
    protocol_version: str = ""
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class DataPlane:
    """Where and how `enrich_all` calls the runtimes of one discovery.

    `origin` is the origin of the data plane's URLs. `authorize` returns the functions `Authorize` and `Renew` for one
    runtime, or raises TokenRefusedError. At most `concurrency` runtimes are read at the same time, each within
    `limits`. `ca_bundle` is the path of a file of trusted certificates, or None for the default ones.
    """

    origin: str
    authorize: Callable[[DescribedRuntime], tuple[Authorize, Renew]]
    concurrency: int
    limits: Limits
    ca_bundle: str | None = None


def enrich_all(
    runtimes: Sequence[DescribedRuntime], data_plane: DataPlane, report: Callable[[int, int], None]
) -> list[Enriched]:
    """Read `runtimes` and return one finding for each, in their order.

    The calling thread calls `report` with the number of finished runtimes and of all runtimes, at least once a second.
    An exception of `report` stops the enrichment and is raised.
    """
    if not runtimes:
        return []
    done: queue.SimpleQueue[None] = queue.SimpleQueue()
    loop_runner = _LoopRunner(_enrich_all(runtimes, data_plane, lambda: done.put(None)))
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="enrichment") as thread:
        future = thread.submit(copy_context().run, loop_runner.run)
        try:
            finished = 0
            while finished < len(runtimes) and not future.done():
                with contextlib.suppress(queue.Empty):
                    done.get(timeout=_REPORT_SECONDS)
                    finished += 1
                report(finished, len(runtimes))
            if finished < len(runtimes):
                report(len(runtimes), len(runtimes))
        except BaseException:
            loop_runner.cancel()
            raise
        return future.result()


class _LoopRunner:
    """Runs the one coroutine of `enrich_all` in its own event loop. Another thread may call `cancel` at any time."""

    def __init__(self, work: Coroutine[None, None, list[Enriched]]) -> None:
        self._work = work
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[list[Enriched]] | None = None
        self._is_cancelled = False

    def run(self) -> list[Enriched]:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            return runner.run(self._run())

    def cancel(self) -> None:
        self._is_cancelled = True
        if self._task is not None:
            with contextlib.suppress(RuntimeError):  # The loop is closed because the coroutine has finished.
                self._loop.call_soon_threadsafe(self._task.cancel)

    async def _run(self) -> list[Enriched]:
        self._task = asyncio.ensure_future(self._work)
        if self._is_cancelled:
            self._task.cancel()
        return await self._task


async def _enrich_all(
    runtimes: Sequence[DescribedRuntime], data_plane: DataPlane, on_done: Callable[[], None]
) -> list[Enriched]:
    slots = asyncio.Semaphore(data_plane.concurrency)
    async with connection_pool(data_plane.origin, data_plane.concurrency, data_plane.ca_bundle) as shared:

        async def enrich_one(described: DescribedRuntime) -> Enriched:
            async with slots:
                finding = await _enrich(described, data_plane, shared)
            on_done()
            return finding

        return await asyncio.gather(*(enrich_one(described) for described in runtimes))


async def _enrich(described: DescribedRuntime, data_plane: DataPlane, shared: httpx2.AsyncBaseTransport) -> Enriched:
    """Return the finding for one runtime. Turn every exception into a `FailedRuntime`."""
    try:
        authorize, renew = data_plane.authorize(described)
        conversation = Conversation(shared, authorize, renew, data_plane.limits, is_private=described.is_private)
        return await _read_runtime(described, data_plane, conversation)
    except (EnrichmentError, TokenRefusedError) as exc:
        return _failed_runtime(described, str(exc))
    except Exception as exc:
        # An unexpected error of an SDK must not fail the other runtimes.
        logger.warning("Unexpected failure of an enrichment", exc_info=exc)
        return _failed_runtime(described, f"{type(exc).__name__}: {exc}")


async def _read_runtime(described: DescribedRuntime, data_plane: DataPlane, conversation: Conversation) -> Enriched:
    runtime = described.runtime
    url = invocation_url(data_plane.origin, runtime.arn)
    if described.kind is ResourceKind.MCP_SERVER:
        catalog = await read_catalog(conversation, url, runtime.runtime_id, described.protocol_version)
        return EnrichedMcpServer(runtime, described.access, catalog, url)
    card_url = invocation_url(data_plane.origin, runtime.arn, _CARD_PATH)
    async with httpx2.AsyncClient(transport=RuntimeTransport(conversation), trust_env=False, timeout=None) as client:
        card = await read_card(client, card_url, url, runtime.runtime_id)
    return EnrichedAgent(runtime, described.access, with_version_warning(card, runtime))


def _failed_runtime(described: DescribedRuntime, reason: str) -> FailedRuntime:
    runtime = described.runtime
    return FailedRuntime(
        runtime_id=runtime.runtime_id,
        arn=runtime.arn,
        name=runtime.name,
        version=runtime.version,
        error=clean_error(f"enrichment failed: {reason}"),
        kind=described.kind,
        last_updated_at=runtime.last_updated_at,
        status=runtime.status,
    )
