"""A provider in memory, which answers with the findings that a test gives it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from federations.providers.base import (
    CallerRequest,
    DiscoveryRequest,
    InvalidProviderConfigError,
    ProbedRuntime,
    Progress,
    ProviderError,
)
from federations.sync.resources import Discovery, Finding, JsonObject, ListedRuntime, runtime_of
from tests.memory_agents import MemoryAgents


@dataclass(slots=True)
class MemoryProvider:
    """A provider that returns the current `findings`, or raises `error`.

    It calls `before_answer` with the request after the report of the first phase: the function may block, change
    `findings` or raise. `requests` has every request, and `listings` counts the listings without a discovery. `listed`
    replaces the listing that follows from the findings. With a `runtime_arn` it returns the findings of that runtime.
    `agents` do the work of runs.
    """

    findings: Iterable[Finding] = ()
    error: ProviderError | None = None
    before_answer: Callable[[DiscoveryRequest], None] = lambda request: None
    requests: list[DiscoveryRequest] = field(default_factory=list)
    listings: int = 0
    listed: tuple[ListedRuntime, ...] | None = None
    agents: MemoryAgents = field(default_factory=MemoryAgents)

    def normalize_config(self, config: JsonObject) -> JsonObject:
        """Return `config` unchanged. Refuse one with a key `invalid`, whose value becomes the message."""
        if "invalid" in config:
            raise InvalidProviderConfigError(str(config["invalid"]))
        return dict(config)

    def check_complete(self, config: JsonObject) -> None:
        """Raise InvalidProviderConfigError for a config without a region."""
        if not config.get("region"):
            raise InvalidProviderConfigError("Memory federation requires providerConfig.region")

    def discover(self, request: DiscoveryRequest) -> Discovery:
        """Report both phases and return the findings, or raise `error` if it is set."""
        self.requests.append(request)
        request.report(Progress("discovering", 0, 0))
        self.before_answer(request)
        if self.error is not None:
            raise self.error
        findings = tuple(finding for finding in self.findings if request.runtime_arn in (None, _arn(finding)))
        request.report(Progress("enriching", len(findings), len(findings)))
        return Discovery(findings, _listing(self.findings) if self.listed is None else self.listed)

    def list_runtimes(self, request: DiscoveryRequest) -> tuple[ListedRuntime, ...]:
        """Return the listing of the current `findings`, or raise `error` if it is set."""
        self.listings += 1
        if self.error is not None:
            raise self.error
        return _listing(self.findings)

    def probe(self, request: DiscoveryRequest, *, seconds: float) -> tuple[ProbedRuntime, ...]:
        """Return the current `findings` as a listing with protocols and tags, or raise `error` if it is set."""
        self.requests.append(request)
        self.before_answer(request)
        if self.error is not None:
            raise self.error
        return tuple(sorted(map(_probed, self.findings), key=lambda found: found.runtime_id))

    def regions(self) -> Mapping[str, str]:
        """Return a few regions."""
        return {
            "eu-north-1": "Europe (Stockholm)",
            "eu-west-1": "Europe (Ireland)",
            "us-east-1": "US East (N. Virginia)",
        }

    def agent_caller(self, request: CallerRequest) -> MemoryAgents:
        """Return `agents`, or raise `error` if it is set."""
        if self.error is not None:
            raise self.error
        return self.agents


def _probed(finding: Finding) -> ProbedRuntime:
    found = runtime_of(finding)
    return ProbedRuntime(found.runtime_id, getattr(found, "protocol", ""), dict(getattr(found, "tags", None) or {}))


def _listing(findings: Iterable[Finding]) -> tuple[ListedRuntime, ...]:
    found = [runtime_of(finding) for finding in findings]
    return tuple(
        ListedRuntime(
            one.runtime_id,
            one.version,
            one.last_updated_at or datetime(2026, 1, 1, tzinfo=UTC),
            getattr(one, "tags", None),
        )
        for one in sorted(found, key=lambda one: one.runtime_id)
    )


def _arn(finding: Finding) -> str:
    return runtime_of(finding).arn
