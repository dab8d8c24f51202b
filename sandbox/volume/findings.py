"""What discoveries of an account of a hub with volume find: first most runtimes, later changes and troubles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from core.strict_json import JsonObject
from federations.sync.resources import (
    AgentCard,
    EnrichedAgent,
    EnrichedMcpServer,
    FailedRuntime,
    Finding,
    ListedRuntime,
    McpCatalog,
    ResourceKind,
    Runtime,
    RuntimeAccess,
    SyncWarning,
    UnavailableRuntime,
    UnchangedRuntime,
    UnsupportedRuntime,
    runtime_of,
)
from sandbox.runtime_kinds import FAILURE_REASON
from sandbox.runtime_texts import DOMAINS, describe, make_prompts, make_resources, stable_number
from sandbox.volume.accounts import Account, Outcome
from sandbox.volume.catalog import domain_number, skills_of, tools_of

SERVER_FACETS = ("records", "search", "reports", "alerts")
AGENT_FACETS = ("triage", "review", "planner", "advisor")
TEAMS = ("platform", "data", "operations", "risk", "research")
REVISIONS = ("2025-06-18", "2025-11-25", "2026-07-28", "2025-03-26")
ERRORS = (
    "enrichment failed: 403 Forbidden",
    "enrichment failed: no answer within 30 seconds",
    "enrichment failed: 424 Failed Dependency: the runtime did not start in time",
    "enrichment failed: tools/list answered -32603: Internal error",
)
NO_OAUTH = "securitySchemes.sso has two OAuth flows, and A2A 1.0 allows one"
DISCOVERY_URL = "https://hub.example/.well-known/openid-configuration"
# One runtime of so many is new in the later sync, and as many are gone.
LATER = 41
Enriched = EnrichedMcpServer | EnrichedAgent


def all_findings(account: Account, *, tools: int, most_tools: int, seen_at: datetime) -> list[Finding]:
    """Return each runtime of an account with its content; `tools` and `most_tools` are those of `VolumeSizes`."""
    found: list[Finding] = []
    for number in range(account.servers):
        is_largest = account.number == number == 0
        # From about a third of the mean to about twice as many.
        spread = 1 + tools // 3 + stable_number(f"{account.suffix} {number}") % max(1, 2 * tools - tools // 3 - 1)
        found.append(_server(account, number, most_tools if is_largest else spread, seen_at))
    return [*found, *(_agent(account, number, seen_at) for number in range(account.agents))]


def first_findings(account: Account, findings: Sequence[Finding], *, seen_at: datetime) -> list[Finding]:
    """Return what the first sync finds: not the runtimes that are new later, but some that are gone later."""
    gone = [_server(account, account.servers + number, 3, seen_at) for number in range(account.servers // LATER)]
    return [found for number, found in enumerate(findings) if not _is_new(number)] + gone


def later_findings(account: Account, findings: Sequence[Finding], *, seen_at: datetime) -> list[Finding]:
    """Return what a later sync finds: new runtimes, new versions, and where the account has errors, failing ones."""
    found: list[Finding] = []
    for number, old in enumerate(findings):
        if number % 17 == 3:
            found.append(_changed(old, seen_at))
        elif _is_new(number):
            found.append(old)
        elif account.outcome is Outcome.ERRORS and number % 13 == 1:
            found.append(_failed(old, ERRORS[number // 13 % len(ERRORS)]))
        else:
            found.append(_unchanged(old))
    return [*found, *_without_resource(account, seen_at)]


def _is_new(number: int) -> bool:
    return number % LATER == LATER - 1


def findings_with_deletions(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings in which two of five runtimes are gone, so that the deletion guard holds the plan."""
    return [_unchanged(old) for number, old in enumerate(findings) if number % 5 > 1]


def findings_with_breaking_changes(findings: Sequence[Finding], *, seen_at: datetime) -> list[Finding]:
    """Return findings in which one of six servers lost its first tool, so that the change policy holds the plan."""
    found: list[Finding] = []
    for number, old in enumerate(findings):
        if number % 6 == 0 and isinstance(old, EnrichedMcpServer):
            catalog = replace(old.catalog, tools=old.catalog.tools[1:])
            found.append(replace(old, runtime=_newer(old.runtime, seen_at, 2), catalog=catalog))
        else:
            found.append(_unchanged(old))
    return found


def listing_of(findings: Iterable[Finding]) -> tuple[ListedRuntime, ...]:
    """Return the listing of the account that goes with the findings."""
    listed = [
        ListedRuntime(one.runtime_id, one.version, one.last_updated_at or datetime(2026, 1, 1, tzinfo=UTC), {})
        for one in map(runtime_of, findings)
    ]
    return tuple(sorted(listed, key=lambda one: one.runtime_id))


