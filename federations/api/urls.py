"""The routes under /api/v1. Each route accepts a path with or without a slash at its end."""

from __future__ import annotations

from django.urls import re_path

from federations.api.plan_views import JobChangesViewSet, PlanViewSet
from federations.api.run_views import AgentRunViewSet, RunDecisionViewSet, RunViewSet
from federations.api.views import (
    AgentViewSet,
    FederationViewSet,
    JobViewSet,
    LegacySyncViewSet,
    RuntimeViewSet,
    SearchViewSet,
    ServerViewSet,
)

FEDERATION = r"^federations/(?P<federation_id>[^/]+)"
PLAN = rf"{FEDERATION}/plans/(?P<plan_id>[^/]+)"
RUN = r"^runs/(?P<run_id>[^/]+)"

urlpatterns = [
    re_path(r"^federations/?\Z", FederationViewSet.as_view({"get": "list", "post": "create"}), name="federations"),
    re_path(
        rf"{FEDERATION}/?\Z",
        FederationViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
        name="federation",
    ),
    re_path(rf"{FEDERATION}/sync/?\Z", FederationViewSet.as_view({"post": "sync"}), name="federation-sync"),
    re_path(rf"{FEDERATION}/jobs/?\Z", JobViewSet.as_view({"get": "list"}), name="jobs"),
    re_path(rf"{FEDERATION}/jobs/(?P<job_id>[^/]+)/?\Z", JobViewSet.as_view({"get": "retrieve"}), name="job"),
    re_path(
        rf"{FEDERATION}/jobs/(?P<job_id>[^/]+)/changes/?\Z",
        JobChangesViewSet.as_view({"get": "list"}),
        name="job-changes",
    ),
    re_path(rf"{FEDERATION}/plans/?\Z", PlanViewSet.as_view({"get": "list", "post": "create"}), name="plans"),
    re_path(rf"{PLAN}/?\Z", PlanViewSet.as_view({"get": "retrieve"}), name="plan"),
    re_path(rf"{PLAN}/changes/?\Z", PlanViewSet.as_view({"get": "changes"}), name="plan-changes"),
    re_path(rf"{PLAN}/apply/?\Z", PlanViewSet.as_view({"post": "apply"}), name="plan-apply"),
    re_path(rf"{PLAN}/dismiss/?\Z", PlanViewSet.as_view({"post": "dismiss"}), name="plan-dismiss"),
    re_path(r"^servers/?\Z", ServerViewSet.as_view({"get": "list"}), name="servers"),
    re_path(r"^servers/(?P<server_id>[^/]+)/?\Z", ServerViewSet.as_view({"get": "retrieve"}), name="server"),
    re_path(r"^agents/?\Z", AgentViewSet.as_view({"get": "list"}), name="agents"),
    re_path(r"^agents/(?P<agent_id>[^/]+)/?\Z", AgentViewSet.as_view({"get": "retrieve"}), name="agent"),
    re_path(
        r"^agents/(?P<agent_id>[^/]+)/runs/?\Z",
        AgentRunViewSet.as_view({"get": "list", "post": "create"}),
        name="agent-runs",
    ),
    re_path(r"^runs/?\Z", RunViewSet.as_view({"get": "list"}), name="runs"),
    re_path(rf"{RUN}/?\Z", RunViewSet.as_view({"get": "retrieve"}), name="run"),
    re_path(rf"{RUN}/cancel/?\Z", RunViewSet.as_view({"post": "cancel"}), name="run-cancel"),
    re_path(rf"{RUN}/input/?\Z", RunViewSet.as_view({"post": "answer"}), name="run-input"),
    re_path(rf"{RUN}/approve/?\Z", RunDecisionViewSet.as_view({"post": "approve"}), name="run-approve"),
    re_path(rf"{RUN}/refuse/?\Z", RunDecisionViewSet.as_view({"post": "refuse"}), name="run-refuse"),
    re_path(r"^runtimes/?\Z", RuntimeViewSet.as_view({"get": "list"}), name="runtimes"),
    re_path(r"^runtimes/(?P<runtime_id>[^/]+)/?\Z", RuntimeViewSet.as_view({"get": "retrieve"}), name="runtime"),
    re_path(r"^search/?\Z", SearchViewSet.as_view({"get": "list"}), name="search"),
    re_path(
        r"^federation/agentcore/runtime/sync/?\Z",
        LegacySyncViewSet.as_view({"post": "create"}),
        name="legacy-sync",
    ),
]
