"""The pages of accounts and roles: who gives which role, and what a user's page says of the user's rights."""

from __future__ import annotations

from typing import Any

import pytest
from auditlog.models import LogEntry
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import resolve, reverse

from core.people.marks import SESSION_NAME
from federations.models import AccessLevel
from federations.services.access import grant
from fedhub.admin.navigation import sidebar
from fedhub.admin.schedules import WORDS
from fedhub.roles import ROLES
from tests.conftest import MakeFederation, MakeUser

pytestmark = pytest.mark.django_db
PHRASE = "a long enough one"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_superusers_alone_give_and_take_roles_with_a_reason(make_user: MakeUser) -> None:
    ines, root = make_user("ines"), User.objects.create_superuser("root")
    path = reverse("admin:auth_user_roles", args=[ines.pk])
    given = {"role": "operator", "do": "give", "reason": "Runs the syncs of Berlin"}
    manager = make_user("manager", is_staff=True)
    manager.groups.add(Group.objects.get(name="Administrator"))
    assert signed_in(manager).post(path, given).status_code == 403

    client = signed_in(root)
    for refused in ({"reason": " "}, {"role": "emperor"}, {"do": "take"}):
        client.post(path, given | refused)
        assert not ines.groups.exists()
    client.post(path, given)
    ines.refresh_from_db()
    assert ([group.name for group in ines.groups.all()], ines.is_staff) == (["Operator"], True)
    page = client.get(reverse("admin:auth_user_change", args=[ines.pk])).content.decode()
    assert "Runs the syncs of Berlin" in page and "gave the role Operator" in page
    client.post(path, given | {"do": "take", "reason": "Has left"})
    assert not ines.groups.exists()
    told = LogEntry.objects.get_for_object(ines)
    reasons = [(str(entry.actor), entry.additional_data["reason"]) for entry in told if "role" in entry.changes]
    assert sorted(reasons) == [("root", "Has left"), ("root", "Runs the syncs of Berlin")]
    assert not [entry for entry in told if "groups" in entry.changes]

    session = client.session
    session[SESSION_NAME] = {**session[SESSION_NAME], "proved_at": 0.0}
    session.save()
    assert client.post(path, given)["location"].startswith(reverse("sign-in-confirm"))
    assert not ines.groups.exists()


def test_each_form_of_a_row_warns_before_what_was_typed_is_lost() -> None:
    """Its page has other buttons and forms, which leave it: dialogs, Give and Take."""
    found: list[Any] = list(admin.site._registry.values())
    assert [page.opts.label for page in found if not page.warn_unsaved_form] == []


def test_a_new_account_is_asked_for_in_words_about_another_person(make_user: MakeUser) -> None:
    client, ines = signed_in(User.objects.create_superuser("root")), make_user("ines")
    for path in (reverse("admin:auth_user_add"), reverse("admin:auth_user_password_change", args=[ines.pk])):
        page = client.get(path).content.decode()
        assert "The password must contain at least 12" in page and "Your password" not in page, path
        assert "LDAP" not in page
    path = reverse("admin:auth_user_add")
    assert "Add user" in client.get(path).content.decode().partition("<h1")[2].partition("</h1>")[0]
    form = {"username": "grace", "usable_password": "true", "password1": "12345", "password2": "12345"}
    assert "too short" in client.post(path, form).content.decode()
    client.post(path, form | {"password1": PHRASE, "password2": PHRASE})
    assert User.objects.get(username="grace").check_password(PHRASE)


def test_the_path_of_a_page_begins_with_its_section_of_the_menu() -> None:
    client = signed_in(User.objects.create_superuser("root"))
    for section in sidebar(client.get(reverse("admin:index")).wsgi_request):
        for item in section["items"]:
            found = getattr(resolve(str(item["link"])).func, "model_admin", None)
            if found is not None and section["title"] != "Technical":
                assert found.opts.app_config.verbose_name == section["title"], item["title"]


def test_the_page_of_a_user_says_what_the_user_may_do_and_why(
    make_user: MakeUser, make_federation: MakeFederation
) -> None:
    ines, team = make_user("ines"), Group.objects.create(name="Team")
    ines.groups.add(team, Group.objects.get(name="Reader"))
    one, two, hidden = (make_federation(name) for name in ("Ledger", "Refunds", "Hidden one"))
    grant(one, level=AccessLevel.EDIT, user=ines)
    grant(two, level=AccessLevel.OWNER, group=team)
    path = reverse("admin:auth_user_change", args=[ines.pk])

    def texts(viewer: User) -> list[tuple[str, str, str]]:
        answer = signed_in(viewer).get(path)
        assert ines.password not in answer.content.decode()
        return [tuple(map(str, row)) for row in answer.context["sections"][0].rows]  # type: ignore[misc]

    rows = texts(User.objects.create_superuser("root"))
    assert [why for _, _, why in rows] == ["the role Reader", "a grant to the group Team", "a grant to this person"]
    assert "Refunds" in rows[1][0] and "delete it" in rows[1][1]
    viewer = make_user("viewer", is_staff=True)
    for name in ("view_user", "view_federationgrant"):
        viewer.user_permissions.add(permission(name))
    grant(two, level=AccessLevel.VIEW, user=viewer)
    grant(hidden, level=AccessLevel.VIEW, user=ines)
    assert [why for _, _, why in texts(viewer)] == ["the role Reader", "a grant to the group Team"]
    viewer.user_permissions.remove(permission("view_federationgrant"))
    assert [why for _, _, why in texts(viewer)] == ["the role Reader"]


def test_what_a_user_page_says_of_staff_without_a_role_is_true(make_user: MakeUser) -> None:
    ines = make_user("ines", is_staff=True)
    path = reverse("admin:auth_user_change", args=[ines.pk])
    root = signed_in(User.objects.create_superuser("root"))
    (row,) = [tuple(map(str, row)) for row in root.get(path).context["sections"][0].rows]
    assert row[2] == "the account is staff" and "federation" not in row[1] and "notification rules" in row[1]
    client = signed_in(ines)
    assert client.get(reverse("admin:federations_federation_add")).status_code == 403
    assert client.get(reverse("admin:notifications_rule_add")).status_code == 200


def permission(codename: str) -> Any:
    return Permission.objects.get(codename=codename)


def test_the_roles_say_who_has_them_and_where_staff_changed_them(make_user: MakeUser) -> None:
    make_user("ines").groups.add(Group.objects.get(name="Operator"))
    Group.objects.get(name="Reader").permissions.add(permission("export_list"))
    Group.objects.get(name="Approver").delete()
    answer = signed_in(User.objects.create_superuser("root")).get(reverse("admin-roles"))
    page = answer.content.decode()
    assert [role["name"] for role in answer.context["roles"]] == [role.name for role in ROLES]
    assert "ines" in page and "1 more than the hub gives it" in page and "Staff deleted the group" in page
    assert "1 superuser does everything without a role" in page and ">root</a>" in page


def test_each_task_of_the_hub_has_words() -> None:
    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} == set(WORDS)
