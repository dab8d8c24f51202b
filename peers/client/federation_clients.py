"""The clients of a federation server, with the documented methods, on httpx.

A client with an identity signs every request, and also every envelope and callback itself. The API key is sent to the
server's own origin only, redirects are not followed, and proxies of the environment are not used. A caller that does
not choose the URLs itself passes a guarded `transport`, which refuses private addresses.
"""

from contextlib import aclosing, closing
from typing import Self

import httpx

from core.strict_json import JsonMapping, JsonObject
from peers.client.federation_calls import (
    API,
    MANIFEST_PATH,
    MAX_ANSWER_BYTES,
    MAX_PAGES,
    Answer,
    Call,
    TryAgainLater,
    UnexpectedAnswer,
    agents_call,
    dispatch_call,
    envelope_call,
    read_agents,
    read_dispatch_result,
    read_next_cursor,
    read_object,
    read_receive_result,
    read_status,
)
from peers.client.request_builder import RequestBuilder
from peers.protocol.discovery import FederationStatus
from peers.protocol.endpoint_results import DispatchResult, ReceiveResult
from peers.protocol.hub_identity import HubIdentity

DEFAULT_TIMEOUT_SECONDS = 10.0


class FederationClient:
    """A synchronous client of one federation server.

    Each method raises a FederationClientError: RequestRefused, TryAgainLater or UnexpectedAnswer.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        identity: HubIdentity | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Raises InvalidIdentifier unless `base_url` is a server's URL."""
        self._requests = RequestBuilder(base_url, api_key, identity)
        self._http = httpx.Client(timeout=timeout_seconds, transport=transport, trust_env=False)

    def federation_status(self) -> FederationStatus:
        """Return the server's status."""
        return read_status(self._send(Call("GET", f"{API}/status")))

    def list_federated_agents(self, source_server: str | None = None) -> list[JsonObject]:
        """Return the visible agents of all pages as dicts; `source_server` is sent as X-Source-Server."""
        answer = self._send(agents_call(source_server))
        agents, seen = read_agents(answer), set[str]()
        while (cursor := read_next_cursor(answer)) and cursor not in seen and len(seen) < MAX_PAGES:
            seen.add(cursor)
            answer = self._send(agents_call(source_server, cursor))
            agents += read_agents(answer)
        return agents

    def federation_dispatch(
        self,
        intent_id: str,
        target_server: str,
        agent_id: str | None = None,
        delegation_scope: JsonObject | None = None,
        federation_policy: JsonObject | None = None,
        callback_url: str | None = None,
        trace_context: dict[str, str] | None = None,
    ) -> DispatchResult:
        """Ask the server to dispatch an intent to `target_server`."""
        optional: JsonObject = {
            "agent_id": agent_id,
            "delegation_scope": delegation_scope,
            "federation_policy": federation_policy,
            "callback_url": callback_url,
            "trace_context": {**(trace_context or {})},
        }
        return read_dispatch_result(self._send(dispatch_call(intent_id, target_server, optional)))

    def federation_receive(
        self,
        dispatch_id: str,
        source_server: str,
        intent_id: str,
        intent_title: str,
        intent_description: str = "",
        intent_state: JsonObject | None = None,
        agent_id: str | None = None,
        delegation_scope: JsonObject | None = None,
        federation_policy: JsonObject | None = None,
        callback_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> ReceiveResult:
        """Send the server an intent, in an envelope that is signed if the client has an identity."""
        envelope: JsonObject = {
            "dispatch_id": dispatch_id,
            "source_server": source_server,
            "intent_id": intent_id,
            "intent_title": intent_title,
            "intent_description": intent_description,
            "intent_state": intent_state or {},
        }
        optional: JsonObject = {
            "agent_id": agent_id,
            "delegation_scope": delegation_scope,
            "federation_policy": federation_policy,
            "callback_url": callback_url,
            "idempotency_key": idempotency_key,
        }
        return read_receive_result(self._send(self._requests.receive_call(envelope, optional)), dispatch_id)

    def deliver_envelope(self, envelope: JsonMapping, ucan: str | None = None) -> ReceiveResult:
        """Send an already signed envelope unchanged, with a new HTTP signature."""
        answer = self._send(envelope_call(envelope, ucan))
        return read_receive_result(answer, str(envelope.get("dispatch_id", "")))

    def send_federation_callback(
        self,
        callback_url: str,
        dispatch_id: str,
        event_type: str,
        state_delta: JsonObject | None = None,
        attestation: JsonObject | None = None,
        trace_id: str | None = None,
    ) -> JsonObject:
        """Send a callback to the server that dispatched the work, and return that server's response."""
        call = self._requests.callback_call(callback_url, dispatch_id, event_type, state_delta, attestation, trace_id)
        return read_object(self._send(call))

    def federation_discover(self) -> JsonObject:
        """Return the discovery document."""
        return read_object(self._send(Call("GET", MANIFEST_PATH)))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, call: Call) -> Answer:
        try:
            with closing(self._http.send(self._requests.build(self._http, call), stream=True)) as response:
                body = bytearray()
                _refuse_compressed(response)
                for chunk in response.iter_bytes():
                    _append(body, chunk)
        except httpx.TransportError as exc:
            raise TryAgainLater(f"no answer: {exc or type(exc).__name__}") from exc
        return Answer(response.status_code, response.headers, bytes(body))