def _name(account: Account, number: int, facets: Sequence[str]) -> str:
    lap, place = divmod(number, len(DOMAINS) * len(facets))
    facet = facets[place // len(DOMAINS)]
    return f"{domain_number(number).slug}_{facet}_{account.suffix}" + (f"_{lap + 1}" if lap else "")


def _runtime(account: Account, name: str, protocol: str, seen_at: datetime) -> Runtime:
    digest = f"{stable_number(name):016x}"
    runtime_id = f"{name}-{digest[:10]}"
    number = stable_number(name)
    return Runtime(
        runtime_id=runtime_id,
        arn=f"arn:aws:bedrock-agentcore:{account.region}:{account.account_id}:runtime/{runtime_id}",
        name=name,
        version=str(1 + number % 4),
        status="READY",
        last_updated_at=seen_at,
        description=describe(name, protocol),
        protocol=protocol,
        protocol_configuration={"serverProtocol": protocol},
        tags={"env": account.stage, "team": TEAMS[number % len(TEAMS)], "area": account.area},
    )


def _access(name: str) -> RuntimeAccess:
    if stable_number(name) % 3:
        return RuntimeAccess("iam")
    return RuntimeAccess("jwt", DISCOVERY_URL, ("fedhub-runtimes",))


def _url(account: Account, runtime: Runtime) -> str:
    host = f"https://bedrock-agentcore.{account.region}.amazonaws.com"
    return f"{host}/runtimes/{runtime.runtime_id}/invocations?qualifier=DEFAULT"


def _server(account: Account, number: int, tools: int, seen_at: datetime) -> EnrichedMcpServer:
    name = _name(account, number, SERVER_FACETS)
    runtime = _runtime(account, name, "MCP", seen_at)
    is_rich = number % 2 == 0
    warnings: tuple[SyncWarning, ...] = ()
    lost: frozenset[str] = frozenset()
    if number % 23 == 5:
        message = "left out: it has no name"
        warnings = (SyncWarning("tool", f"#{tools + 1}", runtime.runtime_id, message),)
    if number % 31 == 7:
        lost = frozenset({"prompts"})
        message = "prompts/list answered -32603: The list is out of order."
        warnings = (SyncWarning("listing", "prompts", runtime.runtime_id, message),)
    catalog = McpCatalog(
        tools=tools_of(name, tools),
        resources=make_resources(name) if is_rich else (),
        prompts=make_prompts(name) if is_rich and not lost else (),
        capabilities={"tools": {"listChanged": True}},
        server_info={"name": name, "title": f"{name.replace('_', ' ').capitalize()}", "version": "1.4.0"},
        protocol_version=REVISIONS[number % len(REVISIONS)],
        lost_listings=lost,
        warnings=warnings,
    )
    return EnrichedMcpServer(runtime, _access(name), catalog, _url(account, runtime))


def _agent(account: Account, number: int, seen_at: datetime) -> EnrichedAgent:
    name = _name(account, number, AGENT_FACETS)
    runtime = _runtime(account, name, "A2A", seen_at)
    skills = skills_of(name, 24 if account.number == number == 0 else 1 + stable_number(name) % 6)
    title = name.replace("_", " ").capitalize()
    url = _url(account, runtime)
    raw: JsonObject = {
        "name": title,
        "description": runtime.description,
        "version": "2.1.0",
        "protocolVersion": "1.0",
        "provider": {"organization": f"{account.area.capitalize()} unit", "url": f"https://{account.area}.example"},
        "supportedInterfaces": [{"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
        "capabilities": {"streaming": number % 2 == 0, "pushNotifications": False},
        "defaultInputModes": ["text/plain", "application/json"],
        "defaultOutputModes": ["text/plain"],
        "skills": [*skills],
    }
    warnings = (SyncWarning("card", name, runtime.runtime_id, NO_OAUTH),) if number % 19 == 4 else ()
    card = AgentCard(
        raw, skills, url, title, f"{account.area.capitalize()} unit", runtime.description, "2.1.0", warnings
    )
    return EnrichedAgent(runtime, _access(name), card)


def _newer(runtime: Runtime, seen_at: datetime, step: int = 1) -> Runtime:
    return replace(runtime, version=str(int(runtime.version) + step), last_updated_at=seen_at)


def _changed(old: Finding, seen_at: datetime) -> Finding:
    """Return the finding in a new version: a server's tool goes and another changes its text, an agent gets a skill."""
    if isinstance(old, EnrichedMcpServer):
        first, *others = old.catalog.tools
        changed = {**first, "description": f"{first['description']} Answers within a second."}
        catalog = replace(old.catalog, tools=(changed, *others[:-1]), warnings=(), lost_listings=frozenset())
        return replace(old, runtime=_newer(old.runtime, seen_at), catalog=catalog)
    if isinstance(old, EnrichedAgent):
        added: JsonObject = {"id": "explain_result", "name": "Explain result", "description": "Says why."}
        skills = (*old.card.skills, added)
        card = replace(old.card, raw={**old.card.raw, "skills": [*skills], "version": "2.2.0"}, skills=skills)
        return replace(old, runtime=_newer(old.runtime, seen_at), card=card)
    return old


def _unchanged(old: Finding) -> Finding:
    if not isinstance(old, EnrichedMcpServer | EnrichedAgent):
        return old
    runtime = old.runtime
    return UnchangedRuntime(
        runtime_id=runtime.runtime_id,
        arn=runtime.arn,
        name=runtime.name,
        version=runtime.version,
        last_updated_at=runtime.last_updated_at,
        kind=_kind(old),
        protocol=runtime.protocol,
        status=runtime.status,
        tags=runtime.tags,
    )


def _failed(old: Finding, error: str) -> Finding:
    runtime = runtime_of(old)
    kind = _kind(old) if isinstance(old, Enriched) else None
    return FailedRuntime(runtime.runtime_id, runtime.arn, runtime.name, "9", error, kind, runtime.last_updated_at)


def _kind(found: Enriched) -> ResourceKind:
    return ResourceKind.MCP_SERVER if isinstance(found, EnrichedMcpServer) else ResourceKind.A2A_AGENT


def _without_resource(account: Account, seen_at: datetime) -> list[Finding]:
    """Return the account's runtimes that are not resources: one of another protocol, one that could not be made."""
    if account.number % 4:
        return []
    other = _runtime(account, f"image_tagging_{account.suffix}", "HTTP", seen_at)
    broken = _runtime(account, f"legacy_import_{account.suffix}", "MCP", seen_at)
    broken = replace(broken, status="CREATE_FAILED", failure_reason=FAILURE_REASON)
    return [UnsupportedRuntime(other), UnavailableRuntime(broken, ResourceKind.MCP_SERVER)]
