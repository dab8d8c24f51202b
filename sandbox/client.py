"""A client of the admin API of a running sandbox, for the command line and the tests."""

from __future__ import annotations

from types import TracebackType
from typing import Self, cast
from urllib.parse import quote

import httpx

from core.strict_json import Json, JsonObject

DEFAULT_URL = "http://127.0.0.1:4566"


class SandboxClientError(Exception):
    """The sandbox refused the call or sent no response; the message of the error has the reason."""


class SandboxClient:
    """A client of the admin API at `url`; every method raises SandboxClientError if the sandbox refuses the call."""

    def __init__(self, url: str = DEFAULT_URL) -> None:
        self._http = httpx.Client(base_url=f"{url.rstrip('/')}/_sandbox", timeout=30, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _request(self, method: str, path: str, body: Json = None) -> JsonObject:
        try:
            response = self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise SandboxClientError(f"the sandbox at {self._http.base_url} does not answer: {error}") from error
        answer = cast("JsonObject", response.json())
        if response.is_error:
            raise SandboxClientError(str(answer.get("error", response.text)))
        return answer

    def health(self) -> JsonObject:
        """Return `{status, runtimes}`."""
        return self._request("GET", "/health")

    def runtimes(self) -> list[JsonObject]:
        """Return every runtime."""
        return cast("list[JsonObject]", self._request("GET", "/runtimes")["runtimes"])

    def get(self, key: str) -> JsonObject:
        """Return the runtime with this id, name or ARN."""
        return self._request("GET", f"/runtimes/{quote(key, safe='')}")

    def add(self, name: str, protocol: str = "MCP", **fields: Json) -> JsonObject:
        """Create a runtime; `fields` are those of the admin API, like tools, skills, tags, authorizer and behavior.

        RuntimeSpec and Behavior (sandbox.runtime_specs) describe the fields; their names are camelCase here.
        """
        return self._request("POST", "/runtimes", {"name": name, "protocol": protocol, **fields})

    def patch(self, key: str, **changes: Json) -> JsonObject:
        """Change a runtime. A change of a released field, or no change at all, makes a new version."""
        return self._request("PATCH", f"/runtimes/{quote(key, safe='')}", {**changes})

    def remove(self, key: str) -> JsonObject:
        """Delete a runtime."""
        return self._request("DELETE", f"/runtimes/{quote(key, safe='')}")

    def faults(self, *faults: JsonObject) -> int:
        """Replace the planned faults by the given faults; return how many failures are planned."""
        return cast("int", self._request("POST", "/faults", [*faults])["pending"])

    def pending_faults(self) -> int:
        """Return how many failures are still planned."""
        return cast("int", self._request("GET", "/faults")["pending"])

    def calls(self) -> JsonObject:
        """Return `{total, counts, refused, assumedRoles, mostAtOnce}` since the last reset."""
        return self._request("GET", "/calls")

    def counts(self) -> dict[str, int]:
        """Return the number of calls since the last reset, by operation."""
        return cast("dict[str, int]", self.calls()["counts"])

    def control_counts(self) -> dict[str, int]:
        """Return the number of calls of STS and the control plane since the last reset, by operation."""
        data_plane = ("InvokeAgentRuntime", "GetAgentCard")
        return {name: count for name, count in self.counts().items() if name not in data_plane and ":" not in name}

    def runtime_counts(self, key: str) -> dict[str, int]:
        """Return the number of calls of one runtime since the last reset, by JSON-RPC method or `GetAgentCard`."""
        return cast("dict[str, int]", self._request("GET", f"/calls/{quote(key, safe='')}")["counts"])

    def agent(self, key: str) -> dict[str, list[JsonObject]]:
        """Return the messages and tasks that one A2A agent had: `{"messages": […], "tasks": […]}`."""
        return cast("dict[str, list[JsonObject]]", self._request("GET", f"/agents/{quote(key, safe='')}"))

    def restart_agent(self, key: str) -> None:
        """Restart one A2A agent, which then forgets its tasks."""
        self._request("POST", f"/agents/{quote(key, safe='')}")

    def reset(self) -> None:
        """Set all counts to 0."""
        self._request("POST", "/calls")

    def latency(self, milliseconds: float) -> None:
        """Set the delay that the sandbox adds to every AWS call and every runtime call."""
        self._request("POST", "/latency", {"milliseconds": milliseconds})

    def lifetime(self, seconds: int | None) -> None:
        """Set the lifetime of the credentials that AssumeRole issues; None uses the lifetime that callers request."""
        self._request("POST", "/credentials", {"lifetimeSeconds": seconds})

    def expire_credentials(self) -> int:
        """Make every issued credential expire at once; return the number of issued credentials."""
        return cast("int", self._request("POST", "/credentials", {"expire": True})["expired"])

    def trust(self, role_arn: str, *, external_id: str | None = None, closed: bool = False) -> None:
        """Replace the trust policy of a role.

        The role then accepts only callers that send `external_id`, or callers with any ExternalId if `external_id` is
        None. With `closed`, the role refuses every caller.
        """
        self._request("POST", "/trust", {"roleArn": role_arn, "externalId": external_id, "closed": closed})
