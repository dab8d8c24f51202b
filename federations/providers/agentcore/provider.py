"""The AgentCore provider: an account's runtimes as findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache

from botocore.exceptions import BotoCoreError, ClientError

from federations.providers.agentcore import config as provider_config
from federations.providers.agentcore.authorizer import infer_access
from federations.providers.agentcore.bearer import BearerKey
from federations.providers.agentcore.bounds import Limits, clean_error
from federations.providers.agentcore.control import ControlPlane, ListedRuntime
from federations.providers.agentcore.data_plane import authorizer
from federations.providers.agentcore.enrichment import DataPlane, Described, Enriched, enrich_all
from federations.providers.base import DiscoveryRequest, Progress, ProviderError
from federations.sync.naming import region_and_account
from federations.sync.resources import (
    AsLastSeen,
    Discovery,
    FailedRuntime,
    Finding,
    JsonObject,
    LastSeen,
    ResourceKind,
    Runtime,
    UnsupportedRuntime,
)

_KINDS = {"MCP": ResourceKind.MCP_SERVER, "A2A": ResourceKind.A2A_AGENT}
# Errors of AWS that concern one runtime, where only one was asked for; any other says that the account cannot be read.
_GONE_OR_FORBIDDEN = {"ResourceNotFoundException", "AccessDeniedException", "ValidationException"}

Inspected = Runtime | AsLastSeen | FailedRuntime | None


@dataclass(frozen=True, slots=True)
class AgentCoreProvider:
    """Discovers with at most `concurrency` calls at once.

    `assumable_roles` are shell patterns. `bearer_key` is asked for only where a runtime wants a token; `hub_audiences`
    are those of the hub itself.
    """

    assumable_roles: Sequence[str]
    bearer_key: Callable[[], BearerKey] = field(repr=False)
    hub_audiences: frozenset[str] = frozenset()
    concurrency: int = 16
    limits: Limits = field(default_factory=Limits)

    def normalize_config(self, config: JsonObject) -> JsonObject:
        """Return the part of `config` that is kept; see `config.normalize_config`."""
        return provider_config.normalize_config(config, self.assumable_roles)

    def check_complete(self, config: JsonObject) -> None:
        """Raise InvalidProviderConfigError where a discovery with `config` could not start."""
        provider_config.check_complete(config, self.assumable_roles)

    def discover(self, request: DiscoveryRequest) -> Discovery:
        """List every runtime of the account and region, and ask those that changed what they offer.

        Without an `assumeRoleArn` the hub's own credentials are used. Raises ProviderError, InvalidProviderConfigError.
        """
        control = self._control(request)
        inspected = self._inspect(control, request)
        described = [_describe(runtime) for runtime in inspected if isinstance(runtime, Runtime)]
        findings: list[Finding] = [item for item in inspected if isinstance(item, AsLastSeen | FailedRuntime)]
        findings += [item for item in described if isinstance(item, UnsupportedRuntime)]
        findings += self._enrich(control, request, [item for item in described if isinstance(item, Described)])
        return Discovery(findings=tuple(sorted(findings, key=_runtime_id)))

    def _control(self, request: DiscoveryRequest) -> ControlPlane:
        region, role_arn = str(request.config.get("region", "")), str(request.config.get("assumeRoleArn", ""))
        try:
            return ControlPlane(region, role_arn, request.external_id, concurrency=self.concurrency)
        except (BotoCoreError, ClientError) as exc:
            raise _cannot_list(region, exc) from exc

    def _inspect(self, control: ControlPlane, request: DiscoveryRequest) -> list[Inspected]:
        request.report(Progress("discovering", 0, 0))
        if request.runtime_arn is not None:
            return [_inspect_only(control, request, request.runtime_arn)]
        try:
            listed = control.list_runtimes()
        except (BotoCoreError, ClientError) as exc:
            raise _cannot_list(control.region, exc) from exc
        inspected: list[Inspected] = []
        with ThreadPoolExecutor(self.concurrency, thread_name_prefix="discovery") as threads:
            try:
                futures = [threads.submit(_inspect, control, request, runtime) for runtime in listed]
                for future in as_completed(futures):
                    inspected.append(future.result())
                    request.report(Progress("discovering", len(inspected), len(listed)))
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                raise
        return inspected

    def _enrich(self, control: ControlPlane, request: DiscoveryRequest, runtimes: list[Described]) -> list[Enriched]:
        request.report(Progress("enriching", 0, len(runtimes)))
        data_plane = DataPlane(
            origin=control.data_plane_url(),
            authorize=authorizer(control, self.bearer_key, _foreign_audiences(request, self.hub_audiences)),
            concurrency=self.concurrency,
            limits=self.limits,
            ca_bundle=control.ca_bundle(),
        )
        return enrich_all(runtimes, data_plane, lambda done, total: request.report(Progress("enriching", done, total)))


def _foreign_audiences(request: DiscoveryRequest, hub_audiences: frozenset[str]) -> Callable[[str], frozenset[str]]:
    """Return what tells the audiences of the hub and of other accounts than a runtime's own, by the runtime's ARN."""

    @cache
    def of_account(account_id: str) -> frozenset[str]:
        others = {name for name, accounts in request.audience_accounts.items() if accounts - {account_id}}
        return hub_audiences | others

    return lambda arn: of_account(region_and_account(arn)[1])


def _inspect(control: ControlPlane, request: DiscoveryRequest, listed: ListedRuntime) -> Inspected:
    """Return what is known of one listed runtime without asking it; None where the tags filter leaves it out."""
    last_seen = request.last_seen.get(listed.runtime_id)
    tags: Mapping[str, str] = {}
    try:
        if wanted := request.config.get("resourceTagsFilter"):
            tags = control.tags(listed.arn)
            if isinstance(wanted, dict) and not wanted.items() <= tags.items():
                return None
        if last_seen is not None and _is_as_seen(last_seen, listed.version, listed.last_updated_at):
            return _as_last_seen(listed, last_seen)
        runtime = control.get_runtime(listed.runtime_id, listed.version)
        # The next listing is compared with this one: where an update came in between, it has to show.
        return replace(runtime, tags=tags, last_updated_at=listed.last_updated_at)
    except (BotoCoreError, ClientError) as exc:
        return _not_described(listed, exc)


def _inspect_only(control: ControlPlane, request: DiscoveryRequest, arn: str) -> Inspected:
    """Return the one runtime that was asked for; there is no listing to compare it with."""
    runtime_id = provider_config.runtime_id_from_arn(arn, control.region)
    last_seen = request.last_seen.get(runtime_id)
    try:
        runtime = control.get_runtime(runtime_id)
    except ClientError as exc:
        if exc.operation_name != "GetAgentRuntime" or _code(exc) not in _GONE_OR_FORBIDDEN:
            raise _cannot_list(control.region, exc) from exc
        return FailedRuntime(runtime_id, arn, runtime_id, "", clean_error(str(exc)))
    except BotoCoreError as exc:
        raise _cannot_list(control.region, exc) from exc
    if last_seen is not None and _is_as_seen(last_seen, runtime.version, runtime.last_updated_at):
        return _as_last_seen(runtime, last_seen)
    return runtime


def _describe(runtime: Runtime) -> Described | UnsupportedRuntime:
    kind = _KINDS.get(runtime.protocol)
    if kind is None:
        return UnsupportedRuntime(runtime)
    return Described(runtime, infer_access(runtime.authorizer_configuration), kind)


def _is_as_seen(last_seen: LastSeen, version: str, last_updated_at: datetime) -> bool:
    return last_seen.version == version and _milliseconds(last_seen.last_updated_at) == _milliseconds(last_updated_at)


def _milliseconds(moment: datetime) -> datetime:
    """MongoDB keeps no more than milliseconds."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _as_last_seen(runtime: ListedRuntime | Runtime, last_seen: LastSeen) -> AsLastSeen:
    return AsLastSeen(
        runtime_id=runtime.runtime_id,
        arn=runtime.arn,
        name=runtime.name,
        version=runtime.version,
        last_updated_at=runtime.last_updated_at,
        kind=last_seen.kind,
        protocol=last_seen.protocol,
    )


def _not_described(listed: ListedRuntime, exc: Exception) -> FailedRuntime:
    """Return the error of a runtime whose kind is unknown, even if it was seen before: a new version may change it."""
    return FailedRuntime(
        runtime_id=listed.runtime_id,
        arn=listed.arn,
        name=listed.name,
        version=listed.version,
        error=clean_error(str(exc)),
        last_updated_at=listed.last_updated_at,
    )


def _cannot_list(region: str, exc: Exception) -> ProviderError:
    return ProviderError(clean_error(f"Failed to list AgentCore runtimes in {region}: {exc}"))


def _code(exc: ClientError) -> str:
    return str(exc.response.get("Error", {}).get("Code", ""))


def _runtime_id(finding: Finding) -> str:
    return finding.runtime_id if isinstance(finding, AsLastSeen | FailedRuntime) else finding.runtime.runtime_id
