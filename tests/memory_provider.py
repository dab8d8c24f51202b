"""A provider in memory, which answers with the findings that a test gives it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from federations.providers.base import DiscoveryRequest, InvalidProviderConfigError, Progress, ProviderError
from federations.sync.resources import Discovery, FailedRuntime, Finding, JsonObject, UnchangedRuntime


@dataclass(slots=True)
class MemoryProvider:
    """A provider that returns the current `findings`, or raises `error`.

    It calls `before_answer` with the request after the report of the first phase: the function may block, change
    `findings` or raise. `requests` has every request. With a `runtime_arn` it returns the findings of that runtime.
    """

    findings: Iterable[Finding] = ()
    error: ProviderError | None = None
    before_answer: Callable[[DiscoveryRequest], None] = lambda request: None
    requests: list[DiscoveryRequest] = field(default_factory=list)

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
        return Discovery(findings)


def _arn(finding: Finding) -> str:
    return finding.arn if isinstance(finding, UnchangedRuntime | FailedRuntime) else finding.runtime.arn
