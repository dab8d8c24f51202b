"""The test of a connection: does a configuration that is not saved reach its account, and what does it find there?"""

from __future__ import annotations

from dataclasses import dataclass

from core.actors import Actor
from federations.models import Federation
from federations.providers.base import DiscoveryRequest, ProbedRuntime
from federations.services.config_effects import ConfigEffect, effect_of_config, matches
from federations.services.discover import check_config, probe
from federations.services.dry_run_slots import connection_test_slot, dry_run_slot
from federations.services.read_stored import read_observations
from federations.services.sync_targets import target_of
from federations.sync.resources import JsonObject

SECONDS = 20.0
"""After this time a test starts no further call to the cloud; a call that runs may take ten seconds more."""


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """What a test found with a configuration: of the registry at the URL `registry`, or else of `region`.

    `servers`, `agents` and `others` count the runtimes by protocol, and `unread` counts those whose protocol the test
    did not read. With a tags filter `kept` counts the runtimes that pass it, and `without_tags` those whose tags the
    test could not read in its time. `effect` is the effect on a stored federation.
    """

    registry: str
    region: str
    servers: int
    agents: int
    others: int
    unread: int
    has_filter: bool
    kept: int
    without_tags: int
    effect: ConfigEffect

    @property
    def listed(self) -> int:
        """Return the number of runtimes in the region."""
        return self.servers + self.agents + self.others + self.unread


def check_connection(
    *,
    provider_type: str,
    config: JsonObject,
    external_id: str,
    federation: Federation | None,
    by: Actor,
    secret: str = "",
) -> ConnectionReport:
    """Assume the role of `config`, list the runtimes, and count them by protocol and by the tags filter.

    `federation` is the stored federation that would get `config`, or None for a new one. Nothing is stored, and no
    transaction is open while the cloud is asked. Raises InvalidRequestError for an incomplete configuration,
    NotImplementedYetError, TooManyRequestsError, and ConnectionRefusedError.
    """
    check_config(provider_type, config)
    observations = read_observations(target_of(federation)) if federation else {}
    request = DiscoveryRequest(config=config, external_id=external_id, observations=observations, secret=secret)
    slot = dry_run_slot(federation) if federation else connection_test_slot(by)
    with slot:
        probed = probe(provider_type, request, seconds=SECONDS)
    return _report(config, probed, effect_of_config(federation, config, probed) if federation else ConfigEffect())


def _report(config: JsonObject, probed: tuple[ProbedRuntime, ...], effect: ConfigEffect) -> ConnectionReport:
    protocols = [runtime.protocol for runtime in probed]
    servers, agents, unread = (protocols.count(name) for name in ("MCP", "A2A", None))
    has_filter = bool(config.get("resourceTagsFilter"))
    return ConnectionReport(
        registry=str(config.get("url", "")),
        region=str(config.get("region", "")),
        servers=servers,
        agents=agents,
        others=len(probed) - servers - agents - unread,
        unread=unread,
        has_filter=has_filter,
        kept=sum(matches(config, found.tags) for found in probed if found.tags is not None),
        without_tags=sum(found.tags is None for found in probed) if has_filter else 0,
        effect=effect,
    )
