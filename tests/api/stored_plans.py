"""Stored plans and requests for the tests of their endpoints."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from core.actors import actor_of
from federations.models import Federation, StoredPlan, SyncJob
from federations.services.run import run_sync
from federations.services.start import start_sync
from federations.services.stored_plans.make import create_plan
from federations.sync.resources import Finding
from tests.api.contract import path_of
from tests.conftest import Api
from tests.findings import agent, failure, server
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider

BEFORE = (server("kept"), server("changed"), server("gone"), agent("helper"), failure("broken"))
AFTER = (
    server("kept"),
    server("changed", version="2", tools=("look_up", "book")),
    agent("helper", version="2"),
    server("new"),
    failure("broken", error="enrichment failed: 500"),
)
MANY = tuple(server(f"server{number}") for number in range(10))


def plans_of(federation: Federation | str) -> str:
    return path_of(federation) + "/plans"


def path_of_plan(plan: StoredPlan) -> str:
    return f"{plans_of(plan.federation_id)}/{plan.id}"


def fresh(federation: Federation) -> Federation:
    return Federation.objects.get(id=federation.id)


def sync(federation: Federation, user: User, *findings: Finding) -> SyncJob:
    with provider(MemoryProvider(findings=findings)):
        return run_sync(start_sync(fresh(federation), by=actor_of(user)).id)


def make(federation: Federation, user: User, *findings: Finding) -> StoredPlan:
    with provider(MemoryProvider(findings=findings)):
        return create_plan(fresh(federation), by=actor_of(user))


def hold(api: Api, federation: Federation, user: User) -> StoredPlan:
    """Sync ten servers, then five of them: the second sync is held."""
    sync(federation, user, *MANY)
    with provider(MemoryProvider(findings=MANY[:5])):
        assert api(user).post(path_of(federation) + "/sync", {}, format="json").status_code == 409
    return StoredPlan.objects.latest("created_at")


def apply(api: Api, user: User, plan: StoredPlan, *findings: Finding, body: Any = None, **headers: str) -> Any:
    with provider(
        MemoryProvider(findings=findings, before_answer=lambda request: pytest.fail("the runtimes were asked"))
    ):
        body = {"digest": plan.digest} if body is None else body
        return api(user).post(path_of_plan(plan) + "/apply", body, format="json", headers=headers)


def changes(api: Api, user: User, path: str, **query: str) -> list[tuple[str, str]]:
    response = api(user).get(f"{path}/changes", query)
    assert response.status_code == 200, response.content
    return [(change["action"], change["name"]) for change in response.json()["changes"]]
