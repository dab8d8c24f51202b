"""Sessions: listed, ended by their person, by superusers, and by a change of the password; and the question again."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import NoReverseMatch, reverse

from core.people.models import UserSession
from core.people.sessions import forget_sessions, sessions_of
from fedhub.sensitive_pages import ASK_AT_ONCE, ASK_AT_SENDING
from peers.models import Peer
from peers.services.trust.peers import add_peer
from tests.app.core.people.provider import Provider, come_back, is_signed_in, sign_in, start
from tests.app.federations.admin.cloud import STAFF
from tests.conftest import MakeUser

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def grace(make_user: MakeUser) -> User:
    return make_user("grace", is_staff=True, is_superuser=True)


def signed_in(user: User, **extra: Any) -> Client:
    client = Client(**extra)
    client.force_login(user)
    return client


def make_old(client: Client) -> None:
    """Let the last proof of the client's session be 16 minutes old."""
    session = client.session
    session["people"] |= {"proved_at": time.time() - 960}
    session.save()


def test_a_person_sees_and_ends_the_own_sessions(grace: User, make_user: MakeUser) -> None:
    here, there, foreign = signed_in(grace), signed_in(grace), signed_in(make_user("other", is_staff=True))
    there.get("/admin/", headers={"user-agent": "Netscape"})
    row = UserSession.objects.get(session_key=there.session.session_key)
    other = UserSession.objects.get(session_key=foreign.session.session_key)
    assert [shown.pk for shown, *_ in here.get("/admin/security/").context["sessions"]].count(row.pk) == 1

    assert here.post(f"/admin/security/end/{other.pk}/").status_code == 404
    here.post(f"/admin/security/end/{row.pk}/")
    assert (is_signed_in(here), is_signed_in(there), is_signed_in(foreign)) == (True, False, True)
    here.post("/admin/security/end-others/")
    assert list(sessions_of(grace).values_list("session_key", flat=True)) == [here.session.session_key]


def test_a_superuser_ends_sessions_of_others_and_staff_see_none(grace: User, make_user: MakeUser) -> None:
    other = make_user("other", is_staff=True)
    theirs, mine = signed_in(other), signed_in(grace)
    row = UserSession.objects.get(user=other)
    assert theirs.get(reverse("admin:people_usersession_changelist")).status_code == 403
    ticked = {"action": "end_selected", "_selected_action": [row.pk]}
    asked = mine.post(reverse("admin:people_usersession_changelist"), ticked)
    assert "signed out at once" in asked.content.decode() and UserSession.objects.filter(pk=row.pk).exists()
    mine.post(reverse("admin:people_usersession_changelist"), {**ticked, "confirmed": "1"})
    assert not is_signed_in(theirs)


@pytest.mark.parametrize("change", ["password", "inactive"])
def test_a_change_of_the_password_or_of_the_account_ends_all_sessions(grace: User, change: str) -> None:
    clients = [signed_in(grace), signed_in(grace)]
    if change == "password":
        grace.set_password("entirely new words")
    else:
        grace.is_active = False
    grace.save()
    assert not any(is_signed_in(client) for client in clients)
    User.objects.update(is_active=True)
    assert not any(is_signed_in(client) for client in clients)
    assert not UserSession.objects.exists()


def test_the_session_in_which_the_password_is_changed_stays_listed(grace: User) -> None:
    here, there = signed_in(grace), signed_in(grace)
    new = "entirely new words"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert here.post("/admin/password_change/", form).status_code == 302
    assert (is_signed_in(here), is_signed_in(there)) == (True, False)
    assert [row.session_key for row in sessions_of(grace)] == [here.session.session_key]


def test_a_session_from_before_the_marks_is_not_signed_in(grace: User) -> None:
    client = signed_in(grace)
    session = client.session
    del session["people"]
    session.save()
    assert not is_signed_in(client)


def test_sessions_that_are_over_are_forgotten(grace: User) -> None:
    client = signed_in(grace)
    kept = signed_in(grace)
    client.logout()
    assert forget_sessions() == 1
    assert UserSession.objects.get().session_key == kept.session.session_key


