"""The members of the registry's answers that lead to a page: ids of federations, jobs, plans, resources, runtimes."""

from __future__ import annotations

from core.api.browsable.links import Link, Rules

FEDERATION = "/api/v1/federations"
_SERVER_KINDS = frozenset({"server", "tool", "resource", "prompt"})
_AGENT_KINDS = frozenset({"agent", "skill"})
# A deletion leaves no page.
_STORED = frozenset({"create", "update", "unchanged", "skip", "error"})


def _resources(kind: str, member: str, **more: frozenset[str]) -> tuple[Link, ...]:
    """Return the links of a member that is the id of a server or of an agent, which the member `kind` tells."""
    return (
        Link(f"/api/v1/servers/{{{member}}}", {kind: frozenset({"mcp_server"}), **more}),
        Link(f"/api/v1/agents/{{{member}}}", {kind: frozenset({"a2a_agent"}), **more}),
    )


_of_federation = (Link(f"{FEDERATION}/{{federationId}}"),)
_job = (Link(f"{FEDERATION}/{{federationId}}/jobs/{{id}}"),)
_plan = (Link(f"{FEDERATION}/{{federationId}}/plans/{{planId}}"),)
# AWS's id of a runtime: the inventory finds it.
_runtime = (Link("/api/v1/runtimes?query={runtimeId}"),)

LINKS: Rules = {
    ("Federation", "id"): (Link(f"{FEDERATION}/{{id}}"),),
    ("FederationDetail", "id"): (Link(f"{FEDERATION}/{{id}}"),),
    # The object around it is the federation.
    ("LastSync", "jobId"): (Link(f"{FEDERATION}/{{id}}/jobs/{{jobId}}"),),
    **{(name, "id"): _job for name in ("Job", "ListedJob", "ShownJob")},
    **{(name, "federationId"): _of_federation for name in ("Job", "ListedJob", "ShownJob", "Plan")},
    **{(name, "planId"): _plan for name in ("ListedJob", "ShownJob")},
    ("Plan", "id"): (Link(f"{FEDERATION}/{{federationId}}/plans/{{id}}"),),
    ("StoredChange", "resourceId"): _resources("kind", "resourceId", action=_STORED),
    **{(name, "runtimeId"): _runtime for name in ("Change", "StoredChange", "Warning", "FederationMetadata")},
    **{(name, "id"): (Link("/api/v1/servers/{id}"),) for name in ("Server", "ServerDetail")},
    **{(name, "id"): (Link("/api/v1/agents/{id}"),) for name in ("Agent", "AgentDetail")},
    **{
        (name, "federationId"): _of_federation
        for name in ("Server", "ServerDetail", "Agent", "AgentDetail", "Runtime", "SearchHit", "Run", "RunDetail")
    },
    ("Runtime", "id"): (Link("/api/v1/runtimes/{id}"),),
    ("Runtime", "resourceId"): _resources("resourceKind", "resourceId"),
    ("SearchHit", "id"): (
        Link("/api/v1/servers/{id}", {"kind": _SERVER_KINDS}),
        Link("/api/v1/agents/{id}", {"kind": _AGENT_KINDS}),
    ),
    **{(name, "id"): (Link("/api/v1/runs/{id}"),) for name in ("Run", "RunDetail")},
    **{(name, "agentId"): (Link("/api/v1/agents/{agentId}"),) for name in ("Run", "RunDetail")},
    ("LegacyItem", "server_id"): (Link("/api/v1/servers/{server_id}"),),
    ("LegacyItem", "agent_id"): (Link("/api/v1/agents/{agent_id}"),),
}
