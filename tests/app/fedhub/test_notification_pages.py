"""The admin pages of notification rules and deliveries: who makes which rule, the secret, the test."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook

from core.notifications.models import Delivery, Rule
from tests.app.core.notifications.conftest import loopback_allowed  # noqa: F401 (a fixture)
from tests.app.core.notifications.test_webhooks import received
from tests.conftest import MakeFederation, MakeUser

pytestmark = pytest.mark.django_db

LIST, ADD = reverse("admin:notifications_rule_changelist"), reverse("admin:notifications_rule_add")


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def clerk(make_user: MakeUser) -> User:
    return make_user("clerk", email="clerk@example.com", is_staff=True)


@pytest.fixture
def manager(make_user: MakeUser) -> User:
    user = make_user("manager", email="manager@example.com", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="change_rule"))
    return user


def form(**changes: Any) -> dict[str, Any]:
    return {"name": "Mine", "kinds": ["sync.failed"], "digest_minutes": "15", **changes}


def page(rule: Rule, name: str = "change") -> str:
    return reverse(f"admin:notifications_rule_{name}", args=[rule.pk])


def test_every_member_of_staff_makes_rules_for_the_own_mails_alone(clerk: User, manager: User) -> None:
    others = Rule.objects.create(name="Another person's", user=manager, kinds=["sync.failed"])
    client = signed_in(clerk)
    # The fields of receivers are not in this person's form, so what is sent for them does nothing.
    sent = client.post(ADD, form(to=f"user:{manager.pk}", url="https://chat.example.org/", target="webhook"))
    assert sent.status_code == 302
    own = Rule.objects.exclude(pk=others.pk).get()
    assert (own.target, own.user, own.url, own.created_by_name) == ("person", clerk, "", "clerk")

    listed = client.get(LIST).content.decode()
    assert ("Mine" in listed, "Another person" in listed) == (True, False)
    for name in ("change", "delete", "pause", "secret"):
        assert client.post(page(others, name), {"_form_submitted": "True", "post": "yes"}).status_code in (
            302,
            403,
            404,
        )
    others.refresh_from_db()
    assert others.paused_at is None
    assert client.post(page(own, "pause"), {"_form_submitted": "True"}).status_code in (200, 302)
    own.refresh_from_db()
    assert own.paused_at


def test_a_rule_whose_mails_cannot_arrive_says_so_when_it_is_saved_and_in_the_list(
    clerk: User, settings: Settings
) -> None:
    client = signed_in(clerk)
    settings.EMAIL_HOST = ""
    told = client.post(ADD, form(), follow=True).content.decode()
    assert "Nothing of this rule arrives yet: this hub has no mail server: FEDHUB_EMAIL_URL is not set." in told
    listed = client.get(f"{LIST}?tab=unreachable").content.decode()
    assert "Mine" in listed and "Cannot arrive" in listed
    assert "Mine" not in client.get(f"{LIST}?tab=active").context["cl"].result_list.values_list("name", flat=True)

    settings.EMAIL_HOST = "mail.example.com"
    assert client.get(f"{LIST}?tab=active").context["cl"].result_count == 1
    User.objects.filter(pk=clerk.pk).update(email="")
    told = client.post(page(Rule.objects.get()), form(), follow=True).content.decode()
    assert "Nothing of this rule arrives yet: clerk has no e-mail address." in told
    assert client.get(f"{LIST}?tab=active").context["cl"].result_count == 0
    assert client.get(f"{LIST}?tab=unreachable").context["cl"].result_count == 1


def test_the_menu_shows_the_pages_of_notifications_unfolded_under_their_own_names(clerk: User) -> None:
    client = signed_in(clerk)
    groups = {group.get("title"): group for group in client.get(LIST).context["sidebar_navigation"]}
    items = {item["title"]: item["link"] for item in groups["Notifications"]["items"]}
    assert items == {"Notification rules": LIST, "Deliveries": reverse("admin:notifications_delivery_changelist")}
    assert not groups["Notifications"].get("collapsible")


def test_a_webhook_is_checked_gets_a_secret_once_and_is_tested(
    manager: User,
    httpserver: HTTPServer,
    loopback_allowed: None,  # noqa: F811
) -> None:
    client = signed_in(manager)
    for url in ("", "http://192.168.0.7/hook", "https://10.0.0.1/hook", "ftp://chat.example.org/"):
        refused = client.post(ADD, form(to="webhook", url=url))
        assert (refused.status_code, Rule.objects.count()) == (200, 0), url
    httpserver.expect_request("/hook").respond_with_data("hello hub", status=202)
    made = client.post(ADD, form(to="webhook", url=httpserver.url_for("/hook")))
    rule = Rule.objects.get()
    assert made["location"] == page(rule, "secret")

    shown = client.post(page(rule, "secret"), follow=True)
    secret = shown.context["secret"]
    assert secret in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    assert secret not in client.get(page(rule)).content.decode() + client.get(page(rule, "secret")).content.decode()

    client.post(page(rule, "send_test"), {"_form_submitted": "True"})
    delivery = Delivery.objects.get()
    answer = client.get(reverse("admin:notifications_delivery_change", args=[delivery.pk])).content.decode()
    assert "hello hub" in answer and "202" in answer and delivery.webhook_id in answer
    (request,) = received(httpserver)
    assert Webhook(secret).verify(request.data, dict(request.headers))


def test_an_edit_keeps_the_federations_that_the_person_may_not_see(
    clerk: User, make_federation: MakeFederation
) -> None:
    hidden = make_federation(display_name="Hidden")
    rule = Rule.objects.create(name="Mine", user=clerk, kinds=["sync.failed"], federations=[hidden.pk])
    client = signed_in(clerk)
    assert "Hidden" not in client.get(page(rule)).content.decode()
    client.post(page(rule), form(name="Still mine"))
    rule.refresh_from_db()
    assert (rule.name, rule.federations, rule.user) == ("Still mine", [hidden.pk], clerk)


def test_a_secret_is_not_found_letter_by_letter_and_a_group_is_told(manager: User) -> None:
    client = signed_in(manager)
    team = Group.objects.create(name="On call")
    manager.groups.add(team)
    client.post(ADD, form(to=f"group:{team.pk}", url="https://left.example.org/"))
    rule = Rule.objects.get()
    assert (rule.target, rule.group, rule.url) == ("group", team, "")
    assert client.get(f"{LIST}?secret__startswith=g").status_code in (302, 400)
