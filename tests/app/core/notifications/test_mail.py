"""Mails at a real mail server: each person gets what that person may see at the time of sending."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from core.notifications.delivery import deliver
from core.notifications.digests import tell
from core.notifications.events import NewEvent, record
from core.notifications.models import Delivery, DeliveryState, Rule
from core.notifications.rules import send_test
from federations.models import AccessLevel, Federation
from federations.services.access import grant
from tests.app.core.notifications.conftest import Inbox
from tests.conftest import MakeFederation, MakeUser

pytestmark = pytest.mark.django_db


def failed(federation: Federation, number: int = 0) -> NewEvent:
    key = f"sync.failed {federation.pk} {number}"
    text = f"The sync of {federation} failed:\r\nBcc: x@example.com"
    page = "admin:federations_federation_change"
    return NewEvent("sync.failed", key, text, federation_id=federation.pk, page=page, object_id=federation.pk)


def send_all() -> None:
    tell(timezone.now())
    for pk in Delivery.objects.filter(state=DeliveryState.WAITING).values_list("pk", flat=True):
        deliver(pk)


def test_a_member_of_a_group_gets_only_what_that_member_may_see_when_it_is_sent(
    inbox: Inbox, make_user: MakeUser, make_federation: MakeFederation
) -> None:
    ours, theirs = make_federation(display_name="Ours"), make_federation(display_name="Theirs")
    team = Group.objects.create(name="Team")
    people = {name: make_user(name, email=f"{name}@example.com") for name in ("ada", "ben", "cleo", "gone")}
    for user in people.values():
        user.groups.add(team)
    User.objects.filter(username="gone").update(is_active=False)
    for name, federation in (("ada", ours), ("cleo", ours), ("cleo", theirs)):
        grant(federation, level=AccessLevel.VIEW, user=people[name])
    Rule.objects.create(name="Failures", target="group", group=team, kinds=["sync.failed"])
    record(failed(ours), failed(theirs))
    tell(timezone.now())
    ours.grants.filter(user_id=str(people["cleo"].pk)).delete()
    send_all()

    assert {receiver: ("Ours" in text, "Theirs" in text) for receiver, text in inbox.texts.items()} == {
        "ada@example.com": (True, False),
        "cleo@example.com": (False, True),
    }
    assert dict(Delivery.objects.values_list("user__username", "state")) == {
        "ada": DeliveryState.SENT,
        "ben": DeliveryState.NOTHING,
        "cleo": DeliveryState.SENT,
    }
    mail = next(mail for mail in inbox.mails if mail["To"] == "ada@example.com")
    assert mail["Subject"] == "[fedhub] The sync of Ours failed: Bcc: x@example.com"
    assert (mail["Bcc"], mail["Auto-Submitted"]) == (None, "auto-generated")
    assert f"/admin/federations/federation/{ours.pk}/change/" in mail.get_content()


def test_a_rule_for_some_federations_tells_of_no_other_and_a_digest_counts_them(
    inbox: Inbox, make_user: MakeUser, make_federation: MakeFederation
) -> None:
    ours, theirs = make_federation(display_name="Ours"), make_federation(display_name="Theirs")
    root = make_user("root", email="root@example.com", is_superuser=True)
    Rule.objects.create(name="Ours", user=root, kinds=["sync.failed"], federations=[ours.pk])
    record(failed(theirs), *(failed(ours, number) for number in range(60)))
    send_all()

    (mail,) = inbox.mails
    assert mail["Subject"] == "[fedhub] 60 events: syncs fail (60)"
    assert "And 10 more." in mail.get_content()
    assert "Theirs" not in mail.get_content()


def test_a_refusal_of_the_mail_server_is_final_for_an_unknown_receiver_and_tried_again_for_a_busy_one(
    inbox: Inbox, make_user: MakeUser, make_federation: MakeFederation
) -> None:
    inbox.refused |= {"old@": "550 No such user", "busy@": "451 Try later"}
    for name in ("old", "busy", "none"):
        user = make_user(name, email="" if name == "none" else f"{name}@example.com", is_superuser=True)
        Rule.objects.create(name=name, user=user, kinds=["sync.failed"])
    record(failed(make_federation()))
    send_all()

    rows = {row.rule.name: row for row in Delivery.objects.select_related("rule")}
    states = {name: (row.state, row.tries.get().code, row.last_error) for name, row in rows.items()}
    assert states == {
        "old": (DeliveryState.DEAD, 550, "No such user"),
        "busy": (DeliveryState.WAITING, 451, "Try later"),
        "none": (DeliveryState.DEAD, None, "none has no e-mail address"),
    }


def test_a_test_of_a_group_mails_the_person_who_asks(inbox: Inbox, make_user: MakeUser) -> None:
    asking = make_user("asking", email="asking@example.com")
    team = Group.objects.create(name="Team")
    make_user("member", email="member@example.com").groups.add(team)
    tried = send_test(Rule.objects.create(name="Team", target="group", group=team), to=asking)
    assert (tried.state, [mail["To"] for mail in inbox.mails]) == (DeliveryState.SENT, ["asking@example.com"])


def test_without_a_mail_server_a_test_says_so(make_user: MakeUser) -> None:
    user = make_user("ada", email="ada@example.com")
    tried = send_test(Rule.objects.create(name="Mine", user=user), to=user)
    assert (tried.state, "FEDHUB_EMAIL_URL" in tried.last_error) == (DeliveryState.DEAD, True)