@pytest.mark.parametrize("name", [*ASK_AT_ONCE, *ASK_AT_SENDING])
def test_each_sensitive_page_exists_and_asks_again(grace: User, name: str) -> None:
    client = signed_in(grace)
    make_old(client)
    try:
        path = reverse(f"admin:{name}")
    except NoReverseMatch:
        path = reverse(f"admin:{name}", args=["1"])
    answer = client.get(path) if name in ASK_AT_ONCE else client.post(path)
    assert answer["Location"].startswith("/admin/sign-in/confirm/?next=%2Fadmin%2F")
    if name in ASK_AT_SENDING:
        assert not client.get(path).headers.get("Location", "").startswith("/admin/sign-in/confirm/")


def test_a_peer_is_approved_only_after_a_new_proof(grace: User) -> None:
    peer = add_peer("https://partner.example.org", by=STAFF)
    path = reverse("admin:peers_peer_approve", args=[peer.pk])
    client = signed_in(grace)
    make_old(client)
    form = {"fingerprint": "", "reason": "known since May", "review_by": ""}

    asked = client.post(path, form)["Location"]
    assert Peer.objects.get().state == "proposed"
    page = client.get(asked)
    assert b"Nothing was changed yet" in page.content
    assert b"not right" in client.post(asked, {"password": "wrong", "next": page.context["next"]}).content
    assert client.post(path, form)["Location"] == asked
    kept = client.post(asked, {"password": PASSWORD, "next": page.context["next"]}, follow=True)
    assert kept.context["kept"].path == path
    assert b'name="reason" value="known since May"' in kept.content
    assert client.get("/admin/sign-in/send-form/").status_code == 302
    assert client.get(path).status_code == 200


def proved_again(client: Client, asked: str) -> Any:
    """Give the password at the address `asked`, and return the page to which that leads."""
    shown = client.get(asked)
    assert b"Nothing was changed yet" in shown.content
    return client.post(asked, {"password": PASSWORD, "next": shown.context["next"]}, follow=True)


@pytest.mark.parametrize("name", [name for name in ASK_AT_SENDING if not name.endswith(("add", "changelist"))])
def test_what_a_dialog_sent_too_late_is_kept_and_sent_after_the_proof(grace: User, name: str) -> None:
    client = signed_in(grace)
    make_old(client)
    try:
        path = reverse(f"admin:{name}")
    except NoReverseMatch:
        path = reverse(f"admin:{name}", args=["1"])
    page = f"http://testserver{reverse('admin:peers_peer_changelist')}"
    form = {"_form_submitted": "True", "reason": "They called us", "csrfmiddlewaretoken": "x"}
    answer = client.post(path, form, headers={"HX-Request": "true", "referer": page})
    assert answer.status_code == 204
    back = proved_again(client, answer["HX-Redirect"])
    kept = back.context["kept"]
    assert (kept.path, kept.is_kept) == (path, True)
    assert ["reason", "They called us"] in kept.fields
    text = back.content.decode()
    assert "not done yet" in text and "They called us" in text and f'action="{path}"' in text


def test_a_kept_dialog_is_done_when_its_page_sends_it(grace: User) -> None:
    peer = add_peer("https://partner.example.org", by=STAFF)
    Peer.objects.update(state="rejected")
    client = signed_in(grace)
    make_old(client)
    path = reverse("admin:peers_peer_repropose", args=[peer.pk])
    form = {"_form_submitted": "True", "reason": "They called us"}
    asked = client.post(path, form, headers={"HX-Request": "true"})["HX-Redirect"]
    page = proved_again(client, asked)
    kept = page.context["kept"]
    # The page says which step it is.
    assert "Propose again" in page.content.decode().partition("<main")[2].partition("<form")[0]
    assert Peer.objects.get().state == "rejected"
    assert client.post(kept.path, dict(kept.fields))["location"] == reverse("admin:peers_peer_change", args=[peer.pk])
    assert Peer.objects.get().state == "proposed"
    decision = peer.decisions.first()
    assert decision is not None and decision.reason == "They called us"


def test_a_form_without_a_field_is_kept_too(grace: User) -> None:
    client = signed_in(grace)
    make_old(client)
    asked = client.post("/admin/security/end-others/")["Location"]
    assert proved_again(client, asked).context["kept"].is_kept


