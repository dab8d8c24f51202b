"""Constants and JSON shapes of the REST contract, and rows for its tests."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from federations.models import Federation, JobPhase, JobStatus, JobTrigger, JobType, SyncJob
from federations.sync.summary import summarize
from tests.conftest import CONFIG

FEDERATIONS = "/api/v1/federations"
UNKNOWN = "0" * 24
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")
NOT_FOUND = {"detail": {"error": "not_found", "message": "Federation not found"}}
DETAIL_KEYS = [
    "id", "providerType", "displayName", "description", "tags", "status", "syncStatus", "syncMessage",
    "providerConfig", "stats", "lastSync", "recentJobs", "createdBy", "updatedBy", "createdAt", "updatedAt",
    "externalId", "changePolicy", "schedule",
]  # fmt: skip
ITEM_KEYS = [key for key in DETAIL_KEYS if key not in ("providerConfig", "recentJobs", "createdBy", "updatedBy")][:-3]
SUMMARY_KEYS = [
    "discoveredMcpServers", "discoveredAgents", "createdMcpServers", "updatedMcpServers", "deletedMcpServers",
    "unchangedMcpServers", "skippedMcpServers", "createdAgents", "updatedAgents", "deletedAgents", "unchangedAgents",
    "skippedAgents", "errors", "errorMessages",
]  # fmt: skip
EMPTY_STATS = {"mcpServerCount": 0, "agentCount": 0, "toolCount": 0, "importedTotal": 0}


def path_of(federation: Federation | str) -> str:
    return f"{FEDERATIONS}/{getattr(federation, 'id', federation)}"


def refusal(permission: str) -> dict[str, str]:
    return {"detail": f"You do not have {permission} permissions for this resource."}


def error(code: str, message: str) -> dict[str, dict[str, str]]:
    return {"detail": {"error": code, "message": message}}


def answer(response: Any) -> tuple[int, Any]:
    return response.status_code, response.json()


CREATE = {
    "providerType": "aws_agentcore",
    "displayName": "AgentCore Prod",
    "description": "Production federation",
    "tags": ["prod", "aws"],
    "providerConfig": CONFIG,
}
UPDATE = {
    "displayName": "AgentCore Prod Updated",
    "description": "Updated description",
    "tags": ["prod", "aws", "core"],
    "providerConfig": {**CONFIG, "region": "eu-west-1"},
}
NOT_A_PAIR = "providerConfig.resourceTagsFilter must be an object of string key/value pairs"
NO_ACCESS_MODE = "providerConfig.runtimeAccess is not supported"
FIELD_REFUSALS = [
    ({"displayName": ...}, "displayName: This field is required."),
    ({"displayName": None}, "displayName: This field may not be null."),
    ({"displayName": ""}, "displayName: This field may not be blank."),
    ({"displayName": " \t\n\u3000"}, "displayName: This field may not be blank."),
    ({"displayName": "x" * 201}, "displayName: Ensure this field has no more than 200 characters."),
    ({"displayName": "x" * 1_000_000}, "displayName: Ensure this field has no more than 200 characters."),
    ({"displayName": 7}, "displayName: Not a valid string."),
    ({"displayName": True}, "displayName: Not a valid string."),
    ({"displayName": ["x"]}, "displayName: Not a valid string."),
    ({"displayName": {"x": 1}}, "displayName: Not a valid string."),
    ({"changePolicy": None}, "changePolicy: This field may not be null."),
    ({"changePolicy": "Flow"}, 'changePolicy: "Flow" is not a valid choice.'),
    ({"changePolicy": ""}, 'changePolicy: "" is not a valid choice.'),
    ({"changePolicy": ["flow"]}, "changePolicy: \"['flow']\" is not a valid choice."),
    ({"changePolicy": True}, 'changePolicy: "True" is not a valid choice.'),
    ({"displayName": "a\x00b"}, "displayName: NUL characters and unpaired surrogates are not allowed"),
    ({"description": 7}, "description: Not a valid string."),
    ({"description": ["x"]}, "description: Not a valid string."),
    ({"description": "x" * 10_001}, "description: Ensure this field has no more than 10000 characters."),
    ({"tags": None}, "tags: This field may not be null."),
    ({"tags": "prod"}, 'tags: Expected a list of items but got type "str".'),
    ({"tags": {"prod": 1}}, 'tags: Expected a list of items but got type "dict".'),
    ({"tags": ["ok", 7]}, "tags[1]: Not a valid string."),
    ({"tags": [None]}, "tags[0]: This field may not be null."),
    ({"tags": ["x" * 201]}, "tags[0]: Ensure this field has no more than 200 characters."),
    ({"tags": ["x"] * 101}, "tags: Ensure this field has no more than 100 elements."),
    ({"providerConfig": None}, "providerConfig: This field may not be null."),
    ({"providerConfig": "region"}, "providerConfig: Must be a JSON object."),
    ({"providerConfig": []}, "providerConfig: Must be a JSON object."),
    ({"providerConfig": {**CONFIG, "runtimeAccess": {"mode": "iam"}}}, NO_ACCESS_MODE),
    ({"providerConfig": {**CONFIG, "runtimeAccess": None}}, NO_ACCESS_MODE),
    ({"providerConfig": {**CONFIG, "resourceTagsFilter": "env:production"}}, NOT_A_PAIR),
    ({"providerConfig": {**CONFIG, "resourceTagsFilter": ["env"]}}, NOT_A_PAIR),
    ({"providerConfig": {**CONFIG, "resourceTagsFilter": {"env": 1}}}, NOT_A_PAIR),
    ({"providerConfig": {**CONFIG, "resourceTagsFilter": {"env": None}}}, NOT_A_PAIR),
]


def changed(body: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in (body | changes).items() if value is not ...}


def touch(federation: Federation, day: int) -> None:
    Federation.objects.filter(id=federation.id).update(updated_at=datetime(2026, 3, day, tzinfo=UTC))


def raw(client: Any, method: str, path: str, body: bytes, *, content_type: str, **meta: Any) -> Any:
    return client.generic(method, path, body, content_type=content_type, **meta)


def with_job(federation: Federation, **columns: Any) -> SyncJob:
    values: dict[str, Any] = {
        "lock_key": federation.id,
        "federation_id": federation.id,
        "job_type": JobType.FULL_SYNC,
        "trigger": JobTrigger.API,
        "status": JobStatus.SUCCESS,
        "phase": JobPhase.COMPLETED,
        "started_at": datetime(2026, 3, 26, 7, 20, 0, 999_999, tzinfo=UTC),
        "finished_at": datetime(2026, 3, 26, 7, 20, 10, tzinfo=UTC),
        "summary": summarize(()).to_dict(),
    }
    job = SyncJob.objects.create(**(values | columns))
    Federation.objects.filter(id=federation.id).update(last_sync=job, sync_status=job.status)
    return job
