"""The runtimes of a sandbox at its start; the same options always give the same runtimes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from sandbox.authorizers import jwt_authorizer
from sandbox.credentials import DEFAULT_ACCOUNT
from sandbox.runtime_kinds import BAD_TOOL, FAILURE_REASON
from sandbox.runtime_specs import Behavior, RuntimeSpec
from sandbox.runtime_texts import DOMAINS, make_spec

DEFAULT_REGION = "us-east-1"
DEFAULT_HUB_URL = "http://127.0.0.1:8000"
# A constant, so that a restarted sandbox does not look updated.
SEEDED_AT = datetime(2026, 1, 5, 8, tzinfo=UTC)
_PLATFORM = {"env": "production", "team": "platform"}
_FINANCE = {"env": "production", "team": "finance"}
_STAGING = {"env": "staging", "team": "platform"}
# The runtimes that the second hub of the demo discovers too. Those with a JWT authorizer trust the first hub alone.
SHARED = {"shared": "partner"}


@dataclass(frozen=True, slots=True)
class SeedOptions:
    """The options of the command line and the benchmarks that say which runtimes the sandbox has at its start.

    `runtimes` is the number of runtimes of the mix. If `mcp` or `a2a` is not 0, the sandbox instead gets so many
    similar MCP or A2A runtimes; every `jwt_every`-th of these runtimes has a JWT authorizer, none if `jwt_every` is 0.
    `tools` is the number of tools or skills of each runtime. With `healthy`, no runtime is slow, failed
    or has an imperfect tool. `hub_url` is the OIDC issuer that runtimes with a JWT authorizer trust.
    """

    runtimes: int = 12
    mcp: int = 0
    a2a: int = 0
    tools: int = 5
    healthy: bool = False
    jwt_every: int = 0
    hub_url: str = DEFAULT_HUB_URL
    account: str = DEFAULT_ACCOUNT
    region: str = DEFAULT_REGION


@dataclass(frozen=True, slots=True)
class _Seed:
    name: str
    protocol: str
    uses_jwt: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    behavior: Behavior = field(default_factory=Behavior)
    page_size: int = 100
    streams: bool = False
    has_bad_tool: bool = False
    failure_reason: str = ""
    worker: str = ""
    worker_seconds: float = 0.0


_MIXED_SEEDS = (
    _Seed("pharmacy_fraud_mcp", "MCP", tags=_PLATFORM | SHARED),
    _Seed("pharmacy_fraud_a2a", "A2A", tags=_PLATFORM | SHARED, worker="streams", worker_seconds=4.0),
    _Seed("invoice_matching_mcp", "MCP", uses_jwt=True, tags=_FINANCE, streams=True, page_size=3),
    _Seed("ticket_triage_a2a", "A2A", uses_jwt=True, tags=_PLATFORM),
    _Seed("weather_forecast_mcp", "MCP", tags=_STAGING | SHARED, streams=True),
    _Seed("code_review_a2a", "A2A", tags=_PLATFORM | SHARED),
    _Seed("image_tagging_http", "HTTP", tags=_STAGING),
    _Seed(
        "contract_analysis_a2a", "A2A", tags=_FINANCE | SHARED, behavior=Behavior(slow_seconds=2.0), worker="answers"
    ),
    _Seed("document_search_mcp", "MCP", tags=_PLATFORM | SHARED, page_size=3, has_bad_tool=True),
    _Seed("legacy_crm_mcp", "MCP", failure_reason=FAILURE_REASON),
    _Seed("travel_booking_a2a", "A2A", uses_jwt=True),
    _Seed("inventory_planning_mcp", "MCP", uses_jwt=True, tags=_STAGING),
)


def make_seeds(options: SeedOptions) -> Iterator[RuntimeSpec]:
    """Yield the runtimes that `options` describe."""
    seeds = _numbered_seeds(options) if options.mcp or options.a2a else _mixed_seeds(options)
    for seed in seeds:
        spec = make_spec(seed.name, seed.protocol, tools=options.tools)
        if not options.healthy:
            spec = _make_imperfect(spec, seed)
        yield replace(
            spec,
            account=options.account,
            region=options.region,
            tags=seed.tags,
            authorizer=jwt_authorizer(options.hub_url) if seed.uses_jwt else {},
            page_size=seed.page_size,
            worker=seed.worker,
            worker_seconds=seed.worker_seconds,
            streams=spec.protocol == "MCP" and (spec.streams or seed.streams),
        )


def _make_imperfect(spec: RuntimeSpec, seed: _Seed) -> RuntimeSpec:
    """Return `spec` with the behavior, the imperfect tool and the failed status that the seed has."""
    return replace(
        spec,
        behavior=seed.behavior,
        tools=(*spec.tools, BAD_TOOL) if seed.has_bad_tool else spec.tools,
        status="CREATE_FAILED" if seed.failure_reason else spec.status,
        failure_reason=seed.failure_reason,
    )


def _mixed_seeds(options: SeedOptions) -> Iterator[_Seed]:
    yield from _MIXED_SEEDS[: options.runtimes]
    for number in range(len(_MIXED_SEEDS), options.runtimes):
        protocol = "A2A" if number % 2 else "MCP"
        tags = (_PLATFORM, _FINANCE, _STAGING)[number % 3]
        yield _Seed(_numbered_name(number, protocol), protocol, uses_jwt=number % 4 == 0, tags=tags)


def _numbered_seeds(options: SeedOptions) -> Iterator[_Seed]:
    wanted = [(number, "MCP") for number in range(options.mcp)] + [(number, "A2A") for number in range(options.a2a)]
    for position, (number, protocol) in enumerate(wanted):
        uses_jwt = options.jwt_every > 0 and position % options.jwt_every == 0
        tags = _PLATFORM if number % 2 else _STAGING
        yield _Seed(_numbered_name(number, protocol), protocol, uses_jwt=uses_jwt, tags=tags)


def _numbered_name(number: int, protocol: str) -> str:
    return f"{DOMAINS[number % len(DOMAINS)].slug}_{protocol.lower()}_{number:04d}"
