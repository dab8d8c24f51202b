"""The AgentCore provider: it turns the runtimes of one account and region into findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from federations.providers.agentcore import config as provider_config
from federations.providers.agentcore.authorizer import has_private_endpoint, infer_access
from federations.providers.agentcore.bearer import BearerKey
from federations.providers.agentcore.bounds import Limits, clean_error
from federations.providers.agentcore.control import ControlPlane, RuntimeSummary
from federations.providers.agentcore.data_plane import build_authorize
from federations.providers.agentcore.enrichment import DataPlane, DescribedRuntime, Enriched, enrich_all
from federations.providers.agentcore.observed import (
    KINDS,
    UNAVAILABLE_STATUSES,
    described_finding,
    known_finding,
    unavailable_runtime,
    whole_milliseconds,
    with_tags,
)
from federations.providers.agentcore.probe import probe_account
from federations.providers.agentcore.regions import known_regions
from federations.providers.base import CallerRequest, DiscoveryRequest, ProbedRuntime, Progress, ProviderError
from federations.providers.concurrently import for_each
from federations.sync.naming import region_and_account
from federations.sync.resources import (
    Discovery,
    FailedRuntime,
    Finding,
    JsonObject,
    ListedRuntime,
    Runtime,
    UnavailableRuntime,
    UnchangedRuntime,
    UnsupportedRuntime,
    runtime_of,
)

if TYPE_CHECKING:
    from federations.providers.agentcore.a2a_caller import A2aCaller

# AWS error codes that concern the one requested runtime. Any other code means that the account cannot be read.
_SINGLE_RUNTIME_CODES = {"ResourceNotFoundException", "AccessDeniedException", "ValidationException"}

TagsOrError = Mapping[str, str] | BotoCoreError | ClientError
Inspected = Runtime | UnchangedRuntime | UnavailableRuntime | FailedRuntime | None


@dataclass(frozen=True, slots=True)
class AgentCoreProvider:
    """Discovers AgentCore accounts, with at most `concurrency` calls at the same time.

    `assumable_roles` are glob patterns of the role ARNs that a federation may name. `bearer_key` returns the key that
    signs tokens for JWT runtimes; the provider calls it only if a runtime needs a token. `hub_audiences` are the
    audiences of the hub's own API; the provider never signs a token with one of them.
    """

    assumable_roles: Sequence[str]
    bearer_key: Callable[[], BearerKey] = field(repr=False)
    hub_audiences: frozenset[str] = frozenset()
    concurrency: int = 16
    limits: Limits = field(default_factory=Limits)

    def normalize_config(self, config: JsonObject) -> JsonObject:
        """Return the part of `config` that the hub stores, see `config.normalize_config`."""
        return provider_config.normalize_config(config, self.assumable_roles)

    def check_complete(self, config: JsonObject) -> None:
        """Raise InvalidProviderConfigError if a discovery with `config` cannot start."""
        provider_config.check_complete(config, self.assumable_roles)

    def discover(self, request: DiscoveryRequest) -> Discovery:
        """List every runtime of the account and region, and enrich the new and changed ones.

        Without an `assumeRoleArn` the discovery uses the hub's own credentials. Raises ProviderError if the account
        cannot be listed, InvalidProviderConfigError if `runtime_arn` is not the ARN of a runtime in the region.
        """
        control = self._control(request)
        listing: tuple[ListedRuntime, ...] = ()
        if request.runtime_arn is not None:
            request.report(Progress("discovering", 0, 0))
            inspected = [_inspect_one(control, request, request.runtime_arn)]
        else:
            summaries, tags = self._list(control, request)
            listing = _listing(summaries, tags)
            inspected = self._inspect(control, request, summaries, tags)
        described = [_describe(runtime, request) for runtime in inspected if isinstance(runtime, Runtime)]
        findings: list[Finding] = [
            item for item in inspected if isinstance(item, UnchangedRuntime | UnavailableRuntime | FailedRuntime)
        ]
        findings += [item for item in described if isinstance(item, UnsupportedRuntime)]
        findings += self._enrich(control, request, [item for item in described if isinstance(item, DescribedRuntime)])
        by_id = sorted(findings, key=lambda finding: runtime_of(finding).runtime_id)
        return Discovery(findings=tuple(by_id), listing=listing)

    def list_runtimes(self, request: DiscoveryRequest) -> tuple[ListedRuntime, ...]:
        """List every runtime of the account and region, with its tags where the request has a tags filter."""
        control = self._control(request)
        summaries, tags = self._list(control, request)
        for of_runtime in tags.values():
            if isinstance(of_runtime, Exception):
                raise _listing_error(control.region, of_runtime) from of_runtime
        return _listing(summaries, tags)

    def probe(self, request: DiscoveryRequest, *, seconds: float) -> tuple[ProbedRuntime, ...]:
        """List every runtime with its protocol, and with its tags where the request has a tags filter."""
        return probe_account(request, seconds=seconds, concurrency=self.concurrency)

    def regions(self) -> Mapping[str, str]:
        """Return the regions of all partitions of AWS that botocore knows."""
        return known_regions()

    def agent_caller(self, request: CallerRequest) -> A2aCaller:
        """Return what calls the A2A agents of the account. Raises ProviderError."""
        # The A2A SDK's client takes a second to import, and a sync does not need it.
        from federations.providers.agentcore.a2a_caller import A2aCaller

        control = self._control(request)
        foreign = _foreign_audiences(request.audience_accounts(), self.hub_audiences)
        try:
            return A2aCaller(control, cache(self.bearer_key), foreign, request.connections)
        except (BotoCoreError, ClientError) as exc:
            raise _listing_error(control.region, exc) from exc

    def _control(self, request: DiscoveryRequest | CallerRequest) -> ControlPlane:
        region, role_arn = str(request.config.get("region", "")), str(request.config.get("assumeRoleArn", ""))
        try:
            return ControlPlane(region, role_arn, request.external_id, concurrency=self.concurrency)
        except (BotoCoreError, ClientError) as exc:
            raise _listing_error(region, exc) from exc

    def _list(
        self, control: ControlPlane, request: DiscoveryRequest
    ) -> tuple[list[RuntimeSummary], dict[str, TagsOrError]]:
        """Return the listing of the account and, with a tags filter, the tags of every runtime by runtime id."""
        request.report(Progress("discovering", 0, 0))
        try:
            summaries = control.list_runtimes()
        except (BotoCoreError, ClientError) as exc:
            raise _listing_error(control.region, exc) from exc
        if not request.config.get("resourceTagsFilter"):
            return summaries, {}
        read = for_each(
            summaries,
            lambda summary: _read_tags(control, summary),
            lambda done: None,
            concurrency=self.concurrency,
        )
        return summaries, {summary.runtime_id: tags for summary, tags in zip(summaries, read, strict=True)}

    def _inspect(
        self,
        control: ControlPlane,
        request: DiscoveryRequest,
        summaries: list[RuntimeSummary],
        tags: Mapping[str, TagsOrError],
    ) -> list[Inspected]:
        def report(done: int) -> None:
            request.report(Progress("discovering", done, len(summaries)))

        def inspect(summary: RuntimeSummary) -> Inspected:
            return _inspect(control, request, summary, tags.get(summary.runtime_id))

        return for_each(summaries, inspect, report, concurrency=self.concurrency)

    def _enrich(
        self, control: ControlPlane, request: DiscoveryRequest, runtimes: list[DescribedRuntime]
    ) -> list[Enriched]:
        request.report(Progress("enriching", 0, len(runtimes)))
        if not runtimes:
            return []
        has_bearers = any(runtime.access.mode == "jwt" for runtime in runtimes)
        accounts = request.audience_accounts() if has_bearers else {}
        data_plane = DataPlane(
            origin=control.data_plane_url(),
            authorize=build_authorize(control, self.bearer_key, _foreign_audiences(accounts, self.hub_audiences)),
            concurrency=self.concurrency,
            limits=self.limits,
            ca_bundle=control.ca_bundle(),
        )
        return enrich_all(runtimes, data_plane, lambda done, total: request.report(Progress("enriching", done, total)))


def _foreign_audiences(
    audience_accounts: Mapping[str, frozenset[str]], hub_audiences: frozenset[str]
) -> Callable[[str], frozenset[str]]:
    """Return a function from a runtime's ARN to the audiences of the hub and of runtimes of other accounts."""

    @cache
    def of_account(account_id: str) -> frozenset[str]:
        others = {name for name, accounts in audience_accounts.items() if accounts - {account_id}}
        return hub_audiences | others

    return lambda arn: of_account(region_and_account(arn)[1])


