"""The contract of a provider: it returns a complete listing of an account, or it raises.

To add a provider:

1. Write a package beside `agentcore` with a class that has the methods of `Provider`. The nearest example is
   `agentcore/provider.py`. The vendor's SDK is imported in that package and nowhere else.
2. Turn the account's objects into the findings of `federations.sync.resources`. A finding's ARN gives region and
   account, so an account of another vendor needs an identifier of the same form.
3. Raise ProviderError if any page of the listing fails: the plan deletes every stored resource that a listing does not
   contain. One runtime that cannot be read is a `FailedRuntime`, which protects its stored resource.
4. Add the type to `registry.provider_for` and to `ProviderType` of the model Federation.
5. Return from `agent_caller` an `AgentCaller`, by which runs give work to the account's agents; translate what the
   agents answer into `federations.runs.updates`.
6. Write the tests with a server on loopback that speaks the vendor's wire format, as
   `tests/app/federations/agentcore` does.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from core.counts import Latest
from federations.runs.message import OutgoingMessage
from federations.runs.updates import AgentUpdate
from federations.sync.resources import Discovery, JsonObject, ListedRuntime, Observation, RuntimeAccess

CLOUD_CLOCK_SKEW = Latest("fedhub_cloud_clock_skew_seconds", "How far the cloud's clock was ahead at the last call.")


class ProviderError(Exception):
    """Raised by a provider that could not list the account.

    `permanent` is true if each later discovery fails too until a person changes something. `advice` says in plain words
    what a person can do about it, or is empty.
    """

    def __init__(self, message: str, *, permanent: bool = False, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent
        self.advice = advice


class ProviderNotImplementedError(ProviderError):
    """Raised for a provider type that the API contract names but the hub does not implement."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


class InvalidProviderConfigError(ProviderError):
    """Raised for a `providerConfig` with which no discovery can work. The message names the field of the config."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a discovery, which the provider passes to `DiscoveryRequest.report`.

    `phase` is `discovering` or `enriching`. `done` is the number of runtimes finished in this phase, `total` the number
    of runtimes in this phase, or 0 while that number is unknown.
    """

    phase: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class DiscoveryRequest:
    """The input of one discovery, which a sync passes to `Provider.discover`.

    - `config` is the federation's normalized providerConfig.
    - `external_id` is sent with every AssumeRole call.
    - `observations` maps runtime ids to the last observations. A runtime whose version, protocol and access are those
      of its observation becomes an `UnchangedRuntime`, and the hub does not call it, unless it `needs_enrichment`.
    - `runtime_arn` restricts the discovery to the runtime with this ARN.
    - `audience_accounts` returns a map from an audience to the ids of the accounts whose runtimes use that audience. So
      the provider mints no token with that audience for a runtime of another account. The discovering thread calls
      `audience_accounts` once, and only if there is a token to mint.
    - `secret` is the token of the federation for another registry, or empty.
    - `report` receives the progress, also in the discovering thread. It must return quickly; it may raise an exception
      to stop the discovery.
    """

    config: JsonObject
    external_id: str = ""
    observations: Mapping[str, Observation] = field(default_factory=dict)
    runtime_arn: str | None = None
    audience_accounts: Callable[[], Mapping[str, frozenset[str]]] = dict
    secret: str = field(default="", repr=False)
    report: Callable[[Progress], None] = lambda progress: None


@dataclass(frozen=True, slots=True)
class ProbedRuntime:
    """One runtime that a probe listed.

    `protocol` is the runtime's protocol, empty for a runtime without one; it is None if the probe could not read it in
    its time. `tags` are None if the probe read none: without a tags filter, or because its time was over.
    """

    runtime_id: str
    protocol: str | None = None
    tags: Mapping[str, str] | None = None


class AgentFault(Exception):
    """Raised for a request to an agent that failed. The text is clean, on one line, at most 500 characters long.

    `is_passing` tells whether the same request may succeed later, in `retry_after_seconds` at the earliest.
    `was_refused` tells whether a status outside 2xx answered the request, so that the agent did not begin the work.
    """

    def __init__(
        self, message: str, *, is_passing: bool = False, was_refused: bool = False, retry_after_seconds: float = 0.0
    ) -> None:
        super().__init__(message)
        self.message = message
        self.is_passing = is_passing
        self.was_refused = was_refused
        self.retry_after_seconds = retry_after_seconds


