"""What every provider promises: a complete listing, or an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from federations.sync.resources import Discovery, JsonObject, LastSeen


class ProviderError(Exception):
    """The account could not be listed.

    `permanent` tells the caller whether trying again without a change by a person is of any use.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent


class ProviderNotImplementedError(ProviderError):
    """The provider is named in the contract, but this version has no code for it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


class InvalidProviderConfigError(ProviderError):
    """The stored or given configuration cannot work; the message names the field."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a discovery is: `phase` is `discovering` or `enriching`; `total` is 0 while it is unknown."""

    phase: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class DiscoveryRequest:
    """What to list.

    `config` is the normalized providerConfig. `external_id` goes with every AssumeRole. `last_seen` is keyed by runtime
    id: what is found unchanged there is answered as `AsLastSeen`, without asking the runtime. With `runtime_arn` only
    that runtime is looked at. `audience_accounts` says which accounts' runtimes have an audience already: no token for
    it is minted for another account's. `report` is called from the discovering thread, must be quick and may raise to
    stop.
    """

    config: JsonObject
    external_id: str = ""
    last_seen: Mapping[str, LastSeen] = field(default_factory=dict)
    runtime_arn: str | None = None
    audience_accounts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    report: Callable[[Progress], None] = lambda progress: None


class Provider(Protocol):
    """One kind of cloud account."""

    def normalize_config(self, config: JsonObject) -> JsonObject:
        """Return the part of `config` that is kept, checked for shape but not for completeness.

        Raises InvalidProviderConfigError with the contract's message, ProviderNotImplementedError.
        """

    def check_complete(self, config: JsonObject) -> None:
        """Raise InvalidProviderConfigError where a discovery with this normalized `config` could not start."""

    def discover(self, request: DiscoveryRequest) -> Discovery:
        """List every runtime of the account; raise ProviderError rather than return a short list.

        One bad runtime is a `FailedRuntime`, never an exception.
        """
