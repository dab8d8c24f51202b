from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from core.actors import Actor
from federations.admin import federation_tabs
from federations.models import AccessLevel, Federation, RuntimeObservation
from federations.schedules.rule import Schedule
from federations.services.access import grant
from federations.services.federations import update_federation
from federations.services.schedule import set_paused, set_schedule
from tests.app.federations.admin.cloud import MemoryCloud, agent, failed_agent, federation, server, sync
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db(transaction=True)

TABS = ("change", "servers", "agents", "runtimes", "jobs", "access")
ACTIONS = ("edit", "sync_now", "dry_run", "disable", "remove", "delete")


def url(found: Federation, name: str) -> str:
    return reverse(f"admin:federations_federation_{name}", args=[found.pk])


def text_of(client: Client, found: Federation, tab: str) -> str:
    response = client.get(url(found, tab))
    assert response.status_code == 200
    return response.content.decode()


def populated(cloud: MemoryCloud, servers: int = 3) -> Federation:
    found = federation()
    sync(found, cloud, *[server(f"ledger-{n}") for n in range(servers)], agent("triage"), failed_agent("kyc"))
    return found


def test_each_tab_has_an_address_and_shows_its_part(admin: Client, cloud: MemoryCloud) -> None:
    found = populated(cloud)
    parts = {
        "change": ("With errors", "1 runtime is broken", "Only on request", found.external_id),
        "servers": ("ledger-0", "ledger-2"),
        "agents": ("triage", "Broken now", "kyc", "enrichment failed: 403 Forbidden"),
        "runtimes": ("ledger-0", "triage", "kyc", "enrichment failed: 403 Forbidden", "Failed"),
        "jobs": ("Full sync", "No plan is open."),
        "access": ("Your access: owner.", "staff"),
    }
    for tab, expected in parts.items():
        text = text_of(admin, found, tab)
        assert text.count('aria-current="page"') == 1
        assert f'href="{url(found, tab)}" aria-current="page"' in text
        for part in expected:
            assert part in text, (tab, part)
    assert "Broken now" not in text_of(admin, found, "servers")


def test_a_runtime_with_a_warning_shows_it(admin: Client, cloud: MemoryCloud) -> None:
    found = populated(cloud)
    lost = [{"kind": "tool", "name": "post", "message": "has no schema", "runtimeId": "x"}] * 2
    found_rows = RuntimeObservation.objects.filter(scope=found.pk, name="ledger-0")
    found_rows.update(warnings=lost)

    assert "post: has no schema (and 1 more)" in text_of(admin, found, "runtimes")


def queries_of(client: Client, found: Federation, tab: str) -> int:
    with counted_queries() as captured:
        text_of(client, found, tab)
    return len(captured)


def test_a_tab_takes_as_many_queries_for_many_rows_as_for_few(admin: Client, cloud: MemoryCloud) -> None:
    found = populated(cloud)
    few = [queries_of(admin, found, tab) for tab in TABS]
    sync(found, cloud, *[server(f"more-{n}") for n in range(20)], *[failed_agent(f"bad-{n}") for n in range(9)])

    for tab, number in zip(TABS, few, strict=True):
        assert queries_of(admin, found, tab) <= number <= 15, tab