class UnknownTaskError(AgentFault):
    """Raised where the agent does not know the task."""


class NotOfferedError(AgentFault):
    """Raised where the agent does not offer the method, or cannot cancel the task."""


@dataclass(frozen=True, slots=True)
class AgentAddress:
    """One agent as a run calls it.

    `url` is the invocation URL that the hub made; no address of the `card` is called. `session_id` is the value of the
    runtime's session header, and `trace_parent` that of `traceparent`. `protocol_version` is the version of A2A that
    an earlier request of the run found, or empty.
    """

    url: str
    runtime_arn: str
    access: RuntimeAccess
    card: JsonObject
    session_id: str
    trace_parent: str
    protocol_version: str = ""


class AgentClient(Protocol):
    """The requests of one run to one agent. Each is sent once; all raise AgentFault.

    `protocol_version` is the version of A2A in use; a refusal of the agent may change it. `offers_streaming` is the
    card's word.
    """

    protocol_version: str
    offers_streaming: bool

    @property
    def requests(self) -> int:
        """Return the number of requests so far."""

    def send(self, message: OutgoingMessage) -> AsyncGenerator[AgentUpdate]:
        """Send the message; yield the updates of the stream, or the one answer that does not wait for the work."""

    def subscribe(self, task_id: str) -> AsyncGenerator[AgentUpdate]:
        """Open the stream of a task again. Raise NotOfferedError where there is none."""

    async def get_task(self, task_id: str) -> AgentUpdate:
        """Return the task. Raise UnknownTaskError where the agent does not know it."""

    async def find_task(self, message: OutgoingMessage) -> AgentUpdate | None:
        """Return the task that the message has begun, or None. Raise NotOfferedError where the agent lists no tasks."""

    async def cancel_task(self, task_id: str) -> AgentUpdate:
        """Cancel the task and return it. Raise NotOfferedError where it cannot be cancelled, or UnknownTaskError."""


class AgentCaller(Protocol):
    """Calls the agents of one account, from one event loop."""

    def client(self, address: AgentAddress) -> AgentClient:
        """Return the client of one run. Makes no request."""

    async def aclose(self) -> None:
        """Close the connections."""


@dataclass(frozen=True, slots=True)
class CallerRequest:
    """The account whose agents are called; `config`, `external_id`, `audience_accounts` as in DiscoveryRequest."""

    config: JsonObject
    external_id: str = ""
    audience_accounts: Callable[[], Mapping[str, frozenset[str]]] = dict
    connections: int = 50


class Provider(Protocol):
    """The methods that the hub calls on the provider of a `providerType`, one class for each kind of cloud account."""

    def normalize_config(self, config: JsonObject) -> JsonObject:
        """Return the part of `config` that the hub stores. Check its shape, but not its completeness.

        Raises InvalidProviderConfigError with the message of the API contract, or ProviderNotImplementedError.
        """

    def check_complete(self, config: JsonObject) -> None:
        """Raise InvalidProviderConfigError if a discovery with this normalized `config` cannot start."""

    def discover(self, request: DiscoveryRequest) -> Discovery:
        """List every runtime of the account. Raise ProviderError instead of returning a short list.

        A runtime that cannot be read becomes a `FailedRuntime`, not an exception.
        """

    def list_runtimes(self, request: DiscoveryRequest) -> tuple[ListedRuntime, ...]:
        """List every runtime of the account without a call of a runtime, sorted by id. Raise ProviderError.

        The result equals the `listing` of a discovery at the same moment: with a tags filter it has the tags of every
        runtime.
        """

    def probe(self, request: DiscoveryRequest, *, seconds: float) -> tuple[ProbedRuntime, ...]:
        """List every runtime of the account for a person who waits, sorted by id; call no runtime.

        After `seconds` the probe starts no further call, and its result has gaps instead. `request.observations` spare
        the calls for runtimes whose version did not change. Raise ProviderError, with an `advice`, if the account
        cannot be listed.
        """

    def regions(self) -> Mapping[str, str]:
        """Return the regions that the provider knows: their names with their descriptions for people."""

    def agent_caller(self, request: CallerRequest) -> AgentCaller:
        """Return what calls the agents of the account. Blocks for a moment; raises ProviderError."""
