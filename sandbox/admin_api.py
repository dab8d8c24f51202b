"""The admin API under `/_sandbox`: it reads the sandbox's state, changes its runtimes and plans faults."""

from __future__ import annotations

import json
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from core.strict_json import Json, JsonObject
from sandbox.call_counts import CallCounts
from sandbox.credentials import CredentialStore
from sandbox.data_plane import RuntimeHosts
from sandbox.faults import Faults, parse_fault
from sandbox.runtime_changes import change_runtimes, check_objects
from sandbox.runtime_registry import RuntimeRegistry, UnknownRuntimeError
from sandbox.runtime_specs import InvalidSpecError, SandboxRuntime
from sandbox.saved_changes import SavedChanges

_LOCAL_HOSTS = ("127.0.0.1", "::1", "testclient")


class AdminApi:
    """The endpoints of the admin API. Each change of a runtime is appended to `saved_changes`, unless that is None."""

    def __init__(
        self,
        registry: RuntimeRegistry,
        credentials: CredentialStore,
        faults: Faults,
        calls: CallCounts,
        saved_changes: SavedChanges | None = None,
        hosts: RuntimeHosts | None = None,
    ) -> None:
        self._hosts = hosts
        self._registry = registry
        self._saved_changes = saved_changes
        self._credentials = credentials
        self._faults = faults
        self._calls = calls

    async def health(self, request: Request) -> Response:
        """Answer with the number of runtimes."""
        return JSONResponse({"status": "ok", "runtimes": len(list(self._registry))})

    async def calls(self, request: Request) -> Response:
        """Return the counts; POST and DELETE reset them first."""
        if request.method != "GET":
            self._calls.reset()
        return JSONResponse(self._calls.to_dict())

    async def runtime_calls(self, request: Request) -> Response:
        """Return the counts of the calls of one runtime, by JSON-RPC method."""
        runtime = self._registry.find(request.path_params["key"])
        return JSONResponse({"counts": self._calls.runtime_counts(runtime.runtime_id)})

    async def agent(self, request: Request) -> Response:
        """Return the messages and tasks of one A2A agent; POST restarts the agent, which then forgets its tasks."""
        runtime = self._registry.find(request.path_params["key"])
        if self._hosts is None:
            return JSONResponse({"messages": [], "tasks": []})
        _, a2a_host = await self._hosts.load()
        if request.method == "POST":
            a2a_host.restart(runtime.runtime_id)
        return JSONResponse(a2a_host.log.to_dict(runtime.runtime_id))

    async def list_or_add(self, request: Request) -> Response:
        """List the runtimes, or create one: `{name, protocol, tools, tags, authorizer, behavior, …}`."""
        if request.method == "GET":
            return JSONResponse({"runtimes": [runtime.to_dict() for runtime in self._registry]})
        return JSONResponse(self._change("POST", "", await _json(request)).to_dict(), status_code=201)

    async def one(self, request: Request) -> Response:
        """Get, change or delete the runtime with this id, name or ARN.

        A change of a released field, or an empty body, makes a new version. `{"touch": true}` changes only
        lastUpdatedAt. A change of only tags, status or behavior changes neither version nor lastUpdatedAt, as on AWS.
        """
        key = request.path_params["key"]
        if request.method == "GET":
            return JSONResponse(self._registry.find(key).to_dict())
        body = await _json(request) if request.method == "PATCH" else {}
        return JSONResponse(self._change(request.method, key, body).to_dict())

    def _change(self, method: str, key: str, body: JsonObject) -> SandboxRuntime:
        runtime = change_runtimes(self._registry, method, key, body)
        if self._saved_changes is not None:
            self._saved_changes.append(method, key, body)
        return runtime

    async def faults(self, request: Request) -> Response:
        """Replace the planned faults: a list of `{operation, error, times, page, id}`."""
        if request.method == "POST":
            entries = await _body(request)
            self._faults.plan([parse_fault(entry) for entry in check_objects("faults", entries)])
        return JSONResponse({"pending": self._faults.pending()})

    async def latency(self, request: Request) -> Response:
        """Set the delay of every AWS and runtime call: `{"milliseconds": 50}`."""
        milliseconds = (await _json(request)).get("milliseconds")
        if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float) or milliseconds < 0:
            raise InvalidSpecError("milliseconds must be a number, 0 or more")
        self._faults.latency_seconds = milliseconds / 1000
        return JSONResponse({"milliseconds": milliseconds})

    async def credentials(self, request: Request) -> Response:
        """Set the lifetime of issued credentials (`lifetimeSeconds`, null: as requested), or expire all (`expire`)."""
        body = await _json(request)
        if "lifetimeSeconds" in body:
            lifetime = body["lifetimeSeconds"]
            if isinstance(lifetime, bool) or not isinstance(lifetime, int | None):
                raise InvalidSpecError("lifetimeSeconds must be a number or null")
            self._credentials.lifetime_seconds = lifetime
        expired = self._credentials.expire_issued() if body.get("expire") is True else 0
        return JSONResponse({"lifetimeSeconds": self._credentials.lifetime_seconds, "expired": expired})

    async def trust(self, request: Request) -> Response:
        """Set the trust policy of a role: `{roleArn, externalId, closed}`; a closed role cannot be assumed."""
        body = await _json(request)
        external_id = body.get("externalId")
        if not isinstance(body.get("roleArn"), str) or not isinstance(external_id, str | None):
            raise InvalidSpecError("roleArn must be a string, externalId a string or null")
        self._credentials.set_trust(str(body["roleArn"]), external_id=external_id, closed=body.get("closed") is True)
        return JSONResponse(body)

    def app(self) -> Starlette:
        """Return the ASGI application; its caller admits loopback callers only."""
        routes = [
            Route("/health", self.health),
            Route("/calls", self.calls, methods=["GET", "POST", "DELETE"]),
            Route("/calls/{key:path}", self.runtime_calls),
            Route("/agents/{key:path}", self.agent, methods=["GET", "POST"]),
            Route("/runtimes", self.list_or_add, methods=["GET", "POST"]),
            Route("/runtimes/{key:path}", self.one, methods=["GET", "PATCH", "DELETE"]),
            Route("/faults", self.faults, methods=["GET", "POST"]),
            Route("/latency", self.latency, methods=["POST"]),
            Route("/credentials", self.credentials, methods=["POST"]),
            Route("/trust", self.trust, methods=["POST"]),
        ]
        handlers: dict[Any, Any] = {InvalidSpecError: _bad_request, UnknownRuntimeError: _not_found}
        return Starlette(routes=[Mount("/_sandbox", routes=routes)], exception_handlers=handlers)


def is_local(host: str) -> bool:
    """Tell whether a caller at `host` may use the admin API."""
    return host in _LOCAL_HOSTS


async def _body(request: Request) -> Json:
    text = await request.body()
    try:
        parsed: Json = json.loads(text) if text else {}
    except ValueError as error:
        raise InvalidSpecError(f"the body is not JSON: {error}") from error
    return parsed


async def _json(request: Request) -> JsonObject:
    body = await _body(request)
    if not isinstance(body, dict):
        raise InvalidSpecError("the body must be an object")
    return body


async def _bad_request(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=400)


async def _not_found(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=404)
