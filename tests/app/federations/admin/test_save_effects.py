from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.contrib.admin.models import LogEntry as AdminLogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from federations.models import AccessLevel, Federation, McpServer
from federations.services.access import grant
from federations.services.federations import set_enabled, update_federation
from peers.models import AgentVisibilityChoice
from tests.app.federations.admin.cloud import ROLE, STAFF, MemoryCloud, agent, federation, server, sync
from tests.app.federations.admin.test_form import ADD, TYPED, edit, save

pytestmark = pytest.mark.django_db(transaction=True)

STORED = TYPED | {"tags": "production", "tag_filter": "env:production"}


def url(found: Federation, name: str) -> str:
    return reverse(f"admin:federations_federation_{name}", args=[found.pk])


def synced(cloud: MemoryCloud, servers: int = 9, agents: int = 3) -> Federation:
    found = federation()
    sync(found, cloud, *[server(f"s-{n}") for n in range(servers)], *[agent(f"a-{n}") for n in range(agents)])
    return found


def follows(client: Client, found: Federation, typed: dict[str, Any]) -> dict[str, str]:
    """Return what the page before the save says of each changed field; nothing is saved."""
    before = Federation.objects.filter(pk=found.pk).values().get()
    response = client.post(edit(found), STORED | typed)
    assert response.status_code == 200
    assert Federation.objects.filter(pk=found.pk).values().get() == before
    return {change.label: " ".join(change.follows) for change in response.context["effects"].changes}


def test_the_page_says_while_its_numbers_are_of_an_older_configuration(admin: Client, cloud: MemoryCloud) -> None:
    found = synced(cloud)

    def shown() -> bool:
        return "The configuration was changed" in admin.get(url(found, "change")).content.decode()

    def change(**values: Any) -> None:
        found.refresh_from_db()
        typed = {"description": "", "tags": [], "provider_config": found.provider_config, **values}
        update_federation(found, display_name=typed.pop("name", "Payments"), **typed, by=STAFF)

    assert not shown()
    change(name="Payments of Berlin")
    assert not shown()
    change(provider_config=found.provider_config | {"resourceTagsFilter": {"env": "test"}})
    assert shown()
    found.refresh_from_db()
    sync(found, cloud, *cloud.findings)
    assert not shown()


EFFECTS: tuple[tuple[dict[str, Any], str, str], ...] = (
    (
        {"region": "eu-west-1"},
        "Region",
        "The next sync would remove 12 of 12 stored resources, because the new region or account has",
    ),
    ({"role_arn": ROLE.replace("1234", "9999")}, "Role ARN", "would remove 12 of 12 stored resources"),
    ({"role_arn": f"{ROLE}-2"}, "Role ARN", "The hub assumes the new role from now on."),
    ({"role_arn": f"{ROLE}-2"}, "Role ARN", "The next sync removes none of the 12 stored resources"),
    ({"tag_filter": "env:production, x:y"}, "Tag filter", "The next sync would remove 12 of 12 stored resources."),
    ({"tag_filter": "env:production, x:y"}, "Tag filter", "The deletion guard holds such a sync: its plan waits"),
    ({"tag_filter": "env:production, team:payments"}, "Tag filter", "removes none of the 12 stored resources"),
    ({"tag_filter": ""}, "Tag filter", "removes none of the 12 stored resources"),
    ({"sync_interval": "60"}, "Schedule", "A schedule begins: the hub syncs every hour"),
    ({"change_policy": "review"}, "Change policy", "waits until staff apply or dismiss it"),
    ({"tags": "eu"}, "Tags", "that ask for the tag production no longer find this federation"),
    ({"tags": "production, eu"}, "Tags", "that ask for the tag eu find this federation"),
)


def test_a_save_says_first_what_follows(admin: Client, cloud: MemoryCloud) -> None:
    found = synced(cloud)
    for typed, label, says in EFFECTS:
        assert says in follows(admin, found, typed)[label], (typed, says)


def test_a_changed_and_an_ended_schedule_are_told_in_words(admin: Client) -> None:
    found = federation()
    save(admin, edit(found), STORED | {"sync_interval": "1440"})

    assert follows(admin, found, {"sync_interval": "60"})["Schedule"] == (
        "The hub syncs every hour instead of every day."
    )
    assert "The schedule ends" in follows(admin, found, {"sync_interval": ""})["Schedule"]


def test_agents_that_peers_see_are_counted_before_they_are_withdrawn(admin: Client, cloud: MemoryCloud) -> None:
    found = synced(cloud)
    for path in found.a2aagent_set.values_list("path", flat=True)[:2]:
        AgentVisibilityChoice.objects.create(federation_id=found.pk, path=path, visibility="public")

    assert "2 agents among them are withdrawn from peers." in follows(admin, found, {"region": "eu-west-1"})["Region"]
    dialog = admin.get(url(found, "disable")).content.decode()
    assert "It has no schedule" in dialog
    assert "9 MCP servers and 3 A2A agents stay in the registry" in dialog
    assert "2 agents stay visible to peers." in dialog


