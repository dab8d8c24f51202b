"""The contract of a provider: it returns a complete listing of an account, or it raises.

To add a provider:

1. Write a package beside `agentcore` with a class that has the three methods of `Provider`. The nearest example is
   `agentcore/provider.py`. The vendor's SDK is imported in that package and nowhere else.
2. Turn the account's objects into the findings of `federations.sync.resources`. A finding's ARN gives region and
   account, so an account of another vendor needs an identifier of the same form.
3. Raise ProviderError if any page of the listing fails: the plan deletes every stored resource that a listing does not
   contain. One runtime that cannot be read is a `FailedRuntime`, which protects its stored resource.
4. Add the type to `registry.provider_for` and to `ProviderType` of the model Federation.
5. Write the tests with a server on loopback that speaks the vendor's wire format, as
   `tests/app/federations/agentcore` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from federations.sync.resources import Discovery, JsonObject, Observation


class ProviderError(Exception):
    """The account could not be listed.

    `permanent` is true if the call fails again until a person changes something.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent


class ProviderNotImplementedError(ProviderError):
    """The API contract names the provider, but this version does not implement it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


class InvalidProviderConfigError(ProviderError):
    """The configuration cannot work. The message names the field."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a discovery: `phase` is `discovering` or `enriching`, `total` is 0 while it is unknown."""

    phase: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class DiscoveryRequest:
    """The input of one discovery.

    `config` is the normalized providerConfig. Every AssumeRole call sends `external_id`. `observations` is keyed by
    runtime id: a runtime with the observed version and time becomes an `UnchangedRuntime` without a call to it. With
    `runtime_arn` the discovery reads that runtime alone. `audience_accounts` returns a map from an audience to the ids
    of the accounts whose runtimes use it: the provider mints no token with that audience for a runtime of another
    account. The discovering thread calls it once if it has a token to mint, and calls `report`, which must return
    quickly and may raise to stop the discovery.
    """

    config: JsonObject
    external_id: str = ""
    observations: Mapping[str, Observation] = field(default_factory=dict)
    runtime_arn: str | None = None
    audience_accounts: Callable[[], Mapping[str, frozenset[str]]] = dict
    report: Callable[[Progress], None] = lambda progress: None


class Provider(Protocol):
    """One kind of cloud account."""

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
