"""The pages of plans: what they show, who may decide, and how large they are."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from core.errors import ConflictError
from core.store.compressed_json import pack
from federations.models import AccessLevel, Federation, McpServer, PlannedChange, StoredPlan, SyncJob
from federations.providers.base import ProviderError
from federations.services.access import grant
from federations.services.federations import set_enabled
from federations.services.run import run_sync
from federations.sync.resources import EnrichedMcpServer, JsonObject
from tests.app.federations.admin.cloud import STAFF, MemoryCloud, agent, failed_agent, federation, server, sync, tool
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = [f"server-{number}" for number in range(12)]
LIST = reverse("admin:federations_storedplan_changelist")
INDEX = reverse("admin:index")


def page(row: object, name: str = "change") -> str:
    return reverse(f"admin:federations_{type(row).__name__.lower()}_{name}", args=[row.pk])  # type: ignore[attr-defined]


def text_of(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, path
    return response.content.decode()


def with_tools(found: EnrichedMcpServer, *tools: JsonObject) -> EnrichedMcpServer:
    return replace(found, catalog=replace(found.catalog, tools=tools))


def dry_run(client: Client, found: Federation) -> StoredPlan:
    client.post(page(found, "dry_run"))
    return StoredPlan.objects.latest("created_at")


def planned(client: Client, cloud: MemoryCloud) -> StoredPlan:
    """Return a plan with an error and one change of each action."""
    found = federation()
    sync(found, cloud, server("ledger"), server("refunds"), agent("triage"))
    cloud.findings = (server("ledger", "2", tools=("list_entries",)), server("limits"), agent("triage"))
    cloud.findings += (failed_agent("kyc"),)
    return dry_run(client, found)


def held(cloud: MemoryCloud) -> StoredPlan:
    found = federation()
    sync(found, cloud, *[server(name) for name in NAMES])
    with suppress(ConflictError):
        sync(found, cloud, server(NAMES[0]))
    return StoredPlan.objects.latest("created_at")


def decide(client: Client, plan: StoredPlan, action: str = "apply", reason: str = "") -> str:
    """Press a button on the plan's page; return the text of the page that follows."""
    posted = {"digest": plan.digest, "reason": reason}
    return client.post(page(plan, action), posted, follow=True).content.decode()


def rows(client: Client, plan: object, query: str = "") -> list[tuple[str, str]]:
    return [(row.action, row.name) for row in client.get(f"{page(plan)}?{query}").context["changes"]]


# The page ------------------------------------------------------------------------------------------------------------
def test_a_dry_run_makes_a_plan_and_leads_to_its_page(admin: Client, cloud: MemoryCloud) -> None:
    found = federation()
    cloud.findings = (server("ledger"),)
    assert cloud.requests == []
    assert admin.get(page(found, "dry_run")).status_code == 200
    assert cloud.requests == []

    by_dialog = admin.post(page(found, "dry_run"), headers={"HX-Request": "true"})
    first = StoredPlan.objects.get()
    assert page(first) in by_dialog.headers["HX-Trigger"]
    assert admin.post(page(found, "dry_run")).headers["Location"] == page(StoredPlan.objects.latest("created_at"))
    assert first.created_by_name == "operator"
    assert (McpServer.objects.count(), SyncJob.objects.count()) == (0, 0)


def test_a_plan_lists_deletions_first_and_never_what_is_unchanged(admin: Client, cloud: MemoryCloud) -> None:
    plan = planned(admin, cloud)
    expected = [("delete", "refunds"), ("error", "kyc"), ("update", "ledger"), ("create", "limits")]
    assert rows(admin, plan) == expected
    text = text_of(admin, page(plan))
    for shown in ("no longer discovered", "enrichment failed: 403 Forbidden", "runtimeVersion: 1 -&gt; 2", "breaking"):
        assert shown in text
    assert page(McpServer.objects.get(server_name="ledger")) in text