def test_tags_that_no_sync_read_are_unknown_until_a_test_counts_them(admin: Client, cloud: MemoryCloud) -> None:
    found = synced(cloud)
    Federation.objects.update(provider_config={"region": "us-east-1", "assumeRoleArn": ROLE})
    typed = {"tag_filter": "env:production, x:y"}
    assert "does not know how many of the 12 stored resources" in follows(admin, found, typed)["Tag filter"]

    tested = admin.post(url(found, "test"), STORED | typed).content.decode()
    seal = {"tested": re.findall('name="tested" value="([^"]*)"', tested)[0]}

    known = follows(admin, found, typed | seal)["Tag filter"]
    assert "As tested, the next sync would remove 12 of 12 stored resources." in known
    other = follows(admin, found, {"tag_filter": "a:b"} | seal)["Tag filter"]
    assert "As tested" not in other
    forged = follows(admin, found, typed | {"tested": f"{seal['tested']}x"})["Tag filter"]
    assert "As tested" not in forged


def test_a_confirmed_save_is_stored_and_a_stale_confirmation_is_asked_again(admin: Client, cloud: MemoryCloud) -> None:
    found = synced(cloud)
    typed = STORED | {"region": "eu-west-1"}
    digest = admin.post(edit(found), typed).context["effects"].digest
    McpServer.objects.filter(server_name="s-0").delete()

    asked = admin.post(edit(found), typed | {"_confirmed": digest})
    assert "would remove 11 of 11 stored resources" in asked.content.decode()
    response = admin.post(edit(found), typed | {"_confirmed": asked.context["effects"].digest}, follow=True)

    assert response.redirect_chain == [(url(found, "change"), 302)]
    assert "Payments is saved." in response.content.decode()
    assert Federation.objects.get().provider_config["region"] == "eu-west-1"


def test_the_way_back_shows_what_was_typed(admin: Client) -> None:
    found, user = federation(), User.objects.create_user("tomas")
    row = {"grants-TOTAL_FORMS": "1", "grants-0-holder": f"user:{user.pk}", "grants-0-level": "1"}
    typed = STORED | row | {"region": "eu-west-1", "display_name": "Half typed"}
    asked = admin.post(edit(found), typed)
    assert 'name="grants-0-holder"' in asked.content.decode()

    back = admin.post(edit(found), typed | {"_back": "1"})

    assert (back.context["adminform"].form["region"].value(), back.context["errors"]) == ("eu-west-1", [])
    assert back.context["adminform"].form["display_name"].value() == "Half typed"
    assert "tomas" in str(back.context["inline_admin_formsets"][0].formset.forms[0]["holder"])
    assert Federation.objects.get().display_name == "Payments"


def test_a_name_and_a_description_are_saved_at_once(admin: Client) -> None:
    found = federation()

    response = admin.post(edit(found), STORED | {"display_name": "Renamed", "description": "New\r\ntext"})

    assert response.status_code == 302
    assert admin.post(edit(found), STORED | {"display_name": "Renamed", "description": "New\ntext"}).status_code == 302
    assert LogEntry.objects.filter(action=LogEntry.Action.UPDATE).count() == 1


def test_a_save_without_a_change_says_so_and_writes_nothing(admin: Client) -> None:
    found = federation()
    before = Federation.objects.values().get()

    text = admin.post(edit(found), STORED, follow=True).content.decode()

    assert "Nothing was changed" in text
    assert Federation.objects.values().get() == before
    assert AdminLogEntry.objects.count() == 0


def test_a_changed_grant_alone_is_a_change(admin: Client) -> None:
    found, user = federation(), User.objects.create_user("tomas")
    row = {"grants-TOTAL_FORMS": "1", "grants-0-holder": f"user:{user.pk}", "grants-0-level": "1"}

    text = admin.post(edit(found), STORED | row, follow=True).content.decode()

    assert "Payments is saved." in text
    assert found.grants.filter(user_id=str(user.pk)).exists()


def test_a_region_in_doubt_is_confirmed_before_a_federation_is_added(admin: Client) -> None:
    typed = TYPED | {"region": "eu-west-9"}

    asked = admin.post(ADD, typed)
    assert "The hub does not know the region eu-west-9." in asked.content.decode()
    assert Federation.objects.count() == 0
    assert admin.post(ADD, typed | {"_confirmed": asked.context["effects"].digest}).status_code == 302

    found = Federation.objects.get()
    assert save(admin, edit(found), typed | {"tags": "production"}).status_code == 302


def test_a_disabled_federation_has_no_form_and_no_button_but_enable(
    admin: Client, staff: Callable[..., Client]
) -> None:
    found = federation()
    set_enabled(found, False, by=STAFF)

    text = admin.get(edit(found), follow=True).content.decode()

    assert "Payments is disabled, so it cannot be edited." in text
    assert "This federation is disabled." in text
    for name in ("edit", "sync_now", "dry_run", "disable", "delete", "remove"):
        assert f'href="{url(found, name)}"' not in text
    guest = staff(username="guest")
    grant(found, level=AccessLevel.VIEW, user=User.objects.get(username="guest"))
    assert "Enable</strong>" not in guest.get(url(found, "change")).content.decode()
