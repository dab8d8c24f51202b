from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from federations.models import Federation, McpServer, SyncJob
from federations.services.run import run_sync
from federations.services.start import start_sync
from tests.app.federations.admin.cloud import ROLE, STAFF, MemoryCloud, agent, failed_agent, federation, server, sync

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_federation_is_created_dry_run_and_synced(page: Page, cloud: MemoryCloud) -> None:
    cloud.findings = (server("ledger"), server("refunds"), agent("fraud-triage"))

    page.get_by_role("link", name="Add a federation").click()
    page.locator("[name=display_name]").fill("Payments")
    page.locator("[name=region]").fill("us-east-1")
    page.locator("[name=role_arn]").fill(ROLE)
    page.locator("[name=tag_filter]").fill("env:production, team")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("This part has no value: team").last).to_be_visible()
    expect(page.locator("[name=tag_filter]")).to_have_value("env:production, team")

    page.locator("[name=tag_filter]").fill("env:production, team:platform")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("No job has run yet.")).to_be_visible()
    found = Federation.objects.get()
    assert found.provider_config["resourceTagsFilter"] == {"env": "production", "team": "platform"}
    expect(page.locator("code", has_text=found.external_id)).to_be_visible()

    page.get_by_role("link", name="Dry run").click()
    expect(page.get_by_text("Nothing was changed yet.")).to_be_visible()
    expect(page.get_by_text("fraud-triage")).to_be_visible()
    assert McpServer.objects.count() == 0

    page.get_by_role("button", name="Apply exactly this plan").click()
    expect(page.get_by_text("The job waits for a worker.")).to_be_visible()

    run_sync(SyncJob.objects.get(status="pending").id)
    # The page follows the job by itself, without a click.
    expect(page.get_by_text("3 created")).to_be_visible()
    page.get_by_role("link", name="MCP servers").click()
    page.get_by_role("link", name="refunds").click()
    expect(page.get_by_text("List entries of one account.")).to_be_visible()


def test_tags_and_pairs_are_added_and_removed_as_rows(page: Page) -> None:
    found = federation(tags=("production", "eu"))

    page.goto(f"/admin/federations/federation/{found.pk}/edit/")
    tags, pairs = page.locator(".field-tags"), page.locator(".field-tag_filter")
    tags.get_by_text("delete", exact=True).first.click()
    tags.get_by_text("Add new item").click()
    tags.get_by_label("Tag").last.fill("payments, cards")
    pairs.get_by_text("Add new item").click()
    pairs.get_by_label("Key").last.fill("aws:cloudformation:stack-name")
    pairs.get_by_label("Value").last.fill("hub")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Nothing is saved yet.")).to_be_visible()
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_text("Payments is saved.")).to_be_visible()
    found = Federation.objects.get()
    assert found.tags == ["eu", "payments", "cards"]
    expected = {"env": "production", "aws:cloudformation:stack-name": "hub"}
    assert found.provider_config["resourceTagsFilter"] == expected


def test_sync_now_opens_a_dialog_then_the_jobs_page(page: Page) -> None:
    found = federation()

    page.goto(f"/admin/federations/federation/{found.pk}/change/")
    page.get_by_role("link", name="Sync now").click()
    page.get_by_label("Reason").fill("New runtimes were deployed")
    page.get_by_role("button", name="Sync now").click()

    expect(page.get_by_text("The sync is queued")).to_be_visible()
    job = SyncJob.objects.get()
    assert job.reason == "New runtimes were deployed"
    expect(page).to_have_url(re.compile(f"/syncjob/{job.pk}/change/"))


def test_a_federations_page_follows_its_running_job(page: Page, cloud: MemoryCloud) -> None:
    found = federation()
    cloud.findings = (server("ledger"),)
    job = start_sync(found, by=STAFF)
    page.goto(f"/admin/federations/federation/{found.pk}/jobs/")
    run_sync(job.id)
    expect(page.get_by_text("1 created")).to_be_visible()


def test_delete_shows_its_effects_before_it_is_confirmed(page: Page, cloud: MemoryCloud) -> None:
    found = federation()
    sync(found, cloud, server("ledger"), agent("fraud-triage"), failed_agent("kyc-review"))

    page.goto(f"/admin/federations/federation/{found.pk}/change/")
    _open_deletion(page)
    expect(page.get_by_text("The deletion removes")).to_be_visible()
    page.get_by_role("link", name="Keep the federation").click()
    assert Federation.objects.count() == 1

    _open_deletion(page)
    page.get_by_role("button", name="Delete this federation").click()
    expect(page.get_by_text("Payments is deleted.")).to_be_visible()
    expect(page.get_by_text("There is nothing here yet")).to_be_visible()
    assert McpServer.objects.count() == 0


def _open_deletion(page: Page) -> None:
    page.get_by_role("button", name="More").click()
    page.get_by_role("link", name="Delete…").click()
