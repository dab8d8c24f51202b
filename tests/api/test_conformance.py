"""Requests generated from the hub's schema: every response matches the schema, and none is an unforeseen error."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from django.contrib.auth.models import Permission, User
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from core.actors import Actor
from core.tokens.services import issue_token
from federations.models import A2aAgent, AgentRun, Federation
from federations.services.runs.make import Work, make_run
from federations.services.stored_plans.make import create_plan
from fedhub.wsgi import application
from sandbox.client import SandboxClient
from tests.api.contract import with_job
from tests.conftest import MakeAgent, MakeRuntime, MakeServer

EXAMPLES = 50
# So many requests until one of them is valid.
MORE_EXAMPLES = {"update_federation": 200, "federation_receive": 200}
# The contract's answers to a reserved provider and to a failing cloud.
FORESEEN = {501, 502}
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = [
    "list_endpoints", "list_federations", "create_federation", "retrieve_federation", "update_federation",
    "delete_federation",
    "sync_federation", "list_jobs", "retrieve_job", "list_job_changes", "list_plans", "create_plan", "retrieve_plan",
    "list_plan_changes", "apply_plan", "dismiss_plan", "list_servers", "retrieve_server", "list_agents",
    "retrieve_agent", "list_runtimes", "retrieve_runtime", "search", "sync_runtimes", "list_agent_runs", "create_run",
    "list_runs", "retrieve_run", "cancel_run", "answer_run", "approve_run", "refuse_run",
]  # fmt: skip
# tests.api.peers.test_conformance tests these operations.
PEER_OPERATIONS = [
    "federation_status", "federation_agents", "federation_dispatch", "federation_receive", "federation_callback",
    "federation_checkpoints",
    "list_intents", "create_intent", "retrieve_intent",
]  # fmt: skip


def load() -> Any:
    generator: Any = SchemaGenerator
    # With security parameters, most requests would carry a second, invented credential, and the hub would refuse it.
    # A text that is too long for its field can also be too long for the hub: 413 is allowed.
    rejections = {"expected-statuses": ["400", "401", "403", "404", "409", "413", "415", "422"]}
    config = schemathesis.Config.from_dict(
        {"generation": {"with-security-parameters": False}, "checks": {"negative_data_rejection": rejections}}
    )
    schema = schemathesis.openapi.from_dict(generator().get_schema(request=None, public=True), config=config)
    schema.app = application
    return schema


SCHEMA = load()


def test_every_operation_of_the_schema_is_tested() -> None:
    described = {found.ok().definition.raw["operationId"] for found in SCHEMA.get_all_operations()}
    assert described == {*OPERATIONS, *PEER_OPERATIONS}


@pytest.fixture
def token(owner: User) -> str:
    of_federations = Permission.objects.filter(content_type__app_label="federations")
    owner.user_permissions.set([*of_federations, Permission.objects.get(codename="add_dispatch")])
    scopes = ["federations-read", "federations-write", "system-ops", "agents-run", "peers-write"]
    return issue_token("owner", scopes=scopes, days=1)


def run_for(operation_id: str, agent: A2aAgent) -> AgentRun:
    """Return a run in the state in which the operation is allowed."""
    made = make_run(agent, Work("add 1"), by=Actor("1", "tests"))
    states = {"approve_run": "waiting_approval", "refuse_run": "waiting_approval", "answer_run": "input_required"}
    AgentRun.objects.filter(id=made.id).update(state=states.get(operation_id, "queued"))
    return made


def requests_to(operation: Any, known: dict[str, str]) -> st.SearchStrategy[Any]:
    """Return valid and invalid requests, for existing and for unknown objects."""
    there = {parameter.name: known[parameter.name] for parameter in operation.path_parameters}
    strategies = [operation.as_strategy(mode) for mode in GenerationMode]
    strategies.append(operation.as_strategy(GenerationMode.POSITIVE, path_parameters=there))
    if "plan_id" in there and len(operation.body):
        # No invented digest is the digest of a plan.
        body = {"digest": known["digest"]}
        strategies.append(operation.as_strategy(GenerationMode.POSITIVE, path_parameters=there, body=body))
    if len(operation.body) or len(operation.query):
        strategies.append(operation.as_strategy(GenerationMode.NEGATIVE, path_parameters=there))
    return st.one_of(strategies)


@pytest.mark.timeout(300)
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_no_request_gets_an_answer_that_the_schema_does_not_describe(
    operation_id: str, token: str, cloud: SandboxClient, federation: Federation, make_server: MakeServer,
    make_agent: MakeAgent, make_runtime: MakeRuntime,
) -> None:  # fmt: skip
    cloud.add("planned")
    plan = create_plan(federation, by=Actor("1", "tests"))
    agent = make_agent(None, "known-agent")
    known = {
        "plan_id": plan.id,
        "run_id": run_for(operation_id, agent).id,
        "digest": plan.digest,
        "federation_id": federation.id,
        "job_id": with_job(federation).id,
        "server_id": make_server(None, "known-server").id,
        "agent_id": agent.id,
        "runtime_id": make_runtime(federation, "known-runtime").id,
    }
    answered: set[int] = set()

    @settings(
        max_examples=MORE_EXAMPLES.get(operation_id, EXAMPLES),
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=requests_to(SCHEMA.find_operation_by_id(operation_id), known))
    def ask(case: Any) -> None:
        if not Federation.objects.filter(id=federation.id).exists():
            federation.save(force_insert=True)
        response = case.call(headers={"Authorization": f"Bearer {token}"})
        answered.add(response.status_code)
        assert response.status_code < 500 or response.status_code in FORESEEN, response.text
        case.validate_response(response, checks=CHECKS)

    ask()
    assert answered & {200, 201}, answered
