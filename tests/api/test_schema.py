"""The OpenAPI description: it is complete and valid, and it matches the served routes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.regex_helper import normalize
from drf_spectacular.generators import SchemaGenerator

from peers.api.errors import PROTOCOL_PATHS

SPEC_ROUTES = {
    ("get", "/api/v1"),
    ("post", "/api/v1/federations"),
    ("get", "/api/v1/federations"),
    ("get", "/api/v1/federations/{federation_id}"),
    ("put", "/api/v1/federations/{federation_id}"),
    ("delete", "/api/v1/federations/{federation_id}"),
    ("post", "/api/v1/federations/{federation_id}/sync"),
    ("get", "/api/v1/federations/{federation_id}/jobs"),
    ("get", "/api/v1/federations/{federation_id}/jobs/{job_id}"),
    ("get", "/api/v1/federations/{federation_id}/jobs/{job_id}/changes"),
    ("get", "/api/v1/federations/{federation_id}/plans"),
    ("post", "/api/v1/federations/{federation_id}/plans"),
    ("get", "/api/v1/federations/{federation_id}/plans/{plan_id}"),
    ("get", "/api/v1/federations/{federation_id}/plans/{plan_id}/changes"),
    ("post", "/api/v1/federations/{federation_id}/plans/{plan_id}/apply"),
    ("post", "/api/v1/federations/{federation_id}/plans/{plan_id}/dismiss"),
    ("post", "/api/v1/federation/agentcore/runtime/sync"),
    ("get", "/api/v1/servers"),
    ("get", "/api/v1/servers/{server_id}"),
    ("get", "/api/v1/agents"),
    ("get", "/api/v1/agents/{agent_id}"),
    ("get", "/api/v1/agents/{agent_id}/runs"),
    ("post", "/api/v1/agents/{agent_id}/runs"),
    ("get", "/api/v1/runs"),
    ("get", "/api/v1/runs/{run_id}"),
    ("post", "/api/v1/runs/{run_id}/cancel"),
    ("post", "/api/v1/runs/{run_id}/input"),
    ("post", "/api/v1/runs/{run_id}/approve"),
    ("post", "/api/v1/runs/{run_id}/refuse"),
    ("get", "/api/v1/runtimes"),
    ("get", "/api/v1/runtimes/{runtime_id}"),
    ("get", "/api/v1/search"),
    ("get", "/api/v1/federation/status"),
    ("get", "/api/v1/federation/agents"),
    ("post", "/api/v1/federation/dispatch"),
    ("post", "/api/v1/federation/receive"),
    ("post", "/api/v1/federation/callback"),
    ("post", "/api/v1/federation/log/checkpoints"),
    ("get", "/api/v1/intents"),
    ("post", "/api/v1/intents"),
    ("get", "/api/v1/intents/{intent_id}"),
}
ANY_OPERATOR: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}, {"session": []}]
# The callers of the endpoints that need no operator scope.
OTHER_CALLERS = {
    "/api/v1": [*ANY_OPERATOR, {}],
    "/api/v1/federation/agents": [*ANY_OPERATOR, {}],
    "/api/v1/federation/receive": [{"peer": []}],
    "/api/v1/federation/callback": [{"peer": []}],
    "/api/v1/federation/log/checkpoints": [{"peer": []}],
}


@pytest.fixture(scope="module")
def schema() -> Any:
    generator: Any = SchemaGenerator
    return generator().get_schema(request=None, public=True)


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from patterns(entry, prefix + str(entry.pattern))
        else:
            yield prefix + str(entry.pattern).removeprefix("^"), entry


def served_routes() -> Iterator[tuple[str, str]]:
    for regex, entry in patterns(get_resolver()):
        if regex.startswith("api/v1/"):
            ((template, names),) = normalize(regex)[:1]
            path = "/" + template % {name: f"{{{name}}}" for name in names}
            # The framework adds HEAD to a view at its first call.
            for method in set(entry.callback.actions) - {"head"}:  # type: ignore[attr-defined]
                yield method, path.rstrip("/")


def described_routes(schema: Any) -> set[tuple[str, str]]:
    return {(method, path) for path, methods in schema["paths"].items() for method in methods}


def test_the_schema_describes_exactly_the_routes_under_api_v1(schema: Any) -> None:
    assert set(served_routes()) == described_routes(schema) == SPEC_ROUTES


def of_peers(path: str) -> bool:
    return PROTOCOL_PATHS.match(path) is not None


def test_every_operation_describes_success_refusals_and_its_scope(schema: Any) -> None:
    for path, methods in schema["paths"].items():
        # The protocol's endpoints answer a program in JSON for any Accept header, and answer 422 to an unreadable body.
        always, with_body = (
            ({"401", "403", "500"}, {"411", "413", "415", "422"})
            if of_peers(path)
            else ({"401", "403", "406", "500"}, {"400", "411", "413", "415"})
        )
        for method, operation in methods.items():
            statuses = set(operation["responses"])
            assert statuses & {"200", "201"}, (method, path)
            assert statuses >= always, (method, path)
            assert ("requestBody" in operation) == (with_body <= statuses), (method, path)
            assert "{" not in path or "404" in statuses, (method, path)
            assert ("Scope: `" in operation["description"]) == (path not in OTHER_CALLERS), (method, path)
            assert 0 < len(operation["summary"]) <= 60 and "\n" not in operation["summary"], (method, path)
            assert operation["security"] == OTHER_CALLERS.get(path, ANY_OPERATOR), (method, path)
            examples = [
                answer["content"]["application/json"].get("examples")
                for status, answer in operation["responses"].items()
                if status >= "400"
            ]
            assert all(examples), (method, path)


def test_the_description_says_how_to_get_a_token_and_groups_the_operations_in_order(schema: Any) -> None:
    assert "issue_token" in schema["info"]["description"]
    assert "(/admin/)" in schema["info"]["description"]
    assert [tag["name"] for tag in schema["tags"]] == [
        "federations", "resources", "runs", "search", "peers", "system",
    ]  # fmt: skip
    used = {tag for methods in schema["paths"].values() for each in methods.values() for tag in each["tags"]}
    assert used == {tag["name"] for tag in schema["tags"]}


def test_only_operations_that_look_up_an_object_answer_not_found(schema: Any) -> None:
    for path, methods in schema["paths"].items():
        if "{" not in path and OTHER_CALLERS.get(path) != [{"peer": []}]:
            assert all("404" not in operation["responses"] for operation in methods.values()), path


def test_an_example_of_federations_errors_is_the_contracts_body(schema: Any) -> None:
    for path, methods in schema["paths"].items():
        for operation in methods.values() if of_peers(path) else ():
            for status, response in operation["responses"].items():
                if status >= "400":
                    (example,) = response["content"]["application/json"]["examples"].values()
                    members = {"detail", "message", "errors"} if status in ("400", "422") else {"detail", "message"}
                    assert set(example["value"]) == members, (path, status)


def test_an_example_of_an_error_is_the_contracts_body(schema: Any) -> None:
    responses = schema["paths"]["/api/v1/federations/{federation_id}"]["get"]["responses"]
    (example,) = responses["404"]["content"]["application/json"]["examples"].values()
    assert example["value"] == {"detail": {"error": "not_found", "message": "Federation not found"}}


def test_the_description_is_made_without_a_warning_and_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", "--fail-on-warn", "--validate", stdout=io.StringIO())
    assert "Warning" not in capsys.readouterr().err


@pytest.mark.django_db
def test_the_description_is_served_to_anyone() -> None:
    for path in ("/api/schema", "/api/schema/"):
        response = Client().get(path, headers={"Accept": "application/vnd.oai.openapi+json"})
        assert response.status_code == 200
        assert set(response.json()["paths"]) == {path for _, path in SPEC_ROUTES}
