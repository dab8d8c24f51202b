"""Ask a federation's provider: check and normalize its configuration, and discover the runtimes of its account."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from core.errors import ExternalServiceError, HubError, InvalidRequestError, NotImplementedYetError
from federations.providers.base import (
    DiscoveryRequest,
    InvalidProviderConfigError,
    ProbedRuntime,
    Progress,
    ProviderError,
    ProviderNotImplementedError,
)
from federations.providers.registry import provider_for
from federations.services.provider_secrets import readable
from federations.services.read_stored import read_audience_accounts, read_observations
from federations.services.sync_targets import SyncTarget
from federations.sync.resources import Discovery, JsonObject, ListedRuntime


def normalize_config(provider_type: str, config: JsonObject) -> JsonObject:
    """Return the configuration in the form that is stored; raises InvalidRequestError, NotImplementedYetError."""
    try:
        return provider_for(provider_type).normalize_config(config)
    except ProviderError as exc:
        raise _as_hub_error(exc) from exc


def check_config(provider_type: str, config: JsonObject) -> None:
    """Raise InvalidRequestError or NotImplementedYetError if `config` is not complete enough for a discovery."""
    try:
        provider_for(provider_type).check_complete(config)
    except ProviderError as exc:
        raise _as_hub_error(exc) from exc


def is_complete_config(provider_type: str, config: JsonObject) -> bool:
    """Tell whether a discovery with the stored `config` can start."""
    try:
        check_config(provider_type, config)
    except HubError:
        return False
    return True


def known_regions(provider_type: str) -> Mapping[str, str]:
    """Return the regions that the provider knows, names with descriptions; none for a provider that is not there."""
    try:
        return provider_for(provider_type).regions()
    except ProviderError:
        return {}


def discover(
    target: SyncTarget, report: Callable[[Progress], None] = lambda progress: None, *, runtime_arn: str | None = None
) -> Discovery:
    """List the account of `target`, and call only the runtimes that changed since their last observation.

    `report` is called with the progress. With `runtime_arn` only that runtime is discovered. Raises
    ExternalServiceError, InvalidRequestError and NotImplementedYetError.
    """
    request = DiscoveryRequest(
        config=target.config,
        external_id=target.external_id,
        observations=read_observations(target),
        runtime_arn=runtime_arn,
        audience_accounts=read_audience_accounts,
        secret=readable(target.stored_secret),
        report=report,
    )
    try:
        return provider_for(target.provider_type).discover(request)
    except ProviderError as exc:
        raise _as_hub_error(exc) from exc


def list_runtimes(target: SyncTarget) -> tuple[ListedRuntime, ...]:
    """List the account of `target` without a call of a runtime; raises what `discover` raises."""
    request = DiscoveryRequest(
        config=target.config, external_id=target.external_id, secret=readable(target.stored_secret)
    )
    try:
        return provider_for(target.provider_type).list_runtimes(request)
    except ProviderError as exc:
        raise _as_hub_error(exc) from exc


class ConnectionRefusedError(ExternalServiceError):
    """Raised for a probe that failed; `advice` says what a person can do about it, or is empty."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


def probe(provider_type: str, request: DiscoveryRequest, *, seconds: float) -> tuple[ProbedRuntime, ...]:
    """List the account of a configuration in bounded time; raises ConnectionRefusedError, NotImplementedYetError."""
    try:
        return provider_for(provider_type).probe(request, seconds=seconds)
    except ProviderNotImplementedError as exc:
        raise _as_hub_error(exc) from exc
    except ProviderError as exc:
        raise ConnectionRefusedError(exc.message, exc.advice) from exc


def _as_hub_error(error: ProviderError) -> HubError:
    """Return the hub's error for a provider's error, chosen by its type."""
    if isinstance(error, ProviderNotImplementedError):
        return NotImplementedYetError(error.message)
    if isinstance(error, InvalidProviderConfigError):
        return InvalidRequestError(error.message)
    return ExternalServiceError(error.message)
