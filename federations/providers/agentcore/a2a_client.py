"""The client of A2A agents, on the official SDK, in both versions of the protocol."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime
from http import HTTPStatus

import httpx
import httpx2
from a2a.client.client import ClientCallContext
from a2a.client.transports.base import ClientTransport
from a2a.client.transports.jsonrpc import JsonRpcTransport
from a2a.compat.v0_3.jsonrpc_transport import CompatJsonRpcTransport
from a2a.types import a2a_pb2
from a2a.utils.errors import (
    A2AError,
    MethodNotFoundError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
    VersionNotSupportedError,
)
from botocore.exceptions import BotoCoreError, ClientError
from google.protobuf.json_format import ParseDict

from core.strict_json import JsonObject
from federations.providers.agentcore import retry
from federations.providers.agentcore.a2a_updates import answer_update, stream_update, task_update
from federations.providers.agentcore.a2a_wire import AgentTransport
from federations.providers.agentcore.bearer import TokenRefusedError
from federations.providers.agentcore.bounds import EnrichmentError, clean_error
from federations.providers.agentcore.refusals import RefusedError, RequestFault
from federations.providers.agentcore.transport import Authorize, Renew
from federations.providers.base import AgentAddress, AgentFault, NotOfferedError, UnknownTaskError
from federations.runs.message import OutgoingMessage
from federations.runs.updates import AgentUpdate
from federations.sync.agent_cards import offers_streaming, spoken_versions

VERSION_HELP = (
    "the agent refuses the protocol version: AgentCore removes the header A2A-Version unless the runtime's request "
    "header allowlist has it; add A2A-Version there, or let the agent offer version 0.3 in its card"
)
_NOT_OFFERED = (UnsupportedOperationError, MethodNotFoundError, TaskNotCancelableError, NotImplementedError)
_NO_STREAM = (UnsupportedOperationError, MethodNotFoundError)
_READ_SECONDS = 30.0
_HISTORY = 20
_TASKS_PAGE = 20


class A2aClient:
    """The requests of one run to one agent; see `providers.base.AgentClient`.

    AgentCore removes the header A2A-Version, and a server of version 1.0 takes a missing version for 0.3. So a refused
    version is tried once as 0.3, if the card offers it, and the run keeps to it.
    """

    def __init__(
        self, shared: httpx2.AsyncBaseTransport, address: AgentAddress, authorize: Authorize, renew: Renew
    ) -> None:
        self._offered = spoken_versions(address.card)
        self.protocol_version = address.protocol_version or self._offered[0]
        self.offers_streaming = offers_streaming(address.card)
        self._url = address.url
        self._trace_parent = address.trace_parent
        self._wire = AgentTransport(shared, address.url, address.trace_parent, authorize, renew)
        # The caller bounds the time of a stream, and the account's pool has the connections.
        no_limit = httpx.Timeout(None)
        self._http = httpx.AsyncClient(transport=self._wire, trust_env=False, timeout=no_limit)

    @property
    def requests(self) -> int:
        """Return the number of requests so far."""
        return self._wire.requests

    async def send(self, message: OutgoingMessage) -> AsyncGenerator[AgentUpdate]:
        """Send the message; yield the updates of the stream, or the one answer that does not wait for the work."""
        request = a2a_pb2.SendMessageRequest(
            message=_message(message, self._trace_parent),
            configuration=a2a_pb2.SendMessageConfiguration(return_immediately=True, history_length=_HISTORY),
        )
        with _faults():
            async with aclosing(self._send(request)) as updates:
                async for update in updates:
                    yield update

    async def subscribe(self, task_id: str) -> AsyncGenerator[AgentUpdate]:
        """Open the stream of a task again. Raise NotOfferedError where there is none."""
        if not self.offers_streaming:
            raise NotOfferedError("the card offers no streams")
        with _faults():
            events = self._sdk().subscribe(a2a_pb2.SubscribeToTaskRequest(id=task_id), context=self._context())
            async with aclosing(_updates(events)) as updates:
                async for update in updates:
                    yield update

    async def get_task(self, task_id: str) -> AgentUpdate:
        """Return the task. Raise UnknownTaskError where the agent does not know it."""
        request = a2a_pb2.GetTaskRequest(id=task_id, history_length=_HISTORY)
        with _faults():
            return task_update(await self._sdk().get_task(request, context=self._context(_READ_SECONDS)))

    async def find_task(self, message: OutgoingMessage) -> AgentUpdate | None:
        """Return the task that the message has begun, or None. Raise NotOfferedError where the agent lists no tasks.

        The context belongs to the run alone, so each task in it is the run's; one that knows the message is preferred.
        """
        request = a2a_pb2.ListTasksRequest(
            context_id=message.context_id, page_size=_TASKS_PAGE, history_length=_HISTORY, include_artifacts=True
        )
        with _faults():
            listed = await self._sdk().list_tasks(request, context=self._context(_READ_SECONDS))
        found = [task_update(task) for task in listed.tasks if task.context_id == message.context_id]
        knowing = [update for update in found if message.message_id in update.seen_messages]
        return next(iter(knowing or found), None)

    async def cancel_task(self, task_id: str) -> AgentUpdate:
        """Cancel the task and return it. Raise NotOfferedError where it cannot be cancelled, or UnknownTaskError."""
        with _faults():
            request = a2a_pb2.CancelTaskRequest(id=task_id)
            return task_update(await self._sdk().cancel_task(request, context=self._context(_READ_SECONDS)))

    async def _send(self, request: a2a_pb2.SendMessageRequest) -> AsyncGenerator[AgentUpdate]:
        attempt = self._stream if self.offers_streaming else self._ask
        has_begun = False
        try:
            async with aclosing(attempt(request)) as updates:
                async for update in updates:
                    has_begun = True
                    yield update
            return
        except VersionNotSupportedError as exc:
            self._fall_back(exc)
        except _NO_STREAM:
            if has_begun or not self.offers_streaming:
                raise
            self.offers_streaming = False
        # The agent refused the request, so nothing was begun.
        async with aclosing(self._send(request)) as updates:
            async for update in updates:
                yield update

    def _fall_back(self, exc: VersionNotSupportedError) -> None:
        if self.protocol_version == "0.3" or "0.3" not in self._offered:
            raise AgentFault(VERSION_HELP) from exc
        self.protocol_version = "0.3"

    async def _ask(self, request: a2a_pb2.SendMessageRequest) -> AsyncGenerator[AgentUpdate]:
        yield answer_update(await self._sdk().send_message(request, context=self._context()))

    async def _stream(self, request: a2a_pb2.SendMessageRequest) -> AsyncGenerator[AgentUpdate]:
        events = self._sdk().send_message_streaming(request, context=self._context())
        is_empty = True
        async with aclosing(_updates(events)) as updates:
            async for update in updates:
                is_empty = False
                yield update
        if is_empty:
            raise ValueError("it holds neither a task nor a message")

    def _sdk(self) -> ClientTransport:
        build: Callable[..., ClientTransport] = (
            CompatJsonRpcTransport if self.protocol_version == "0.3" else JsonRpcTransport
        )
        return build(httpx_client=self._http, agent_card=a2a_pb2.AgentCard(), url=self._url, is_shared_httpx=True)

    def _context(self, read_seconds: float | None = None) -> ClientCallContext:
        """Return the headers of a request and its time; the caller bounds the time of a stream and of the work."""
        return ClientCallContext(service_parameters={"a2a-version": self.protocol_version}, timeout=read_seconds)


async def _updates(events: AsyncIterator[a2a_pb2.StreamResponse]) -> AsyncGenerator[AgentUpdate]:
    try:
        async for event in events:
            update = stream_update(event)
            if update is not None:
                yield update
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()


def _message(message: OutgoingMessage, trace_parent: str) -> a2a_pb2.Message:
    parts: list[JsonObject] = [{"text": message.text}] if message.text else []
    if message.data is not None:
        parts.append({"data": message.data})
    written: JsonObject = {
        "messageId": message.message_id,
        "contextId": message.context_id,
        "role": "ROLE_USER",
        "parts": [*parts],
        # AgentCore removes the header of the same name.
        "metadata": {"traceparent": trace_parent, **message.metadata},
    }
    if message.task_id:
        written["taskId"] = message.task_id
    made = a2a_pb2.Message()
    ParseDict(written, made)
    return made


@contextmanager
def _faults() -> Iterator[None]:
    """Turn each error of the SDK, the wire and the credentials into an AgentFault."""
    try:
        yield
    except (AgentFault, GeneratorExit):
        raise
    except RefusedError as exc:
        raise _refused(exc) from exc
    except TaskNotFoundError as exc:
        raise UnknownTaskError("the agent no longer knows the task") from exc
    except _NOT_OFFERED as exc:
        raise NotOfferedError(clean_error(str(exc))) from exc
    except VersionNotSupportedError as exc:
        raise AgentFault(VERSION_HELP) from exc
    except (EnrichmentError, TokenRefusedError) as exc:
        raise AgentFault(clean_error(str(exc)), is_passing=isinstance(exc, RequestFault) and exc.is_passing) from exc
    except ClientError as exc:
        raise AgentFault(clean_error(str(exc)), is_passing=_is_passing_for_aws(exc), was_refused=True) from exc
    except BotoCoreError as exc:
        raise AgentFault(clean_error(str(exc)), is_passing=True, was_refused=True) from exc
    except A2AError as exc:
        raise AgentFault(clean_error(f"the agent answered: {exc}")) from exc
    except Exception as exc:
        # The SDK raises errors of many types for malformed answers.
        raise AgentFault(clean_error(f"the agent's answer cannot be read: {exc or type(exc).__name__}")) from exc


def _refused(exc: RefusedError) -> AgentFault:
    if HTTPStatus.MULTIPLE_CHOICES <= exc.status < HTTPStatus.BAD_REQUEST:
        return AgentFault(f"the agent answered with a redirect ({exc.status}), which the hub does not follow")
    wait = retry.retry_after_seconds(exc.retry_after, datetime.now(UTC))
    return AgentFault(
        clean_error(str(exc)), is_passing=exc.is_passing, was_refused=True, retry_after_seconds=wait
    )  # fmt: skip


def _is_passing_for_aws(exc: ClientError) -> bool:
    status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return retry.is_passing(int(status), str(exc.response.get("Error", {}).get("Code", "")))