def test_a_long_table_is_cut_and_leads_to_the_filtered_list(
    admin: Client, cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(federation_tabs, "MOST_ROWS", 2)
    found = populated(cloud)

    page = admin.get(url(found, "servers"))
    (section,) = page.context["sections"]

    assert len(section.rows) == 2
    listed = admin.get(section.more["href"])
    assert {row.server_name for row in listed.context["cl"].result_list} == {"ledger-0", "ledger-1", "ledger-2"}
    (section,) = admin.get(url(found, "runtimes")).context["sections"]
    assert [len(section.rows), admin.get(section.more["href"]).context["cl"].result_count] == [2, 5]


def test_a_reader_sees_the_tabs_without_a_button_that_would_be_refused(
    staff: Callable[..., Client], cloud: MemoryCloud
) -> None:
    found = populated(cloud)
    reader = staff()
    grant(found, level=AccessLevel.VIEW, user=User.objects.get(username="ines"))

    for tab in TABS:
        text = text_of(reader, found, tab)
        for action in ACTIONS:
            assert f'href="{url(found, action)}' not in text, (tab, action)
        assert "<strong>Sync now</strong>" not in text
    access = text_of(reader, found, "access")
    assert "Your access: view." in access
    assert "ask an owner: staff" in access
    assert reader.get(url(found, "edit")).status_code == 403


def test_an_editor_sees_edit_but_not_delete_and_an_owner_sees_one_delete(
    admin: Client, staff: Callable[..., Client]
) -> None:
    found = federation()
    editor = staff()
    grant(found, level=AccessLevel.EDIT, user=User.objects.get(username="ines"))

    text = text_of(editor, found, "change")
    assert url(found, "edit") in text and url(found, "remove") not in text
    text = text_of(admin, found, "change") + admin.get(url(found, "edit")).content.decode()
    assert text.count(f'"{url(found, "remove")}"') == 1
    assert url(found, "delete") not in text


def test_a_stranger_finds_no_tab_and_a_tab_writes_nothing(admin: Client, staff: Callable[..., Client]) -> None:
    found, other = federation(), federation("Other")
    stranger = staff()
    for tab in TABS:
        assert stranger.get(url(found, tab)).status_code == 403
        assert admin.post(url(found, tab), {"display_name": "x"}).status_code == 405
    grant(other, level=AccessLevel.VIEW, user=User.objects.get(username="ines"))
    for tab in TABS:
        response = stranger.get(url(found, tab), follow=True)
        assert response.redirect_chain
        assert "Payments" not in response.content.decode()


def test_runtimes_that_a_new_configuration_made_unknown_are_not_counted_as_none(
    admin: Client, cloud: MemoryCloud
) -> None:
    found = populated(cloud)
    tab = f'href="{url(found, "runtimes")}"'
    assert 'Runtimes <span class="fedhub-tab-number">' in text_of(admin, found, "change").partition(tab)[2][:120]
    config = {**found.provider_config, "region": "eu-west-1"}
    update_federation(
        found, display_name="Payments", description="", tags=[], provider_config=config, by=Actor("", "ines")
    )
    found.refresh_from_db()
    assert not RuntimeObservation.objects.filter(scope=found.pk).exists()
    assert "fedhub-tab-number" not in text_of(admin, found, "change").partition(tab)[2].partition("</a>")[0]
    assert "The next sync lists them again." in text_of(admin, found, "runtimes")


def test_the_tabs_of_a_new_federation_say_what_to_do_next(admin: Client) -> None:
    found = federation()
    assert "No job has run yet." in text_of(admin, found, "change")
    for tab in ("servers", "agents", "runtimes", "jobs"):
        assert "to start a sync" in text_of(admin, found, tab)
    Federation.objects.update(provider_config={})
    assert "A sync needs a region and a role." in text_of(admin, found, "change")


def test_a_schedule_is_told_in_words_with_its_next_run_on_the_page_and_in_the_list(admin: Client) -> None:
    found = federation()
    assert "none: staff or a program starts each sync" in text_of(admin, found, "change")
    set_schedule(found, Schedule(crontab="0 2 * * *", time_zone="Europe/Berlin"))

    listed = admin.get(reverse("admin:federations_federation_changelist")).content.decode()
    assert "Every day at 02:00 Europe/Berlin" in text_of(admin, found, "change")
    for text in (text_of(admin, found, "change"), listed):
        assert "very day at 02:00" in text and re.search(r"in\s\d+\s(hour|minute)", text)
    set_paused(found, True, by=Actor("900", "staff"))
    assert "none: the schedule is paused" in text_of(admin, found, "change")
    federation("Other")
    for value, number in (("runs", 0), ("paused", 1), ("none", 1), ("", 2)):
        address = reverse("admin:federations_federation_changelist") + f"?schedule={value}"
        assert admin.get(address).context["cl"].result_count == number
