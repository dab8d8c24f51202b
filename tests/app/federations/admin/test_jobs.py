"""The pages of jobs: what follows a running job, who may cancel it or sync again, and what the result links to."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.actors import Actor
from federations.admin.labels import job_name
from federations.models import (
    AccessLevel,
    Federation,
    McpServer,
    PlannedChange,
    RuntimeObservation,
    StoredPlan,
    SyncJob,
)
from federations.services import jobs
from federations.services.access import grant
from federations.services.federations import delete_federation, set_enabled
from federations.services.run import run_sync
from federations.services.start import start_sync
from federations.services.stored_plans.described import HeldPlanError
from tests.app.federations.admin.cloud import STAFF, MemoryCloud, agent, failed_agent, federation, server, sync
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db(transaction=True)

LIST = reverse("admin:federations_syncjob_changelist")
ANN = Actor("7", "Ann")
# What a dialog sends with its fields.
CONFIRMED = {"_form_submitted": "True"}


def page(row: object, name: str = "change") -> str:
    return reverse(f"admin:federations_{type(row).__name__.lower()}_{name}", args=[row.pk])  # type: ignore[attr-defined]


def text_of(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, path
    return response.content.decode()


def queue(found: Federation) -> SyncJob:
    return start_sync(Federation.objects.get(pk=found.pk), by=STAFF, queued=True)


def live(client: Client, job: SyncJob, seen: str) -> tuple[int, str]:
    response = client.get(page(job, "live"), {"seen": seen})
    return response.status_code, response.content.decode()


def test_a_job_that_waits_long_says_that_it_needs_a_worker(admin: Client) -> None:
    job = queue(federation())
    hint = "see that a worker of the queue sync is running"
    assert hint not in live(admin, job, "queued")[1]
    SyncJob.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(minutes=2))
    assert hint in live(admin, job, "queued")[1]


def test_a_poll_has_only_what_changed_since_the_last_phase(admin: Client) -> None:
    job = queue(federation())
    text = text_of(admin, page(job))
    assert 'hx-trigger="every 2s' in text
    assert "The job waits for a worker." in text
    assert '<noscript><p class="mt-3"><a class="text-link" href="">Reload this page</a>' in text
    status, text = live(admin, job, "queued")
    assert status == 200
    assert 'id="job-steps" hx-swap-oob' in text
    assert not any(f'id="job-{part}" hx-swap' in text for part in ("state", "saying", "buttons", "notes", "result"))

    lease = jobs.take(job.id)
    _, text = live(admin, job, "queued")
    assert "The job lists and describes the runtimes of the account." in text
    # The button of the cancel stays as it is: the user may be pressing it.
    assert 'id="job-buttons"' not in text
    lease.enter("applying")
    _, text = live(admin, job, "discovering")
    assert 'id="job-buttons" hx-swap-oob' in text
    assert page(job, "cancel_sync") not in text


def test_the_last_poll_brings_the_whole_result_and_stops_the_next_one(admin: Client, cloud: MemoryCloud) -> None:
    job = sync(federation(), cloud, server("ledger"), failed_agent("kyc"))
    status, text = live(admin, job, "indexing")
    assert status == 286
    for expected in ("With errors", "1 created", "Sync again", "enrichment failed: 403", "Update the search index"):
        assert expected in text
    assert f'action="{page(job)}"' in text
    assert 'hx-trigger="every' not in text_of(admin, page(job))


def test_a_job_that_was_withdrawn_while_a_page_followed_it_says_so(admin: Client) -> None:
    job = queue(federation())
    SyncJob.objects.filter(pk=job.pk).delete()
    assert live(admin, job, "queued") == (286, live(admin, job, "queued")[1])
    assert "no longer stored" in live(admin, job, "queued")[1]


def test_a_list_follows_its_running_jobs_alone(admin: Client, cloud: MemoryCloud) -> None:
    ended, running = sync(federation("Done"), cloud, server("ledger")), queue(federation("Runs"))
    text = text_of(admin, LIST)
    assert f'name="job" value="{running.pk}"' in text
    assert f'name="job" value="{ended.pk}"' not in text
    answer = admin.get(reverse("admin:federations_syncjob_live_rows"), {"job": [running.pk, ended.pk]})
    assert answer.status_code == 200
    text = answer.content.decode()
    assert f'hx-swap-oob="innerHTML:.job-result-{running.pk}"' in text
    assert "Done: Full sync" in text
    jobs.cancel(running.pk, by=ANN)
    assert admin.get(reverse("admin:federations_syncjob_live_rows"), {"job": running.pk}).status_code == 286


def test_the_steps_of_a_job_have_their_times(admin: Client, cloud: MemoryCloud) -> None:
    job = sync(federation(), cloud, server("ledger"))
    start = timezone.now() - timedelta(hours=1)
    moments = ("created_at", "started_at", "enriching_at", "applying_at", "indexing_at", "finished_at")
    times = {name: start + timedelta(seconds=12 * number) for number, name in enumerate(moments)}
    SyncJob.objects.filter(pk=job.pk).update(**times)
    text = text_of(admin, page(job))
    assert text.count("12 s") == 5
    assert text.count('class="fedhub-step-done"') == 5
    SyncJob.objects.filter(pk=job.pk).update(applying_at=None, indexing_at=None, enriching_at=None)
    assert "Run" in text_of(admin, page(job))


def test_a_cancelled_job_is_a_state_of_its_own_and_leaves_the_federation_as_it_was(
    admin: Client, cloud: MemoryCloud
) -> None:
    found = federation()
    sync(found, cloud, server("ledger"))
    job = queue(found)
    assert "Cancel this sync?" in text_of(admin, page(job, "cancel_sync"))
    answer = admin.post(page(job, "cancel_sync"), CONFIRMED, headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == page(job)

    text = text_of(admin, page(job))
    assert "The sync is cancelled. Nothing was changed." in text
    assert "Cancelled by operator." in text
    assert "1 error" not in text
    assert text.count("Not reached") == 4
    assert "Cancelled" in text_of(admin, LIST)
    assert [row.pk for row in admin.get(f"{LIST}?state=cancelled").context["cl"].result_list] == [job.pk]
    assert not admin.get(f"{LIST}?state=failed").context["cl"].result_list
    assert "failed" not in text_of(admin, page(found)).casefold()

    admin.post(page(job, "cancel_sync"), CONFIRMED)
    assert "The job has ended, so it cannot be cancelled" in text_of(admin, page(job))


def test_sync_again_starts_the_same_kind_of_sync_with_a_reason(admin: Client, cloud: MemoryCloud) -> None:
    found = federation()
    job = sync(found, cloud, server("ledger"), failed_agent("kyc"))
    SyncJob.objects.filter(pk=job.pk).update(job_type="config_resync")
    assert "tries the failed ones once more" in text_of(admin, page(job, "sync_again"))
    admin.post(page(job, "sync_again"), CONFIRMED | {"reason": "The agent is mended"})
    started = SyncJob.objects.get(status="pending")
    assert (started.job_type, started.reason, started.trigger) == ("config_resync", "The agent is mended", "manual")
    assert (started.requested_by_name, started.force) == ("operator", False)
    # A second one would be refused, so there is no button for it, and the address refuses it.
    assert page(job, "sync_again") not in text_of(admin, page(job))
    admin.post(page(job, "sync_again"), CONFIRMED)
    assert "cannot start a new sync" in text_of(admin, page(job))


def test_sync_again_is_offered_only_where_it_is_not_refused(admin: Client, cloud: MemoryCloud) -> None:
    found = federation()
    good = sync(found, cloud, server("ledger"))
    assert page(good, "sync_again") not in text_of(admin, page(good))
    bad = sync(found, cloud, server("ledger"), failed_agent("kyc"))
    assert page(bad, "sync_again") in text_of(admin, page(bad))
    set_enabled(Federation.objects.get(), False, by=STAFF)
    assert page(bad, "sync_again") not in text_of(admin, page(bad))
    set_enabled(Federation.objects.get(), True, by=STAFF)
    gone = delete_federation(Federation.objects.get(), by=STAFF)
    for job in (bad, gone):
        assert page(job, "sync_again") not in text_of(admin, page(job))


def test_a_held_job_leads_to_its_plan_and_may_be_run_again(admin: Client, cloud: MemoryCloud) -> None:
    found = federation()
    sync(found, cloud, *(server(f"server-{number}") for number in range(10)))
    with pytest.raises(HeldPlanError):
        sync(found, cloud)
    job, plan = SyncJob.objects.get(held=True), StoredPlan.objects.get()
    text = text_of(admin, page(job))
    for expected in ("It would have deleted 10.", page(plan), page(job, "sync_again"), "Held"):
        assert expected in text
    assert "fedhub-button-primary" not in text


@pytest.mark.parametrize(("level", "is_offered"), [(AccessLevel.VIEW, False), (AccessLevel.EDIT, True)])
def test_the_buttons_need_the_right_to_sync(
    staff: Callable[..., Client], cloud: MemoryCloud, level: AccessLevel, is_offered: bool
) -> None:
    client, found = staff(), federation()
    job = queue(found)
    assert client.get(page(job)).status_code in (302, 403, 404)
    assert client.post(page(job, "cancel_sync"), CONFIRMED).status_code in (302, 403, 404)
    grant(found, level=level, user=User.objects.get())
    assert (page(job, "cancel_sync") in text_of(client, page(job))) is is_offered
    assert (client.post(page(job, "cancel_sync"), CONFIRMED).status_code == 302) is is_offered
    job.refresh_from_db()
    assert (job.status == "failed") is is_offered
    if not is_offered:
        jobs.cancel(job.pk, by=ANN)
    assert (page(job, "sync_again") in text_of(client, page(job))) is is_offered
    assert (client.post(page(job, "sync_again"), CONFIRMED).status_code == 302) is is_offered
    assert SyncJob.objects.count() == 1 + is_offered


def test_a_job_without_a_federation_is_cancelled_by_those_who_may_sync_one(staff: Callable[..., Client]) -> None:
    job = SyncJob.objects.create(
        lock_key="unfederated:us-east-1", job_type="full_sync", trigger="api", lease_expires_at=jobs.lease_end()
    )
    assert page(job, "cancel_sync") not in text_of(staff("view_syncjob"), page(job))
    client = staff("view_syncjob", "system_ops", username="ops")
    assert page(job, "cancel_sync") in text_of(client, page(job))


def test_errors_and_changes_lead_to_their_runtimes_where_the_user_may_view_them(
    admin: Client, staff: Callable[..., Client], cloud: MemoryCloud
) -> None:
    job = sync(federation(), cloud, server("ledger"), failed_agent("kyc"))
    text = text_of(admin, page(job))
    assert page(McpServer.objects.get()) in text
    for row in RuntimeObservation.objects.all():
        assert page(row) in text
    assert f"{page(job)}?action=error#change-list" in text
    text = text_of(staff("view_syncjob"), page(job))
    assert "/runtimeobservation/" not in text
    assert "kyc" in text


def test_the_whole_cause_is_on_the_page(admin: Client, cloud: MemoryCloud) -> None:
    job = sync(federation(), cloud, failed_agent("kyc"))
    cause = "denied " * 100 + "by the last word"
    PlannedChange.objects.filter(action="error").update(reason=cause)
    assert cause in text_of(admin, page(job))


def test_rows_and_links_are_named_by_time_and_outcome(admin: Client, cloud: MemoryCloud) -> None:
    found = federation()
    first = sync(found, cloud, server("ledger"), failed_agent("kyc"), failed_agent("aml"))
    last = sync(found, cloud, server("ledger"), agent("triage"))
    time = timezone.localtime(last.started_at)
    assert job_name(last) == f"Full sync, {time.day} {time:%b %H:%M}, success"
    assert job_name(first).endswith("2 errors")
    text = text_of(admin, LIST)
    assert job_name(first) in text
    assert job_name(last) in text
    assert f'A later sync of this federation: <a class="text-link" href="{page(last)}">{job_name(last)}' in text_of(
        admin, page(first)
    )
    assert [row.pk for row in admin.get(f"{LIST}?federation={found.pk}").context["cl"].result_list] == [
        last.pk,
        first.pk,
    ]


def test_a_job_of_5000_changes_is_a_small_page(admin: Client, cloud: MemoryCloud) -> None:
    job = sync(federation(), cloud, server("ledger"), failed_agent("kyc"))
    cause = "denied " * 60
    rows = [
        PlannedChange(
            job=job, position=10 + number, action=action, kind="mcp_server", name=f"server-{number}", reason=cause,
            runtime_id=f"server_{number}-0001", resource_id=f"{number:024x}",
        )
        for number in range(5000) for action in (("error", "create")[number % 2],)
    ]  # fmt: skip
    PlannedChange.objects.bulk_create(rows, batch_size=500)
    messages = [f"MCP server server-{number}: {cause}" for number in range(2500)]
    SyncJob.objects.filter(pk=job.pk).update(
        summary={**(job.summary or {}), "errors": 2500, "errorMessages": messages},
        changes=[
            {"action": "skip", "kind": "mcp_server", "name": f"skipped-{number}", "runtimeId": "", "reason": "taken"}
            for number in range(500)
        ],
    )
    with counted_queries() as queries:
        text = text_of(admin, page(job))
    assert len(queries) <= 15
    assert len(gzip.compress(text.encode())) < 100_000
    assert "of 5,00" in text or "of 500" in text


def test_a_job_in_the_queue_that_a_worker_runs_ends_on_the_page_that_follows_it(
    admin: Client, cloud: MemoryCloud
) -> None:
    cloud.findings = (server("ledger"),)
    job = queue(federation())
    run_sync(job.pk)
    status, text = live(admin, job, "queued")
    assert (status, "after the request: success." in text) == (286, True)


def test_the_page_of_a_plan_follows_the_job_that_applies_it(admin: Client, cloud: MemoryCloud) -> None:
    cloud.findings = (server("ledger"),)
    found = federation()
    admin.post(page(found, "dry_run"))
    plan = StoredPlan.objects.get()
    assert page(plan, "live") not in text_of(admin, page(plan))
    admin.post(page(plan, "apply"), {"digest": plan.digest})
    assert page(plan, "live") in text_of(admin, page(plan))
    assert admin.get(page(plan, "live")).status_code == 204
    run_sync(SyncJob.objects.get().pk)
    answer = admin.get(page(plan, "live"))
    assert answer.status_code == 286
    assert "This plan is applied." in answer.content.decode()
    assert "Make a new plan" in answer.content.decode()
