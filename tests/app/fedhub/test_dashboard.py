"""The dashboard: each number shows exactly the rows of its list, to exactly those who may see them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.notifications.models import Event
from core.store.days import day_start, hub_today
from core.store.unit_of_work import REGISTRY
from federations.models import AccessLevel, Federation, RuntimeObservation, StoredPlan, SyncJob
from federations.services import jobs
from federations.services.access import grant
from federations.services.daily_counts import record_daily_counts
from federations.services.jobs import take
from federations.services.start import start_sync
from peers.models import Dispatch, HandlerEvent, OutboundCallback, Peer, PeerKey, ReceivedDispatch
from peers.protocol import SigningKey
from peers.services.outbox.dead_letters import put_away
from peers.services.trust.notices import MESSAGE_REFUSED
from tests.app.federations.admin.cloud import STAFF, MemoryCloud, agent, failed_agent, federation, server, sync
from tests.app.federations.admin.conftest import admin, cloud, staff
from tests.stores.counting import counted_queries

__all__ = ["admin", "cloud", "staff"]

pytestmark = pytest.mark.django_db(transaction=True)

INDEX = reverse("admin:index")
LIVE = reverse("admin-dashboard-live")
DENIED = (
    "Failed to list AgentCore runtimes in {}: An error occurred (AccessDenied) when calling the AssumeRole operation: "
    "User: arn:aws:sts::1:x is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/x"
)
SYNC = {"job_type": "full_sync", "trigger": "schedule"}


def failing(name: str, error: str, *, since: timedelta = timedelta(hours=1), **fields: Any) -> Federation:
    found = federation(name)
    job = take(start_sync(found, by=STAFF).id)
    jobs.fail(job, error)
    Federation.objects.filter(pk=found.pk).update(failing_since=timezone.now() - since, **fields)
    return found


def job(day: date, hour: int = 12, *, seconds: float = 10, **fields: Any) -> SyncJob:
    begun = day_start(day) + timedelta(hours=hour)
    times = {"created_at": begun, "started_at": begun, "finished_at": begun + timedelta(seconds=seconds)}
    return SyncJob.objects.create(**{"lock_key": "x", "status": "success", **SYNC, **times, **fields})


def peer_rows() -> None:
    """Store rows of each kind that waits, and beside each a row that does not."""
    now, today = timezone.now(), hub_today()
    keys = iter(SigningKey(bytes([number]) * 32).verification_key.base64 for number in range(1, 40))

    def peer(number: int, state: str = "approved", **fields: Any) -> Peer:
        return Peer.objects.create(server_url=f"https://peer-{number}.example.org", state=state, **fields)

    for number in range(3):
        peer(number, "proposed")
    changed = peer(3, review_by=today - timedelta(days=9))
    for withdrawal in ("", "", "revoked"):
        PeerKey.objects.create(peer=changed, public_key=next(keys), state="proposed", withdrawal=withdrawal)
    for number, withdrawal in ((4, "revoked"), (5, "revoked"), (6, "expired"), (7, "")):
        found = peer(number, review_by=today + timedelta(days=number - 5))
        for _ in range(2):
            PeerKey.objects.create(
                peer=found, public_key=next(keys), state="pinned", withdrawal=withdrawal, withdrawn_at=now
            )
    PeerKey.objects.create(peer=peer(8, "suspended"), public_key=next(keys), state="proposed")
    received = ReceivedDispatch.objects.create(
        peer=changed, dispatch_id="r-1", body_digest="0", accepted=True, envelope={}, agent_id="clerk"
    )
    for number in range(4):
        dead_at = now - timedelta(days=number) if number else None
        dispatch = Dispatch.objects.create(
            id=f"d-{number}", intent_title="x", target_server="https://x", envelope="{}", dead_at=dead_at
        )
        OutboundCallback.objects.create(
            received=received, peer=changed, event_type="failed", sequence=number, idempotency_key=str(number),
            body="{}", dead_at=dead_at,
        )  # fmt: skip
        HandlerEvent.objects.create(
            handler="a.B", kind="federation_received", source_id=str(number), dispatch_id="r-1", dead_at=dead_at
        )
    put_away(dispatch, by=STAFF, reason="Old")
    for peer_id, hours in ((changed.pk, 1), (changed.pk, 23), (found.pk, 2), (received.peer.pk, 30)):
        at = now - timedelta(hours=hours)
        Event.objects.create(kind=MESSAGE_REFUSED, key=f"{peer_id} {hours}", peer_id=peer_id, at=at, text="refused")


def registry_rows(cloud: MemoryCloud) -> None:
    sync(federation("Good"), cloud, server("ledger"), agent("triage"))
    sync(federation("With errors"), cloud, server("refunds"), failed_agent("kyc-1"), failed_agent("kyc-2"))
    failing("Denied", DENIED.format("us-east-1"), since=timedelta(hours=18))
    failing("Denied too", DENIED.format("eu-west-1"), since=timedelta(hours=2))
    failing("Disabled", DENIED.format("eu-west-1"), status="disabled")
    held = federation("Held")
    job = take(start_sync(held, by=STAFF).id)
    jobs.fail(job, "The sync would delete 5 of 10 resources", held=True)
    now = timezone.now()
    ways: list[dict[str, Any]] = [{}, {"held_message": ""}, {"expires_at": now}, {"status": "dismissed"}]
    for number, values in enumerate(ways):
        plan: dict[str, Any] = {
            "held_message": "deletes",
            "held_by": ["deletions"],
            "expires_at": now + timedelta(hours=1),
        }
        StoredPlan.objects.create(federation=held, digest=str(number), **{**plan, **values})


def listed(client: Client, href: str) -> int:
    response = client.get(href)
    assert response.status_code == 200, href
    return int(response.context["cl"].result_count)


def numbers_of(client: Client) -> dict[str, tuple[int, str]]:
    return {card.title: (card.number, card.href) for card in client.get(INDEX).context["attention"]}


def cells_of(chart: Any) -> Iterator[tuple[str, str]]:
    for row in chart.rows:
        for cell in row["cells"]:
            if cell["href"]:
                yield cell["text"], cell["href"]


def drawn(chart: Any) -> dict[str, list[Any]]:
    return {each["label"]: each["data"] for each in json.loads(chart.data)["datasets"]}


def test_each_number_of_what_waits_is_the_number_of_rows_of_its_list(admin: Client, cloud: MemoryCloud) -> None:
    registry_rows(cloud)
    peer_rows()

    found = numbers_of(admin)

    assert {title: number for title, (number, _) in found.items()} == {
        "failing federations": 3,
        "held plan": 1,
        "approved peer without a trusted key": 1,
        "peer with a changed key": 1,
        "peers with a key revoked": 2,
        "peer with a key expired": 1,
        "proposed peers": 3,
        "reviews due": 3,
        "peers with refused messages in the last 24 h": 2,
        "dispatches given up": 2,
        "callbacks given up": 3,
        "handler events given up": 3,
    }
    for title, (number, href) in found.items():
        assert listed(admin, href) == number, title
        # The list shows the tab of what waits; what has no tab is a filter.
        tabs = [tab for tab in admin.get(href).context["cl"].shown_tabs if tab.is_current]
        assert "tab=" not in href or ([tab.count for tab in tabs] == [number] and tabs[0].title != "All"), title
    without = {"failing federations", "peers with a key revoked", "peer with a key expired"}
    assert {title for title, (_, href) in found.items() if "tab=" not in href} == without
    for card in admin.get(INDEX).context["status_cards"]:
        assert str(listed(admin, card["href"])) == card["number"]
    for tile in admin.get(INDEX).context["resource_cards"]:
        if tile["title"] != "Tools":
            assert listed(admin, tile["href"]) == tile["number"], tile


def test_each_card_says_how_long_the_oldest_waits(admin: Client, cloud: MemoryCloud) -> None:
    registry_rows(cloud)
    peer_rows()

    ages = {card.title: card.age.replace("\xa0", " ") for card in admin.get(INDEX).context["attention"]}

    assert ages["failing federations"] == "the oldest for 18 hours"
    assert ages["held plan"] == "just now"
    assert ages["reviews due"] == "the oldest for 1 week"
    # The oldest dispatch was put away.
    assert ages["peers with refused messages in the last 24 h"] == "the oldest for 23 hours"
    assert ages["dispatches given up"] == "the oldest for 2 days"
    assert ages["callbacks given up"] == "the oldest for 3 days"


def test_the_list_of_what_waits_begins_with_the_oldest_row(admin: Client, cloud: MemoryCloud) -> None:
    registry_rows(cloud)
    peer_rows()

    def first_of(title: str) -> Any:
        return admin.get(numbers_of(admin)[title][1]).context["cl"].result_list[0]

    assert first_of("failing federations").display_name == "Denied"
    assert first_of("dispatches given up").pk == "d-2"
    assert first_of("reviews due").server_url == "https://peer-3.example.org"
    usual = admin.get(reverse("admin:federations_federation_changelist")).context["cl"].result_list
    assert usual[0].display_name == "Held"


def test_each_cause_leads_to_exactly_its_federations(admin: Client, cloud: MemoryCloud) -> None:
    registry_rows(cloud)

    rows = admin.get(INDEX).context["causes"]["first"]

    assert [(row["title"], row["number"], row["errors"]) for row in rows] == [
        ("AccessDenied sts:AssumeRole", "2 federations", ""),
        ("enrichment failed: 403 Forbidden", "1 federation", "2 errors"),
    ]
    assert rows[0]["age"].replace("\xa0", " ") == "18 hours"
    for row, names in zip(rows, ({"Denied", "Denied too"}, {"With errors"}), strict=True):
        response = admin.get(row["href"])
        assert {found.display_name for found in response.context["cl"].result_list} == names
        assert row["title"] in response.content.decode()
    assert listed(admin, f"{reverse('admin:federations_federation_changelist')}?cause=gone") == 0


def test_a_federation_fails_until_a_sync_ends_without_an_error(admin: Client, cloud: MemoryCloud) -> None:
    found = failing("Denied", DENIED.format("us-east-1"), since=timedelta(hours=18))
    since = Federation.objects.get().failing_since
    again = take(start_sync(found, by=STAFF).id)
    assert "failing federation" in numbers_of(admin)
    jobs.fail(again, "Throttled")
    assert Federation.objects.get().failing_since == since
    assert admin.get(INDEX).context["causes"]["first"][0]["title"] == "Throttled"
    sync(found, cloud, server("ledger"))
    assert Federation.objects.get().failing_since is None
    assert "No federation fails" in admin.get(INDEX).content.decode()


def test_the_migration_dates_the_failures_of_before(cloud: MemoryCloud) -> None:
    registry_rows(cloud)
    Federation.objects.update(failing_since=None)

    migration = import_module("federations.migrations.0014_dashboard")
    migration.date_failures(apps, SimpleNamespace(connection=connections[REGISTRY]))

    for found in Federation.objects.select_related("last_sync"):
        job = found.last_sync
        is_failing = job is not None and job.status == "failed" and not job.held
        assert found.failing_since == (job.finished_at if job and is_failing else None), found


def test_old_errors_of_runtimes_do_not_hide_why_the_whole_sync_failed(admin: Client, cloud: MemoryCloud) -> None:
    found = federation("Payments")
    sync(found, cloud, server("ledger"), failed_agent("kyc"))
    jobs.fail(take(start_sync(found, by=STAFF).id), "Throttled")

    assert RuntimeObservation.objects.exclude(error="").exists()
    assert [row["title"] for row in admin.get(INDEX).context["causes"]["first"]] == ["Throttled"]


def test_a_person_sees_the_numbers_of_the_federations_that_a_grant_names(
    staff: Callable[..., Client], cloud: MemoryCloud
) -> None:
    registry_rows(cloud)
    peer_rows()
    client = staff()
    assert numbers_of(client) == {}
    assert "There is no federation that you may see" in client.get(INDEX).content.decode()
    for name in ("Denied", "With errors"):
        found = Federation.objects.get(display_name=name)
        grant(found, level=AccessLevel.VIEW, user=User.objects.get(username="ines"))

    context = client.get(INDEX).context

    assert {card.title: card.number for card in context["attention"]} == {"failing federations": 2}
    assert {row["number"] for row in context["causes"]["first"]} == {"1 federation"}
    for row in context["causes"]["first"]:
        assert listed(client, row["href"]) == 1
    for text, href in cells_of(context["sync_chart"]):
        assert str(listed(client, href)) == text
    assert context["dispatch_chart"] is None
    assert {card["title"]: card["number"] for card in context["resource_cards"]}["MCP servers"] == 1
    assert client.get(LIVE).status_code == 200
    assert "Denied too" not in client.get(LIVE).content.decode()


def test_peers_cards_come_only_with_the_right_to_open_their_list(staff: Callable[..., Client]) -> None:
    peer_rows()
    client = staff("view_peer")
    user = User.objects.get(username="ines")

    assert "callbacks given up" not in numbers_of(client)
    assert len(numbers_of(client)) == 7
    user.user_permissions.set(Permission.objects.filter(codename="view_outboundcallback"))
    assert numbers_of(client).keys() == {"callbacks given up"}


def test_the_live_part_refreshes_itself_only_while_a_job_runs(admin: Client) -> None:
    found = federation()
    lease = take(start_sync(found, by=STAFF).id)
    assert f'hx-get="{LIVE}"' in admin.get(INDEX).content.decode()
    running = admin.get(LIVE).content.decode()
    assert f'hx-get="{LIVE}"' in running and "<html" not in running
    assert running.count('hx-swap-oob="true"') == 4
    jobs.fail(lease, "Throttled")
    ended = admin.get(LIVE).content.decode()
    assert "hx-get" not in ended and "All jobs have ended" in ended and "Throttled" in ended
    assert Client().get(LIVE).status_code == 302


def test_the_dashboard_asks_at_most_15_queries_of_anyone(
    admin: Client, staff: Callable[..., Client], cloud: MemoryCloud
) -> None:
    # MongoDB answers each part of a union by a query of its own.
    most = 15 if connections[REGISTRY].vendor != "mongodb" else 40
    registry_rows(cloud)
    peer_rows()
    record_daily_counts()
    job(hub_today())
    by_role = staff(
        "view_federation", "view_mcpserver", "view_a2aagent", "view_syncjob", "view_storedplan", "view_peer",
        "view_runtimeobservation", "view_dispatch", "view_receiveddispatch", "view_outboundcallback",
        "view_handlerevent", username="role",
    )  # fmt: skip
    by_grant = staff(username="grant")
    for found in Federation.objects.all():
        grant(found, level=AccessLevel.VIEW, user=User.objects.get(username="grant"))
    for client in (admin, by_role, by_grant):
        client.get(INDEX)
        with counted_queries() as asked:
            assert client.get(INDEX).status_code == 200
        assert len(asked) <= most, "\n".join(query[:150] for query in asked)