class AsyncFederationClient:
    """An asynchronous client of one federation server, with the methods of FederationClient."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        identity: HubIdentity | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises InvalidIdentifier unless `base_url` is a server's URL."""
        self._requests = RequestBuilder(base_url, api_key, identity)
        self._http = httpx.AsyncClient(timeout=timeout_seconds, transport=transport, trust_env=False)

    async def federation_status(self) -> FederationStatus:
        """Return the server's status."""
        return read_status(await self._send(Call("GET", f"{API}/status")))

    async def list_federated_agents(self, source_server: str | None = None) -> list[JsonObject]:
        """Return the visible agents of all pages as dicts; `source_server` is sent as X-Source-Server."""
        answer = await self._send(agents_call(source_server))
        agents, seen = read_agents(answer), set[str]()
        while (cursor := read_next_cursor(answer)) and cursor not in seen and len(seen) < MAX_PAGES:
            seen.add(cursor)
            answer = await self._send(agents_call(source_server, cursor))
            agents += read_agents(answer)
        return agents

    async def federation_dispatch(
        self,
        intent_id: str,
        target_server: str,
        agent_id: str | None = None,
        delegation_scope: JsonObject | None = None,
        federation_policy: JsonObject | None = None,
        callback_url: str | None = None,
        trace_context: dict[str, str] | None = None,
    ) -> DispatchResult:
        """Ask the server to dispatch an intent to `target_server`."""
        optional: JsonObject = {
            "agent_id": agent_id,
            "delegation_scope": delegation_scope,
            "federation_policy": federation_policy,
            "callback_url": callback_url,
            "trace_context": {**(trace_context or {})},
        }
        return read_dispatch_result(await self._send(dispatch_call(intent_id, target_server, optional)))

    async def federation_receive(
        self,
        dispatch_id: str,
        source_server: str,
        intent_id: str,
        intent_title: str,
        intent_description: str = "",
        intent_state: JsonObject | None = None,
        agent_id: str | None = None,
        delegation_scope: JsonObject | None = None,
        federation_policy: JsonObject | None = None,
        callback_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> ReceiveResult:
        """Send the server an intent, in an envelope that is signed if the client has an identity."""
        envelope: JsonObject = {
            "dispatch_id": dispatch_id,
            "source_server": source_server,
            "intent_id": intent_id,
            "intent_title": intent_title,
            "intent_description": intent_description,
            "intent_state": intent_state or {},
        }
        optional: JsonObject = {
            "agent_id": agent_id,
            "delegation_scope": delegation_scope,
            "federation_policy": federation_policy,
            "callback_url": callback_url,
            "idempotency_key": idempotency_key,
        }
        return read_receive_result(await self._send(self._requests.receive_call(envelope, optional)), dispatch_id)

    async def deliver_envelope(self, envelope: JsonMapping, ucan: str | None = None) -> ReceiveResult:
        """Send an already signed envelope unchanged, with a new HTTP signature."""
        answer = await self._send(envelope_call(envelope, ucan))
        return read_receive_result(answer, str(envelope.get("dispatch_id", "")))

    async def send_federation_callback(
        self,
        callback_url: str,
        dispatch_id: str,
        event_type: str,
        state_delta: JsonObject | None = None,
        attestation: JsonObject | None = None,
        trace_id: str | None = None,
    ) -> JsonObject:
        """Send a callback to the server that dispatched the work, and return that server's response."""
        call = self._requests.callback_call(callback_url, dispatch_id, event_type, state_delta, attestation, trace_id)
        return read_object(await self._send(call))

    async def federation_discover(self) -> JsonObject:
        """Return the discovery document."""
        return read_object(await self._send(Call("GET", MANIFEST_PATH)))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _send(self, call: Call) -> Answer:
        try:
            request = self._requests.build(self._http, call)
            async with aclosing(await self._http.send(request, stream=True)) as response:
                body = bytearray()
                _refuse_compressed(response)
                async for chunk in response.aiter_bytes():
                    _append(body, chunk)
        except httpx.TransportError as exc:
            raise TryAgainLater(f"no answer: {exc or type(exc).__name__}") from exc
        return Answer(response.status_code, response.headers, bytes(body))


def _refuse_compressed(response: httpx.Response) -> None:
    # The request asks for identity, because a decompressed body can be a thousand times as long as the sent one.
    if response.headers.get("content-encoding", "identity") != "identity":
        raise UnexpectedAnswer("the answer is compressed")


def _append(body: bytearray, chunk: bytes) -> None:
    if len(body) + len(chunk) > MAX_ANSWER_BYTES:
        raise UnexpectedAnswer(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
    body += chunk