def test_a_plan_without_changes_says_so(admin: Client, cloud: MemoryCloud) -> None:
    found = federation()
    sync(found, cloud, server("ledger"))
    assert "The registry matches the account" in text_of(admin, page(dry_run(admin, found)))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("action=delete", ["refunds"]),
        ("action=delete&action=create", ["refunds", "limits"]),
        ("class=breaking", ["refunds", "ledger"]),
        ("class=compatible&kind=mcp_server", ["limits"]),
        ("kind=a2a_agent", ["kyc"]),
        ("query=FORBIDDEN", ["kyc"]),
        ("query=ledg", ["ledger"]),
        ("query=%25", []),
        ("action=unchanged", ["refunds", "kyc", "ledger", "limits"]),
        ("page=nonsense&class=nonsense", ["refunds", "kyc", "ledger", "limits"]),
        ("page=9", []),
    ],
)
def test_the_filters_are_in_the_address(admin: Client, cloud: MemoryCloud, query: str, names: list[str]) -> None:
    assert [name for _, name in rows(admin, planned(admin, cloud), query)] == names


def test_a_changed_filter_gets_the_list_alone(admin: Client, cloud: MemoryCloud) -> None:
    plan = planned(admin, cloud)
    for row in (plan, SyncJob.objects.latest("created_at")):
        headers = {"HX-Request": "true", "HX-Target": "change-list"}
        text = admin.get(f"{page(row)}?query=ledg", headers=headers).content.decode()
        assert text.startswith('<div id="change-list">')
        assert "ledger" in text and "refunds" not in text


def test_a_fold_shows_fields_items_rules_and_schemas_side_by_side(admin: Client, cloud: MemoryCloud) -> None:
    found = federation()
    sync(found, cloud, with_tools(server("ledger"), tool("list_entries"), tool("post_entry")))
    changed = tool("list_entries")
    changed["inputSchema"]["properties"]["limit"]["type"] = "string"  # type: ignore[index,call-overload]
    cloud.findings = (with_tools(server("ledger", "2"), changed, tool("close")),)
    plan = dry_run(admin, found)
    change = plan.changes.get(action="update")

    text = text_of(admin, reverse("admin:federations_storedplan_body", args=[plan.pk, change.pk]))

    assert (
        "<del>      &quot;type&quot;: &quot;integer&quot;</del><ins>      &quot;type&quot;: &quot;string&quot;</ins>"
        in text
    )
    order = [
        text.index(shown) for shown in ("Tool removed", "post_entry", "Tool changed", "list_entries", "Tool added")
    ]
    assert order == sorted(order)
    assert "equal lines" in text and "item removed" in text
    opened = text_of(admin, f"{page(plan)}?open={change.pk}")
    assert "Tool removed" in opened
    assert admin.get(reverse("admin:federations_storedplan_body", args=[plan.pk, "0" * 24])).status_code == 404


def test_hostile_content_is_escaped_and_its_hidden_characters_are_shown(admin: Client, cloud: MemoryCloud) -> None:
    evil = "<script>alert(1)</script>\u202eevil\u200b\U000e0041\x07"
    found = federation()
    sync(found, cloud, server("ledger"))
    hostile: JsonObject = {
        "name": evil,
        "description": evil + "x" * 100,
        "inputSchema": {evil: [evil] * 40, "n": {"a": None}},
    }
    failure = replace(failed_agent("kyc"), error=evil)
    cloud.findings = (with_tools(server("ledger", "2"), hostile), failure)
    plan = dry_run(admin, found)

    change = plan.changes.get(action="update")
    texts = [text_of(admin, page(plan)), text_of(admin, f"{page(plan)}?open={change.pk}")]
    texts += [text_of(admin, reverse("admin:federations_storedplan_body", args=[plan.pk, change.pk]))]

    for text in texts:
        assert "<script>alert(1)" not in text
        assert not set("\u202e\u200b\U000e0041\x07") & set(text)
    for code in ("\\u202e", "\\u200b", "\\U000e0041"):
        assert f'<mark class="fedhub-unseen">{code}</mark>' in texts[0]
        assert f'<mark class="fedhub-unseen">{code}</mark>' in texts[2]


