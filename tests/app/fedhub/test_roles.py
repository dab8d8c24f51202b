"""The roles that the hub makes: made once, given once, and never a way to more rights."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from core.roles.models import Role
from core.roles.services import RoleDefinition, give_roles
from federations.models import AccessLevel, SyncJob
from federations.services.access import grant
from fedhub.roles import ROLES
from tests.app.federations.admin.cloud import MemoryCloud, federation
from tests.app.federations.admin.conftest import cloud
from tests.app.fedhub.test_rights import (
    World,
    attack_accounts,
    attack_by_actions,
    attack_programs,
    attack_schedules,
    ran,
    world,
)

pytestmark = pytest.mark.django_db

__all__ = ["cloud", "ran", "world"]
CONFIRMED = {"_form_submitted": "True"}


def names_of(group: Group) -> set[str]:
    return {f"{app}.{name}" for app, name in group.permissions.values_list("content_type__app_label", "codename")}


def test_each_role_is_a_group_with_exactly_its_permissions() -> None:
    assert {role.name: set(role.permissions) for role in ROLES} == {
        group.name: names_of(group) for group in Group.objects.all()
    }
    reader, operator, approver, administrator = (set(role.permissions) for role in ROLES)
    assert reader < operator < administrator
    assert reader < approver < administrator


def test_a_second_migration_changes_nothing_that_staff_changed() -> None:
    operator = Group.objects.get(name="Operator")
    taken = Permission.objects.get(codename="run_a2aagent")
    added = Permission.objects.get(codename="export_list")
    operator.permissions.remove(taken)
    operator.permissions.add(added)
    Group.objects.filter(name="Reader").update(name="Readers of Berlin")
    Group.objects.get(name="Approver").delete()

    call_command("migrate", verbosity=0)

    assert {"Readers of Berlin", "Operator", "Administrator"} == set(Group.objects.values_list("name", flat=True))
    assert set(operator.permissions.values_list("pk", flat=True)) >= {added.pk}
    assert taken not in operator.permissions.all()
    assert not Role.objects.get(key="approver").group


def test_a_permission_of_a_new_version_is_given_once() -> None:
    reader = Group.objects.get(name="Reader")
    newer = [RoleDefinition("reader", "Reader", "", (*ROLES[0].permissions, "auth.view_user", "gone.view_gone"))]
    give_roles(newer)
    assert names_of(reader) == {*ROLES[0].permissions, "auth.view_user"}
    reader.permissions.remove(Permission.objects.get(codename="view_user"))
    give_roles(newer)
    assert names_of(reader) == set(ROLES[0].permissions)


def test_a_group_of_staff_with_the_name_of_a_role_does_not_become_the_role() -> None:
    own, empty = Group.objects.create(name="Auditor"), Group.objects.create(name="Helper")
    own.user_set.add(User.objects.create_user("ines"))
    definitions = [RoleDefinition(name.lower(), name, "", ("auth.view_user",)) for name in ("Auditor", "Helper")]
    give_roles(definitions)
    give_roles(definitions)
    assert list(Role.objects.filter(group__name="Auditor (role)").values_list("key", flat=True)) == ["auditor"]
    assert Role.objects.get(key="helper").group == empty
    assert names_of(own) == set()


def test_the_group_of_a_role_says_what_its_members_may(client: Client) -> None:
    client.force_login(User.objects.create_superuser("root"))
    page = client.get(reverse("admin:auth_group_change", args=[Group.objects.get(name="Operator").pk])).content.decode()
    assert "Do what a reader may do, start and cancel syncs in the admin" in page


def test_an_administrator_cannot_become_a_superuser_or_give_roles(world: World, ran: list[str]) -> None:
    group = Group.objects.get(name="Administrator")
    world.eve.groups.add(group)
    # The rights of the colleague go beyond those of an administrator.
    world.vera.user_permissions.add(Permission.objects.get(codename="delete_group"))
    before = world.rights()
    for attack in (attack_accounts, attack_programs, attack_schedules, attack_by_actions):
        attack(world)
    assert ran == []
    # An administrator gives grants: every federation is open to the role anyway.
    assert world.rights() == before


# Syncs by the permission -------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_view_and_the_permission_start_plain_syncs_and_nothing_else(cloud: MemoryCloud) -> None:
    found, other = federation(), federation("Hidden", region="eu-west-1")
    ines = User.objects.create_user("ines", is_staff=True)
    client = Client()
    client.force_login(ines)
    grant(found, level=AccessLevel.VIEW, user=ines)

    def page(name: str, row: object = found) -> str:
        return reverse(f"admin:federations_federation_{name}", args=[row.pk])  # type: ignore[attr-defined]

    assert client.post(page("sync_now"), CONFIRMED).status_code == 403
    assert page("sync_now") not in client.get(page("change")).content.decode()

    ines.user_permissions.add(Permission.objects.get(codename="sync_federation"))
    shown = client.get(page("change")).content.decode()
    assert page("sync_now") in shown
    for name in ("dry_run", "edit", "disable", "remove"):
        assert page(name) not in shown
        assert client.post(page(name), CONFIRMED).status_code == 403
    assert client.post(page("sync_now"), CONFIRMED | {"force": "on"}).status_code == 302
    assert client.post(page("sync_now", other), CONFIRMED).status_code == 403
    job = SyncJob.objects.get()
    assert (job.force, job.federation_id, job.requested_by_name) == (False, found.pk, "ines")

    cancel = reverse("admin:federations_syncjob_cancel_sync", args=[job.pk])
    assert client.post(cancel, CONFIRMED).status_code == 302
    listed = reverse("admin:federations_federation_changelist")
    client.post(listed, {"action": "sync_selected", "_selected_action": [found.pk, other.pk]})
    assert set(SyncJob.objects.values_list("federation_id", flat=True)) == {found.pk}
    assert SyncJob.objects.count() == 2
