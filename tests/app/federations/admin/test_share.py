"""Sharing a federation from its tab Access: who may, what is stored, and what the audit log says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from federations.admin.access_tab import words_of
from federations.models import AccessLevel, Federation, FederationGrant
from federations.services.access import grant
from federations.services.federations import set_enabled
from tests.app.federations.admin.cloud import STAFF, federation

pytestmark = pytest.mark.django_db


def url(found: Federation, action: str) -> str:
    return reverse(f"admin:federations_federation_{action}", args=[found.pk])


def test_an_owner_by_grant_shares_changes_and_ends_access(staff: Callable[..., Client]) -> None:
    found, team = federation(), Group.objects.create(name="Team")
    # A disabled federation can be shared too: access may have to end at once.
    set_enabled(found, False, by=STAFF)
    client, tomas = staff(), User.objects.create_user("tomas")
    grant(found, level=AccessLevel.OWNER, user=User.objects.get(username="ines"))
    LogEntry.objects.all().delete()

    for holder, level in ((f"user:{tomas.pk}", 1), (f"group:{team.pk}", 2), (f"user:{tomas.pk}", 3)):
        response = client.post(url(found, "share"), {"holder": holder, "level": level})
        assert response["location"] == url(found, "access")
    stored = set(FederationGrant.objects.exclude(holder_name__in=["staff", "ines"]).values_list("holder_name", "level"))
    assert stored == {("tomas", 3), ("Team", 2)}
    row = FederationGrant.objects.get(holder_name="Team")
    response = client.post(url(found, "withdraw"), {"grant": row.pk}, follow=True)
    assert "The grant of Team on Payments has ended." in response.content.decode()
    assert not FederationGrant.objects.filter(pk=row.pk).exists()

    entries = [(entry.get_action_display(), entry.object_repr, str(entry.actor)) for entry in LogEntry.objects.all()]
    assert sorted(entries) == [
        ("create", "Team: Edit on Payments", "ines"),
        ("create", "tomas: View on Payments", "ines"),
        ("delete", "Team: Edit on Payments", "ines"),
        ("update", "tomas: Owner on Payments", "ines"),
    ]


@pytest.mark.parametrize("level", [None, AccessLevel.VIEW, AccessLevel.EDIT])
def test_only_an_owner_shares(staff: Callable[..., Client], level: AccessLevel | None) -> None:
    found, client = federation(), staff("change_federation", "change_federationgrant", "add_federationgrant")
    ines = User.objects.get(username="ines")
    if level:
        grant(found, level=level, user=ines)
    before = list(FederationGrant.objects.values())

    raised = {"holder": f"user:{ines.pk}", "level": 3}
    assert client.post(url(found, "share"), raised).status_code == 403
    assert client.post(url(found, "withdraw"), {"grant": FederationGrant.objects.all()[0].pk}).status_code == 403
    assert list(FederationGrant.objects.values()) == before
    assert url(found, "share") not in client.get(url(found, "access")).content.decode()


def test_the_last_owner_stays_except_for_a_person_who_owns_every_federation(
    staff: Callable[..., Client], admin: Client
) -> None:
    found, client = federation(), staff()
    FederationGrant.objects.all().delete()
    ines = User.objects.get(username="ines")
    own = grant(found, level=AccessLevel.OWNER, user=ines)

    for action, data in (("withdraw", {"grant": own.pk}), ("share", {"holder": f"user:{ines.pk}", "level": 1})):
        assert "the last owner of the federation" in client.post(url(found, action), data, follow=True).content.decode()
    assert FederationGrant.objects.get().level == AccessLevel.OWNER
    admin.post(url(found, "withdraw"), {"grant": own.pk})
    assert not FederationGrant.objects.exists()


@pytest.mark.parametrize("holder", ["", "user:", "user:0", "user:x", "group:999", "peer:1", f"user:{'9' * 40}"])
def test_an_unknown_holder_gets_nothing(admin: Client, holder: str) -> None:
    found = federation()
    User.objects.create_user("gone", is_active=False)
    before = FederationGrant.objects.count()
    for chosen in (holder, f"user:{User.objects.get(username='gone').pk}"):
        response = admin.post(url(found, "share"), {"holder": chosen, "level": 1}, follow=True)
        assert "Pick a" in response.content.decode()
    assert FederationGrant.objects.count() == before


def test_the_tab_says_who_has_access_by_role(admin: Client) -> None:
    found = federation()
    User.objects.create_user("olga").groups.add(Group.objects.get(name="Operator"))
    User.objects.create_user("edith").user_permissions.add(Permission.objects.get(codename="change_federation"))

    (by_role,) = admin.get(url(found, "access")).context["sections"]

    rows = {strip_tags(row[0]): row[2] for row in by_role.rows}
    assert rows["Operator (1 member)"] == (
        "read its servers, agents, runtimes, jobs and plans; start syncs in the admin; give work to its agents"
    )
    assert rows["edith"] == "read it, edit it, sync it, and apply its plans"
    assert rows["1 superuser"] == "do everything"
    assert "approve work for its agents" in rows["Approver (0 members)"]
    assert words_of({"sync_federation"}) == "start syncs in the admin, with a grant on it"