def test_a_plan_shows_its_warnings(admin: Client, cloud: MemoryCloud) -> None:
    plan = planned(admin, cloud)
    warning = {"kind": "tool", "name": "odd\u202e", "runtimeId": "r", "message": "<b>left out"}
    StoredPlan.objects.filter(pk=plan.pk).update(warnings=[warning], warning_count=1)
    text = text_of(admin, page(plan))
    assert "1 warning." in text and "&lt;b&gt;left out" in text and "\u202e" not in text


def test_five_thousand_changes_answer_small_and_with_constant_queries(admin: Client, cloud: MemoryCloud) -> None:
    plan = planned(admin, cloud)
    with counted_queries() as few:
        text_of(admin, page(plan))
    detail = pack({"fields": [], "rules": [], "items": []})
    PlannedChange.objects.bulk_create(
        PlannedChange(
            plan=plan, position=number, action="update", kind="mcp_server", name=f"many-{number:05}",
            runtime_id=f"runtime-{number:05}", reason="runtimeVersion: 1 -> 2", change_class="risky", detail=detail,
            resource_id=f"{number:024x}",
        )
        for number in range(10, 5_006)
    )  # fmt: skip
    begun = time.perf_counter()
    with counted_queries() as many:
        response = admin.get(f"{page(plan)}?class=risky")
    assert time.perf_counter() - begun < 3
    assert (response.context["matching"], len(response.context["changes"])) == (4_996, 50)
    assert len(response.content) < 200_000
    assert len(many) <= len(few) + 1 <= 12
    assert rows(admin, plan, "page=2&class=risky")[0] == ("update", "many-00060")


# Decisions -----------------------------------------------------------------------------------------------------------
def test_an_apply_queues_a_job_that_makes_exactly_the_changes(admin: Client, cloud: MemoryCloud) -> None:
    plan = planned(admin, cloud)
    assert "The apply is queued" in decide(admin, plan, reason="looked at")
    job = SyncJob.objects.get(plan_id=plan.pk)
    assert (job.status, job.trigger, job.reason, job.requested_by_name) == (
        "pending",
        "manual",
        "looked at",
        "operator",
    )
    text = text_of(admin, page(plan))
    assert "A job applies this plan now." in text and "Apply exactly this plan" not in text

    run_sync(job.id)
    text = text_of(admin, page(plan))
    assert "This plan is applied." in text and page(job) in text and "looked at" in text
    assert "Make a new plan" in text
    assert rows(admin, job) == rows(admin, plan)
    assert page(plan) in text_of(admin, page(job))
    assert "Plan in status &#x27;applied&#x27; cannot be applied" in decide(admin, plan)


def test_a_plan_that_no_longer_fits_is_stale_and_says_why(admin: Client, cloud: MemoryCloud) -> None:
    plan = planned(admin, cloud)
    cloud.findings = (*cloud.findings, server("extra"))
    text = decide(admin, plan)
    assert "The plan is stale: runtime extra" in text and "This plan is stale:" in text
    assert "Make a new plan" in text and "Apply exactly this plan" not in text
    assert SyncJob.objects.filter(plan_id=plan.pk).count() == 0


def test_another_digest_is_refused(admin: Client, cloud: MemoryCloud) -> None:
    plan = planned(admin, cloud)
    posted = {"digest": "0" * 64}
    assert "digest is not the digest" in admin.post(page(plan, "apply"), posted, follow=True).content.decode()


