"""A thin client of a running sandbox's admin API, for people at a terminal and for tests."""

from __future__ import annotations

from types import TracebackType
from typing import Self, cast
from urllib.parse import quote

import httpx

from sandbox.runtime_specs import Json, JsonObject

DEFAULT_URL = "http://127.0.0.1:4566"


class SandboxClientError(Exception):
    """The sandbox did not do what was asked; the message is its own."""


class SandboxClient:
    """Calls `/_sandbox/…` of the sandbox at `url`. Every method raises SandboxClientError where the sandbox refuses."""

    def __init__(self, url: str = DEFAULT_URL) -> None:
        self._http = httpx.Client(base_url=f"{url.rstrip('/')}/_sandbox", timeout=30, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def _ask(self, method: str, path: str, body: Json = None) -> JsonObject:
        try:
            response = self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise SandboxClientError(f"no sandbox answers at {self._http.base_url}: {error}") from error
        answer = cast("JsonObject", response.json())
        if response.is_error:
            raise SandboxClientError(str(answer.get("error", response.text)))
        return answer

    def health(self) -> JsonObject:
        """Return `{status, runtimes}`."""
        return self._ask("GET", "/health")

    def runtimes(self) -> list[JsonObject]:
        """Return every runtime."""
        return cast("list[JsonObject]", self._ask("GET", "/runtimes")["runtimes"])

    def get(self, key: str) -> JsonObject:
        """Return the runtime with this id, name or ARN."""
        return self._ask("GET", f"/runtimes/{quote(key, safe='')}")

    def add(self, name: str, protocol: str = "MCP", **fields: Json) -> JsonObject:
        """Create a runtime; `fields` are the admin API's: tools, skills, tags, authorizer, behavior and so on."""
        return self._ask("POST", "/runtimes", {"name": name, "protocol": protocol, **fields})

    def patch(self, key: str, **changes: Json) -> JsonObject:
        """Change a runtime. Without changes, or with one of what is released, it gets a new version."""
        return self._ask("PATCH", f"/runtimes/{quote(key, safe='')}", {**changes})

    def remove(self, key: str) -> JsonObject:
        """Delete a runtime."""
        return self._ask("DELETE", f"/runtimes/{quote(key, safe='')}")

    def faults(self, *faults: JsonObject) -> int:
        """Plan exactly these faults, none without arguments; return how many failures are to come."""
        return cast("int", self._ask("POST", "/faults", [*faults])["pending"])

    def pending_faults(self) -> int:
        """Return how many planned failures have not happened yet."""
        return cast("int", self._ask("GET", "/faults")["pending"])

    def calls(self) -> JsonObject:
        """Return `{total, counts, refused, assumedRoles, mostAtOnce}` since the last reset."""
        return self._ask("GET", "/calls")

    def counts(self) -> dict[str, int]:
        """Return the calls since the last reset, by operation."""
        return cast("dict[str, int]", self.calls()["counts"])

    def reset(self) -> None:
        """Set all counts to nought."""
        self._ask("POST", "/calls")

    def latency(self, milliseconds: float) -> None:
        """Make every AWS and runtime call take this much longer."""
        self._ask("POST", "/latency", {"milliseconds": milliseconds})

    def lifetime(self, seconds: int | None) -> None:
        """Issue credentials that live for `seconds`, whatever is asked for; None ends that."""
        self._ask("POST", "/credentials", {"lifetimeSeconds": seconds})

    def expire_credentials(self) -> int:
        """Let every issued credential expire now; return how many there were."""
        return cast("int", self._ask("POST", "/credentials", {"expire": True})["expired"])

    def trust(self, role_arn: str, *, external_id: str | None = None, closed: bool = False) -> None:
        """Let only callers with `external_id` assume a role, or nobody where `closed`."""
        self._ask("POST", "/trust", {"roleArn": role_arn, "externalId": external_id, "closed": closed})
