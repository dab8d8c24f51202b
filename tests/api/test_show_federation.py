"""GET /federations/{federation_id}."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User

from federations.models import (
    Federation,
    JobPhase,
    JobStatus,
)
from federations.sync.summary import failed_summary
from tests.api.contract import (
    DETAIL_KEYS,
    FEDERATIONS,
    NOT_FOUND,
    SUMMARY_KEYS,
    UNKNOWN,
    answer,
    path_of,
    refusal,
    with_job,
)
from tests.conftest import Api

pytestmark = pytest.mark.django_db


def test_a_federation_is_shown_to_callers_who_may_view_it(
    api: Api, owner: User, reader: User, stranger: User, federation: Federation
) -> None:
    shown = api(owner).get(path_of(federation))
    assert shown.status_code == 200
    assert list(shown.json()) == DETAIL_KEYS
    assert api(reader).get(path_of(federation)).json() == shown.json()
    assert answer(api(stranger).get(path_of(federation))) == (403, refusal("VIEW"))


@pytest.mark.parametrize("last", ["", "/"])
def test_a_slash_at_the_end_is_accepted_without_a_redirect(
    api: Api, owner: User, federation: Federation, last: str
) -> None:
    assert api(owner).get(FEDERATIONS + last).status_code == 200
    assert api(owner).get(path_of(federation) + last).status_code == 200
    assert api(owner).get(path_of(federation) + "/jobs" + last).status_code == 200
    assert api(owner).post(path_of(federation) + "/sync" + last, {"dryRun": 1}, format="json").status_code == 400


@pytest.mark.parametrize(
    "key",
    [
        UNKNOWN, "x", "0" * 23, "0" * 25, "G" * 24, "ABCDEFABCDEFABCDEFABCDEF", "' OR 1=1 --", "%25", "%00", "é",
        "0" * 9999, "..", "%0a", UNKNOWN + "%0a", "null",
    ],
    ids=lambda key: key[:26],
)  # fmt: skip
@pytest.mark.parametrize("method", ["get", "put", "delete", "sync", "jobs"])
def test_an_unknown_or_malformed_id_is_not_found(api: Api, owner: User, method: str, key: str) -> None:
    client = api(owner)
    path = f"{FEDERATIONS}/{key}"
    if method == "sync":
        response = client.post(f"{path}/sync", {}, format="json")
    elif method == "jobs":
        response = client.get(f"{path}/jobs")
    else:
        response = getattr(client, method)(path, {} if method == "put" else None, format="json")
    assert answer(response) == (404, NOT_FOUND)


def test_a_deleted_federation_is_not_found(api: Api, owner: User, federation: Federation) -> None:
    assert api(owner).delete(path_of(federation)).status_code == 200
    assert answer(api(owner).get(path_of(federation))) == (404, NOT_FOUND)
    assert answer(api(owner).delete(path_of(federation))) == (404, NOT_FOUND)


def test_last_sync_has_the_contracts_shape(api: Api, owner: User, federation: Federation) -> None:
    job = with_job(federation)
    assert api(owner).get(path_of(federation)).json()["lastSync"] == {
        "jobId": job.id,
        "jobType": "full_sync",
        "status": "success",
        "startedAt": "2026-03-26T07:20:00Z",
        "finishedAt": "2026-03-26T07:20:10Z",
        "summary": dict.fromkeys(SUMMARY_KEYS[:-1], 0) | {"errorMessages": []},
    }


def test_a_summary_has_the_contracts_order_on_every_database(api: Api, owner: User, federation: Federation) -> None:
    with_job(federation, summary=dict(sorted(failed_summary("no").to_dict().items())))
    summary = api(owner).get(path_of(federation)).json()["lastSync"]["summary"]
    assert list(summary) == SUMMARY_KEYS
    assert (summary["errors"], summary["errorMessages"]) == (1, ["no"])


@pytest.mark.parametrize("status", [JobStatus.PENDING, JobStatus.SYNCING])
def test_last_sync_has_no_end_and_no_summary_while_it_runs(
    api: Api, owner: User, federation: Federation, status: JobStatus
) -> None:
    with_job(federation, status=status, phase=JobPhase.INDEXING, finished_at=None)
    last = api(owner).get(path_of(federation)).json()["lastSync"]
    assert (last["status"], last["finishedAt"], last["summary"]) == (status, None, None)


def test_recent_jobs_are_the_newest_ten_newest_first(api: Api, owner: User, federation: Federation) -> None:
    jobs = [with_job(federation, created_at=datetime(2026, 3, day, tzinfo=UTC)) for day in range(1, 13)]
    shown = api(owner).get(path_of(federation)).json()["recentJobs"]
    assert [job["id"] for job in shown] == [job.id for job in reversed(jobs)][:10]
    assert shown[0] == {
        "id": jobs[-1].id,
        "federationId": federation.id,
        "jobType": "full_sync",
        "status": "success",
        "phase": "completed",
        "startedAt": "2026-03-26T07:20:00Z",
        "finishedAt": "2026-03-26T07:20:10Z",
    }


def test_stats_count_what_is_stored(api: Api, owner: User, federation: Federation) -> None:
    Federation.objects.filter(id=federation.id).update(mcp_server_count=2, agent_count=1, tool_count=14)
    stats = api(owner).get(path_of(federation)).json()["stats"]
    assert stats == {"mcpServerCount": 2, "agentCount": 1, "toolCount": 14, "importedTotal": 3}