@pytest.mark.parametrize("extra", [{}, {"HX-Request": "true"}])
@pytest.mark.parametrize("form", [{"key": "the key of a peer"}, {"reason": "x" * 30_000}])
def test_a_secret_or_large_form_is_not_kept_and_the_page_says_so(
    grace: User, form: dict[str, str], extra: dict[str, str]
) -> None:
    client = signed_in(grace)
    make_old(client)
    page = reverse("admin:peers_peer_changelist")
    sent = client.post(
        reverse("admin:peers_peer_outbound_key", args=["1"]),
        form,
        headers={"referer": f"http://testserver{page}", **extra},
    )
    assert client.session["kept_form"]["fields"] == []
    back = proved_again(client, sent.headers.get("HX-Redirect") or sent["Location"])
    text = back.content.decode()
    main = text.partition("<main")[2].partition("</main>")[0]
    assert "was not done" in main and f'{page}"' in main and "<form" not in main


def test_whoever_does_not_want_the_step_goes_back_without_it(grace: User) -> None:
    client = signed_in(grace)
    make_old(client)
    list_page = reverse("admin:peers_peer_changelist")
    for page, leave in {list_page: list_page, "https://evil.example.com/": "/admin/"}.items():
        path = reverse("admin:peers_peer_approve", args=["1"])
        asked = client.get(path, headers={"referer": f"http://testserver{page}" if page == list_page else page})
        for shown in (client.get(asked["Location"]), client.post(asked["Location"], {"password": "wrong"})):
            assert f'{leave}"' in shown.content.decode().partition("<main")[2].partition("Go back without it")[0]
            assert "evil" not in shown.context["leave"]


def test_wrong_passwords_at_the_question_are_limited(grace: User) -> None:
    client = signed_in(grace)
    answers = [client.post("/admin/sign-in/confirm/", {"password": "no"}).status_code for _ in range(11)]
    assert answers == [200] * 10 + [429]


@pytest.mark.parametrize(
    ("claims", "is_proved"),
    [({}, True), ({"auth_time": 1}, False), ({"auth_time": None}, False), ({"sub": "eve-2"}, False)],
)
def test_a_provider_proves_again_only_by_a_fresh_sign_in_of_the_same_person(
    client: Client, provider: Provider, ada: User, claims: dict[str, Any], is_proved: bool
) -> None:
    client.force_login(ada)
    make_old(client)
    provider.userinfo = {"sub": claims.get("sub", "ada-1")}
    asked = start(client, purpose="confirm", next="/admin/security/app/")
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    come_back(client, asked, provider.issue(asked, **claims), provider.issuer)
    assert (client.get("/admin/security/app/").status_code == 200) is is_proved


def test_a_sign_in_at_a_provider_that_did_not_ask_is_no_fresh_proof(
    client: Client, provider: Provider, ada: User
) -> None:
    provider.userinfo = {"sub": "ada-1"}
    sign_in(client, provider, auth_time=int(time.time()) - 1000)
    assert is_signed_in(client)
    assert client.get("/admin/security/app/")["Location"].startswith("/admin/sign-in/confirm/")


def test_the_way_back_from_a_form_is_its_page(grace: User) -> None:
    client = signed_in(grace)
    make_old(client)
    path = reverse("admin:peers_peer_resume", args=["1"])
    for page, back in {
        "http://testserver/admin/peers/peer/": "http://testserver/admin/peers/peer/",
        "https://evil.example.com/": path,
    }.items():
        answer = client.post(path, {"reason": "kept"}, headers={"referer": page})
        assert "send-form" in answer["Location"]
        assert client.session["kept_form"]["page"] == back


def test_an_account_at_a_provider_is_linked_once(
    client: Client, provider: Provider, ada: User, make_user: MakeUser
) -> None:
    grace = make_user("grace", is_staff=True)
    client.force_login(grace)
    for subject, count in (("ada-1", 0), ("grace-2", 1)):
        provider.userinfo = {"sub": subject}
        asked = start(client, purpose="link", token=client.get("/admin/security/").context["link_token"])
        come_back(client, asked, provider.issue(asked, sub=subject), provider.issuer)
        assert grace.identities.count() == count
    assert client.get("/admin/sign-in/with/two/", {"purpose": "link", "token": "another"}).status_code == 404