def _listing(summaries: Iterable[RuntimeSummary], tags: Mapping[str, TagsOrError]) -> tuple[ListedRuntime, ...]:
    listed = []
    for summary in sorted(summaries, key=lambda summary: summary.runtime_id):
        of_runtime = tags.get(summary.runtime_id)
        read = None if of_runtime is None or isinstance(of_runtime, Exception) else of_runtime
        moment = whole_milliseconds(summary.last_updated_at)
        listed.append(ListedRuntime(summary.runtime_id, summary.version, moment, read))
    return tuple(listed)


def _read_tags(control: ControlPlane, summary: RuntimeSummary) -> TagsOrError:
    try:
        return control.tags(summary.arn)
    except (BotoCoreError, ClientError) as exc:
        return exc


def _inspect(
    control: ControlPlane, request: DiscoveryRequest, listed: RuntimeSummary, tags: TagsOrError | None
) -> Inspected:
    """Inspect one listed runtime, only by control-plane calls. Return None if the tags filter excludes the runtime.

    `tags` are None without a tags filter, and an error if the tags could not be read.
    """
    observation = request.observations.get(listed.runtime_id)
    if isinstance(tags, Exception):
        return _failed_runtime(listed, tags)
    wanted = request.config.get("resourceTagsFilter")
    if tags is not None and isinstance(wanted, dict) and not wanted.items() <= tags.items():
        return None
    try:
        known = known_finding(listed, observation)
        if known is not None:
            return with_tags(known, tags)
        runtime = control.get_runtime(listed.runtime_id, listed.version)
        # The next sync compares its listing with this time. With the time of this listing it sees an update between the
        # two calls.
        runtime = replace(runtime, tags=tags or {}, last_updated_at=listed.last_updated_at)
        return with_tags(described_finding(runtime, observation), tags)
    except (BotoCoreError, ClientError) as exc:
        if listed.status in UNAVAILABLE_STATUSES:
            # A runtime that is being deleted may be gone before it is described.
            return unavailable_runtime(listed, observation)
        return _failed_runtime(listed, exc)


