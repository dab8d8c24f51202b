"""The page My tokens: who issues which token for what, and what a token for one federation reaches."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from oauth2_provider.models import get_access_token_model

from core.admin.shown_once import KEPT_SECONDS
from core.admin.shown_once import SESSION_NAME as KEPT
from core.people.marks import SESSION_NAME
from core.programs.models import TokenNote
from federations.models import AccessLevel
from federations.services.access import grant
from tests.conftest import MakeFederation, MakeUser

pytestmark = pytest.mark.django_db

LIST, NEW = reverse("own-tokens"), reverse("new-token")
ALL = reverse("admin:oauth2_provider_accesstoken_changelist")


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def form(**changes: Any) -> dict[str, Any]:
    return {"name": "Nightly", "scopes": ["federations-read"], "days": "30", "federation": "", **changes}


def seen_with(token: str) -> list[str]:
    answer = Client().get("/api/v1/federations", headers={"authorization": f"Bearer {token}"})
    return sorted(row["displayName"] for row in answer.json()["federations"])


def test_a_person_issues_uses_and_revokes_a_token(make_user: MakeUser, make_federation: MakeFederation) -> None:
    ines, tomas = make_user("ines"), make_user("tomas")
    for name in ("One", "Two"):
        grant(make_federation(name), level=AccessLevel.VIEW, user=ines)
    client = signed_in(ines)
    assert "You have no token" in client.get(LIST).content.decode()

    answer = client.post(NEW, form(), follow=True)
    assert "no-store" in answer["Cache-Control"]
    token = answer.context["token"]
    assert seen_with(token) == ["One", "Two"]
    page = client.get(LIST).content.decode()
    assert "Nightly" in page and "127.0.0.1" in page and token not in page

    row = get_access_token_model().objects.get()
    revoke = reverse("revoke-token", args=[row.pk])
    assert signed_in(tomas).post(revoke).status_code == 404
    assert "Nightly" in client.get(revoke).content.decode()
    assert seen_with(token)
    assert client.post(revoke).status_code == 302
    assert Client().get("/api/v1/federations", headers={"authorization": f"Bearer {token}"}).status_code == 401


def test_a_token_has_no_scope_that_the_roles_do_not_give_and_one_federation_no_wider_one(
    make_user: MakeUser, make_federation: MakeFederation
) -> None:
    ines, found = make_user("ines"), make_federation("One")
    make_federation("Two")
    client = signed_in(ines)
    refusals: list[dict[str, Any]] = [
        {"scopes": ["system-ops"]},
        {"scopes": []},
        {"days": "9999"},
        {"federation": found.pk},
    ]
    for refused in refusals:
        assert client.post(NEW, form(**refused)).context["form"].errors
    ines.groups.add(Group.objects.get(name="Administrator"))
    wider = client.post(NEW, form(scopes=["federations-read", "peers-read"], federation=found.pk))
    assert wider.context["form"].errors["scopes"]
    assert not get_access_token_model().objects.exists()

    token = client.post(NEW, form(federation=found.pk), follow=True).context["token"]
    assert TokenNote.objects.get().federation_id == found.pk
    assert seen_with(token) == ["One"]
    assert "Only One" in client.get(LIST).content.decode()
    ines.groups.clear()
    assert seen_with(token) == []


def test_a_reload_of_the_page_with_the_token_makes_no_second_one(make_user: MakeUser) -> None:
    client = signed_in(make_user("ines"))
    sent = client.post(NEW, form())
    assert sent.status_code == 302
    stored = json.dumps(Session.objects.get(pk=client.session.session_key).get_decoded())
    shown = client.get(sent["location"])
    token = shown.context["token"]
    assert seen_with(token) == [] and token not in stored + sent["location"]

    again = client.get(sent["location"], follow=True)
    assert again.redirect_chain == [(LIST, 302)]
    assert "shown once" in again.content.decode() and token not in again.content.decode()
    assert get_access_token_model().objects.count() == 1


def test_a_token_is_not_shown_on_another_page_nor_after_ten_minutes(make_user: MakeUser) -> None:
    client = signed_in(make_user("ines"))
    made = client.post(NEW, form())["location"]
    session = client.session
    session[KEPT] = {**session[KEPT], "path": "/admin/elsewhere/"}
    session.save()
    assert client.get(made)["location"] == LIST
    session[KEPT] = {**session[KEPT], "path": NEW, "kept_at": session[KEPT]["kept_at"] - KEPT_SECONDS - 1}
    session.save()
    assert client.get(made)["location"] == LIST
    assert KEPT not in client.session


def test_an_administrator_revokes_a_token_from_its_page_and_several_after_a_question(make_user: MakeUser) -> None:
    ines = make_user("ines")
    for name in ("Nightly", "Weekly", "Yearly"):
        signed_in(ines).post(NEW, form(name=name))
    nightly, weekly, yearly = get_access_token_model().objects.order_by("pk")
    root = signed_in(User.objects.create_superuser("root"))

    page = root.get(reverse("admin:oauth2_provider_accesstoken_change", args=[nightly.pk]))
    text = page.content.decode()
    assert "Nightly of ines" in text and f"#{nightly.pk}" not in text and 'name="_save"' not in text
    root.post(reverse("admin:oauth2_provider_accesstoken_revoke_one", args=[nightly.pk]), {"_form_submitted": "True"})
    assert set(get_access_token_model().objects.all()) == {weekly, yearly}

    ticked = {"action": "revoke_tokens", "_selected_action": [str(weekly.pk)]}
    asked = root.post(ALL, ticked)
    assert "Weekly of ines" in asked.content.decode() and "Yearly" not in asked.content.decode()
    assert set(get_access_token_model().objects.all()) == {weekly, yearly}
    root.post(ALL, {**ticked, "confirmed": "1"})
    assert set(get_access_token_model().objects.all()) == {yearly}
    assert root.get(reverse("admin:oauth2_provider_accesstoken_own_token"))["location"] == NEW
    assert reverse("admin:oauth2_provider_accesstoken_own_token") in root.get(ALL).content.decode()


def test_the_page_of_a_token_names_its_federation_to_those_who_see_it(
    make_user: MakeUser, make_federation: MakeFederation
) -> None:
    ines, found = make_user("ines"), make_federation("Ledger")
    grant(found, level=AccessLevel.VIEW, user=ines)
    signed_in(ines).post(NEW, form(federation=found.pk))
    path = reverse("admin:oauth2_provider_accesstoken_change", args=[get_access_token_model().objects.get().pk])
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_accesstoken"))
    for viewer, words in ((User.objects.create_superuser("root"), "Ledger"), (clerk, "one that you do not see")):
        text = signed_in(viewer).get(path).content.decode()
        assert words in text and found.pk not in text


def test_the_list_is_shown_and_a_new_token_asks_for_a_proof_that_is_not_old(make_user: MakeUser) -> None:
    client = signed_in(make_user("ines"))
    session = client.session
    session[SESSION_NAME] = {**session[SESSION_NAME], "proved_at": 0.0}
    session.save()
    assert client.get(LIST).status_code == 200
    assert client.get(NEW)["location"].startswith(reverse("sign-in-confirm"))
    for path in (LIST, NEW):
        assert Client().get(path)["location"].startswith(reverse("admin:login"))
    assert client.post(NEW, form())["location"].startswith(reverse("sign-in-confirm"))
    assert not get_access_token_model().objects.exists()
