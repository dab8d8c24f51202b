from __future__ import annotations

from collections.abc import Callable

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from federations.models import A2aAgent, AccessLevel, Federation, McpServer, SyncJob
from federations.providers.base import ProviderError
from federations.schedules.rule import Schedule
from federations.services.access import grant
from federations.services.federations import set_enabled
from federations.services.schedule import set_schedule
from tests.app.federations.admin.cloud import STAFF, MemoryCloud, agent, federation, server, sync

# The heartbeat of a sync writes through a separate database connection.
pytestmark = pytest.mark.django_db(transaction=True)

CONFIRMED = {"_form_submitted": "True"}
LIST = reverse("admin:federations_federation_changelist")


def url(found: Federation, action: str) -> str:
    return reverse(f"admin:federations_federation_{action}", args=[found.pk])


def test_sync_now_queues_a_job_and_goes_to_its_page(admin: Client) -> None:
    found = federation()

    response = admin.post(url(found, "sync_now"), CONFIRMED | {"reason": "New runtimes"}, follow=True)

    job = SyncJob.objects.get()
    assert (job.status, job.trigger, job.reason, job.requested_by_name) == (
        "pending",
        "manual",
        "New runtimes",
        "operator",
    )
    assert response.redirect_chain == [(reverse("admin:federations_syncjob_change", args=[job.pk]), 302)]
    assert "The sync is queued" in response.content.decode()


def test_a_get_request_starts_no_sync(admin: Client) -> None:
    response = admin.get(url(federation(), "sync_now"))

    assert response.status_code == 200
    assert SyncJob.objects.count() == 0


def test_a_dialog_gets_the_url_of_the_next_page(admin: Client) -> None:
    found = federation()

    response = admin.post(url(found, "sync_now"), CONFIRMED, headers={"HX-Request": "true"})

    job = SyncJob.objects.get()
    assert response.headers["HX-Redirect"] == reverse("admin:federations_syncjob_change", args=[job.pk])
    refused = admin.post(url(found, "sync_now"), CONFIRMED, headers={"HX-Request": "true"})
    assert refused.headers["HX-Redirect"] == url(found, "change")


def test_a_second_sync_is_refused_with_a_message(admin: Client) -> None:
    found = federation()
    admin.post(url(found, "sync_now"), CONFIRMED)

    response = admin.post(url(found, "sync_now"), CONFIRMED, follow=True)

    assert "cannot start a new sync" in response.content.decode()
    assert SyncJob.objects.count() == 1


def test_a_dry_run_of_an_unreachable_account_shows_the_providers_text(admin: Client, cloud: MemoryCloud) -> None:
    cloud.error = ProviderError("Failed to list AgentCore runtimes in us-east-1: <AccessDenied>")

    response = admin.post(url(federation(), "dry_run"))

    assert response.status_code == 200
    assert "Failed to list AgentCore runtimes in us-east-1: &lt;AccessDenied&gt;" in response.content.decode()


def test_disable_and_enable_switch_the_state_and_are_audited(admin: Client) -> None:
    found = federation()

    admin.post(url(found, "disable"), CONFIRMED)
    found.refresh_from_db()
    assert found.status == "disabled"

    admin.post(url(found, "enable"), CONFIRMED)
    found.refresh_from_db()
    assert found.status == "active"
    assert LogEntry.objects.filter(action=LogEntry.Action.UPDATE, changes__has_key="status").count() == 2


def test_a_schedule_is_paused_and_resumed_on_the_page_and_for_ticked_rows(admin: Client) -> None:
    found, bare = federation("Payments"), federation("Bare")
    assert url(found, "pause_schedule") not in admin.get(url(found, "change")).content.decode()
    set_schedule(found, Schedule(3600))

    assert url(found, "pause_schedule") in admin.get(url(found, "change")).content.decode()
    admin.post(url(found, "pause_schedule"), CONFIRMED)
    found.refresh_from_db()
    assert (found.is_sync_paused, found.next_sync_at) == (True, None)

    page = admin.get(url(found, "change")).content.decode()
    assert url(found, "resume_schedule") in page and url(found, "pause_schedule") not in page
    ticked = {"action": "resume_selected", "_selected_action": [found.pk, bare.pk]}
    answer = admin.post(LIST, ticked, follow=True).content.decode()
    found.refresh_from_db()
    assert (found.is_sync_paused, found.next_sync_at is None) == (False, False)
    assert "Bare: The federation has no schedule that can be resumed" in answer
    assert LogEntry.objects.filter(action=LogEntry.Action.UPDATE, changes__has_key="is_sync_paused").count() == 2


@pytest.mark.parametrize(("is_enabled", "shown", "hidden"), [(True, "disable", "enable"), (False, "enable", "disable")])
def test_only_the_switch_that_the_state_allows_is_shown(
    admin: Client, is_enabled: bool, shown: str, hidden: str
) -> None:
    found = federation()
    if not is_enabled:
        set_enabled(found, False, by=STAFF)

    page = admin.get(url(found, "change")).content.decode()

    assert f'href="{url(found, shown)}"' in page
    assert f'href="{url(found, hidden)}"' not in page