def _inspect_one(control: ControlPlane, request: DiscoveryRequest, arn: str) -> Inspected:
    """Inspect the runtime with this ARN, without a listing."""
    runtime_id = provider_config.runtime_id_from_arn(arn, control.region)
    observation = request.observations.get(runtime_id)
    try:
        runtime = control.get_runtime(runtime_id)
    except ClientError as exc:
        if exc.operation_name != "GetAgentRuntime" or _error_code(exc) not in _SINGLE_RUNTIME_CODES:
            raise _listing_error(control.region, exc) from exc
        return FailedRuntime(runtime_id, arn, runtime_id, "", clean_error(str(exc)))
    except BotoCoreError as exc:
        raise _listing_error(control.region, exc) from exc
    return described_finding(runtime, observation)


def _describe(runtime: Runtime, request: DiscoveryRequest) -> DescribedRuntime | UnsupportedRuntime:
    kind = KINDS.get(runtime.protocol)
    if kind is None:
        return UnsupportedRuntime(runtime)
    observation = request.observations.get(runtime.runtime_id)
    return DescribedRuntime(
        runtime,
        infer_access(runtime.authorizer_configuration),
        kind,
        protocol_version=observation.protocol_version if observation else "",
        is_private=has_private_endpoint(runtime.authorizer_configuration),
    )


def _failed_runtime(listed: RuntimeSummary, exc: Exception) -> FailedRuntime:
    """Return the failure of a runtime. Its kind is unknown even after an observation: a new version may change it."""
    return FailedRuntime(
        runtime_id=listed.runtime_id,
        arn=listed.arn,
        name=listed.name,
        version=listed.version,
        error=clean_error(str(exc)),
        last_updated_at=listed.last_updated_at,
        status=listed.status,
    )


def _listing_error(region: str, exc: Exception) -> ProviderError:
    return ProviderError(clean_error(f"Failed to list AgentCore runtimes in {region}: {exc}"))


def _error_code(exc: ClientError) -> str:
    return str(exc.response.get("Error", {}).get("Code", ""))