def test_a_dismissed_and_an_expired_plan_offer_a_new_one(admin: Client, cloud: MemoryCloud) -> None:
    plan = planned(admin, cloud)
    text = decide(admin, plan, "dismiss", reason="not <now>")
    assert "This plan is dismissed." in text and "operator dismissed it" in text and "not &lt;now&gt;" in text
    expired = dry_run(admin, plan.federation)
    StoredPlan.objects.filter(pk=expired.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    for each in (plan, expired):
        text = text_of(admin, page(each))
        assert "Make a new plan" in text and "Dismiss" not in text
    assert "This plan is expired." in text


def test_a_get_request_decides_nothing(admin: Client, cloud: MemoryCloud) -> None:
    plan = planned(admin, cloud)
    assert {admin.get(page(plan, action)).status_code for action in ("apply", "dismiss")} == {405}
    assert StoredPlan.objects.get(pk=plan.pk).status == "open"


def test_a_held_plan_is_released_by_an_owner_with_a_reason(staff: Callable[..., Client], cloud: MemoryCloud) -> None:
    plan = held(cloud)
    owner, editor = staff(username="olga"), staff(username="edith")
    grant(plan.federation, level=AccessLevel.OWNER, user=User.objects.get(username="olga"))
    grant(plan.federation, level=AccessLevel.EDIT, user=User.objects.get(username="edith"))

    text = text_of(editor, page(plan))
    assert "The deletion guard holds this plan" in text and "It deletes 11 resources" in text
    assert "Apply exactly this plan" not in text and "An owner of the federation can apply a held plan" in text
    assert "olga" in text and ">Dismiss<" in text
    assert editor.post(page(plan, "apply"), {"digest": plan.digest, "reason": "mine"}).status_code == 403

    assert "required" in text_of(owner, page(plan))
    assert "reason is required" in decide(owner, plan)
    assert "The apply is queued" in decide(owner, plan, reason="retired")
    run_sync(SyncJob.objects.get(status="pending").id)
    assert McpServer.objects.count() == 1


def test_a_second_person_is_named_where_one_is_required(
    staff: Callable[..., Client], cloud: MemoryCloud, settings: Settings
) -> None:
    settings.FEDHUB_PLAN_SECOND_PERSON = True
    plan = held(cloud)
    author, other = staff("delete_federation", username="ann"), staff("delete_federation", username="bob")
    grant(plan.federation, level=AccessLevel.OWNER, user=User.objects.get(username="ann"))
    grant(plan.federation, level=AccessLevel.OWNER, user=User.objects.get(username="bob"))
    StoredPlan.objects.update(created_by_id=str(User.objects.get(username="ann").pk))

    text = text_of(author, page(plan))
    assert "another owner must apply it" in text and "bob" in text and "Apply exactly this plan" not in text
    assert "another person than its author" in decide(author, plan, reason="mine")
    assert "Apply exactly this plan" in text_of(other, page(plan))
    assert "The apply is queued" in decide(other, plan, reason="looked at")


def test_readers_see_a_plan_and_strangers_do_not(staff: Callable[..., Client], cloud: MemoryCloud) -> None:
    plan = held(cloud)
    change = plan.changes.exclude(detail=b"").first()
    assert change is not None
    body = reverse("admin:federations_storedplan_body", args=[plan.pk, change.pk])
    reader, stranger = staff("view_federation", username="rita"), staff(username="stan")

    text = text_of(reader, page(plan))
    assert "A user who may change this federation can apply or dismiss" in text
    assert "Apply exactly" not in text and "Dismiss</button>" not in text
    assert reader.get(body).status_code == 200
    for action in ("apply", "dismiss"):
        assert reader.post(page(plan, action), {"digest": plan.digest, "reason": "x"}).status_code == 403
        assert stranger.post(page(plan, action), {"digest": plan.digest, "reason": "x"}).status_code in (403, 404)
    assert stranger.get(LIST).status_code == 403
    assert stranger.get(page(plan)).status_code != 200
    assert stranger.get(body).status_code == 404
    assert Client().get(body).status_code == 302


@pytest.mark.parametrize("why", ["disabled", "busy"])
def test_no_button_is_shown_that_would_be_refused(admin: Client, cloud: MemoryCloud, why: str) -> None:
    plan = planned(admin, cloud)
    if why == "disabled":
        set_enabled(plan.federation, False, by=STAFF)
    else:
        admin.post(page(plan.federation, "sync_now"), {"_form_submitted": "True"})
    text = text_of(admin, page(plan))
    assert "Apply exactly this plan" not in text
    assert ("is disabled" if why == "disabled" else "is under way") in text


# Where plans are found -----------------------------------------------------------------------------------------------
def test_the_list_of_plans_is_filtered_by_state(admin: Client, cloud: MemoryCloud) -> None:
    guarded = held(cloud)
    usual = dry_run(admin, federation("Usual"))
    StoredPlan.objects.filter(pk=usual.pk).update(expires_at=timezone.now())

    def listed(query: str) -> set[str]:
        return {row.pk for row in admin.get(f"{LIST}?{query}").context["cl"].result_list}

    assert listed("") == {guarded.pk, usual.pk}
    assert listed("held=yes") == listed("status=open") == {guarded.pk}
    assert listed("held=no") == listed("status=expired") == {usual.pk}
    assert listed(f"federation__id__exact={usual.federation_id}") == {usual.pk}
    text = text_of(admin, LIST)
    assert "11 deleted" in text and "11 breaking" in text and "Held" in text and "Expired" in text


def test_a_held_plan_is_the_first_card_of_the_dashboard(admin: Client, cloud: MemoryCloud) -> None:
    assert "held plan" not in text_of(admin, INDEX)
    plan = held(cloud)
    StoredPlan.objects.update(created_at=timezone.now() - timedelta(hours=3))
    first = admin.get(INDEX).context["attention"][0]
    assert (first.number, first.title, first.age.replace("\xa0", " ")) == (1, "held plan", "for 3 hours")
    (card,) = admin.get(INDEX).context["status_cards"]
    assert "Held" in card["label"] and card["number"] == "1"
    assert [row.pk for row in admin.get(card["href"]).context["cl"].result_list] == [plan.federation_id]
    failed = reverse("admin:federations_federation_changelist") + "?sync_status__exact=failed&held=no"
    assert not admin.get(failed).context["cl"].result_list
    assert [row.pk for row in admin.get(first.href).context["cl"].result_list] == [plan.pk]


def test_a_federation_links_its_open_plans(admin: Client, cloud: MemoryCloud) -> None:
    plan = held(cloud)
    text = text_of(admin, page(plan.federation))
    assert "It would have deleted 11." in text and page(plan) in text
    jobs_tab = reverse("admin:federations_federation_jobs", args=[plan.federation_id])
    assert page(plan) in text_of(admin, jobs_tab)
    decide(admin, plan, "dismiss")
    text = text_of(admin, page(plan.federation))
    assert "Its plan is no longer open" in text and page(plan) not in text
    assert "No plan is open." in text_of(admin, jobs_tab)


def test_a_held_job_says_what_it_would_have_done(admin: Client, cloud: MemoryCloud) -> None:
    plan = held(cloud)
    job = SyncJob.objects.get(held=True)
    text = text_of(admin, page(job))
    assert "It would have deleted 11." in text and "Look at the plan" in text and page(plan) in text
    assert "release" not in text and "force" not in text.replace("enforce", "")
    jobs = reverse("admin:federations_syncjob_changelist")
    assert "would have deleted 11" in text_of(admin, jobs)

    def states(query: str) -> set[bool]:
        return {row.held for row in admin.get(f"{jobs}?{query}").context["cl"].result_list}

    assert (states("state=held"), states("state=failed"), states("state=success")) == ({True}, set(), {False})


def test_an_old_job_lists_the_changes_that_it_stored_itself(admin: Client, cloud: MemoryCloud) -> None:
    planned(admin, cloud)
    job = SyncJob.objects.get()
    PlannedChange.objects.filter(job=job).delete()
    assert rows(admin, job) == [("create", "triage"), ("create", "ledger"), ("create", "refunds")]
    assert rows(admin, job, "kind=a2a_agent") == [("create", "triage")]
    assert rows(admin, job, "query=REF") == [("create", "refunds")]


def test_a_refused_apply_says_that_nothing_was_changed_and_keeps_the_reason(admin: Client, cloud: MemoryCloud) -> None:
    plan = planned(admin, cloud)
    cloud.error = ProviderError("Failed to list AgentCore runtimes in us-east-1: no credentials")

    text = decide(admin, plan, reason="looked at <twice>")

    assert "Not applied, and nothing was changed: Failed to list AgentCore runtimes" in text
    assert 'value="looked at &lt;twice&gt;"' in text
    assert not SyncJob.objects.filter(plan_id=plan.pk).exists()