def test_delete_lists_the_rows_that_it_removes_and_keeps(admin: Client, cloud: MemoryCloud) -> None:
    found = federation()
    sync(found, cloud, server("ledger"), server("refunds"), agent("triage"))

    response = admin.get(url(found, "delete"))

    removed = {"MCP servers": 2, "tools of those servers": 4, "A2A agents": 1, "schedules": 0, "grants": 1}
    assert dict(response.context["removed"]) == removed
    assert response.context["kept_jobs"] == 2
    assert Federation.objects.count() == 1


def test_delete_removes_the_federation_and_keeps_its_jobs(admin: Client, cloud: MemoryCloud) -> None:
    found, other = federation(), federation("Other")
    sync(found, cloud, server("ledger"), agent("triage"))
    sync(other, cloud, server("other-ledger"))

    response = admin.post(url(found, "delete"), follow=True)

    assert "is deleted" in response.content.decode()
    assert list(Federation.objects.all()) == [other]
    assert list(McpServer.objects.values_list("server_name", flat=True)) == ["other-ledger"]
    assert A2aAgent.objects.count() == 0
    jobs = SyncJob.objects.filter(federation_id=found.pk)
    assert set(jobs.values_list("job_type", flat=True)) == {"full_sync", "delete_sync"}
    page = admin.get(reverse("admin:federations_syncjob_change", args=[jobs[0].pk])).content.decode()
    assert "2 deleted" in page
    assert "nothing found" not in page
    assert "Payments: delete" in page


def test_the_page_of_a_deletion_says_that_the_federation_is_deleted(admin: Client) -> None:
    admin.post(url(federation(), "delete"))

    page = admin.get(reverse("admin:federations_syncjob_change", args=[SyncJob.objects.get().pk]))

    assert "Payments (deleted)" in page.content.decode()
    assert "nothing was stored" in page.content.decode()


def test_delete_of_a_disabled_federation_is_refused(admin: Client) -> None:
    found = federation()
    set_enabled(found, False, by=STAFF)

    response = admin.post(url(found, "delete"), follow=True)

    assert "Federation in status &#x27;disabled&#x27; cannot be deleted" in response.content.decode()
    assert Federation.objects.count() == 1


def test_djangos_bulk_delete_is_not_available(admin: Client) -> None:
    found = federation()

    admin.post(LIST, {"action": "delete_selected", "_selected_action": [found.pk], "post": "yes"})

    assert Federation.objects.count() == 1


@pytest.mark.parametrize(("action", "status"), [("disable_selected", "disabled"), ("enable_selected", "active")])
def test_selected_federations_are_switched_and_refusals_are_named(admin: Client, action: str, status: str) -> None:
    accepted, other = federation("Accepted"), federation("Other")
    set_enabled(accepted if status == "active" else other, False, by=STAFF)

    response = admin.post(LIST, {"action": action, "_selected_action": [accepted.pk, other.pk]}, follow=True)

    assert set(Federation.objects.values_list("status", flat=True)) == {status}
    assert "Other: Only a federation in status" in response.content.decode()
    assert "1 federation: " in response.content.decode()


def test_selected_federations_are_synced(admin: Client) -> None:
    found = [federation("One"), federation("Two")]

    admin.post(LIST, {"action": "sync_selected", "_selected_action": [each.pk for each in found]})

    assert SyncJob.objects.filter(status="pending").count() == 2


@pytest.mark.parametrize("action", ["sync_now", "dry_run", "enable", "disable", "delete"])
def test_a_reader_can_start_no_action(staff: Callable[..., Client], cloud: MemoryCloud, action: str) -> None:
    found = federation()
    reader = staff("view_federation")

    assert reader.post(url(found, action), CONFIRMED | {"reason": "x"}).status_code == 403
    assert url(found, action) not in reader.get(url(found, "change")).content.decode()
    found.refresh_from_db()
    assert (found.status, SyncJob.objects.count(), cloud.requests) == ("active", 0, [])


@pytest.mark.parametrize(("action", "status"), [("change", 403), ("sync_now", 403), ("dry_run", 403), ("delete", 404)])
def test_a_user_without_a_grant_cannot_find_the_federation(
    staff: Callable[..., Client], action: str, status: int
) -> None:
    found = federation()

    response = staff().post(url(found, action), CONFIRMED)

    assert response.status_code == status
    assert "Payments" not in response.content.decode()
    assert (Federation.objects.count(), SyncJob.objects.count()) == (1, 0)


def test_an_editor_by_grant_may_sync_but_not_delete(staff: Callable[..., Client]) -> None:
    found, other = federation(), federation("Other")
    editor = staff()
    grant(found, level=AccessLevel.EDIT, user=User.objects.get(username="ines"))

    assert editor.post(url(found, "sync_now"), CONFIRMED).status_code == 302
    assert editor.post(url(found, "delete")).status_code == 403
    page = editor.get(LIST).content.decode()
    assert "Payments" in page
    assert "Other" not in page
    assert editor.post(url(other, "sync_now"), CONFIRMED).status_code == 403
    assert SyncJob.objects.count() == 1


@pytest.mark.parametrize("federation_id", ["0" * 24, "nonsense", "'; --"])
@pytest.mark.parametrize("action", ["sync_now", "dry_run", "delete"])
def test_an_unknown_federation_is_not_found(admin: Client, federation_id: str, action: str) -> None:
    target = reverse(f"admin:federations_federation_{action}", args=[federation_id])

    assert admin.post(target, CONFIRMED).status_code == 404
