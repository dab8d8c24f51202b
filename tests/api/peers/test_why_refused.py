"""Why the hub refused a message: its own staff read the cause and the next step, the sender no more than before."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from federations.models import Federation
from peers.models import AgentVisibilityChoice, JournalEntry, Peer
from peers.protocol import errors
from peers.protocol.errors import DelegationFault, ProtocolError
from peers.services.catalog.agents import register_agent
from peers.services.inbox.explain.causes import REASONS, why
from peers.services.trust.keys import revoke_key
from peers.services.trust.passing_lines import write_lines
from peers.services.trust.peers import reject_peer, repropose_peer, resume_peer, retire_peer, suspend_peer
from tests.api.peers.callbacks import callback, dispatch_to, report
from tests.api.peers.partner import OPERATOR, SHOWN_KEY, UCAN, Partner, body_of, send
from tests.conftest import MakeAgent

JOURNAL = reverse("admin:peers_journalentry_changelist")
NOT_TRUSTED = "Source server https://alpha.example.org not trusted"


@pytest.fixture
def admin(db: None) -> Client:
    """Sign in as a superuser."""
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="a long enough password"))
    return client


def told(admin: Client) -> tuple[str, str]:
    """Return the text of the newest refusal in the list, and its page."""
    write_lines()
    line = JournalEntry.objects.filter(kind="refused").latest("at")
    listed = unescape(admin.get(f"{JOURNAL}?tab=refused").content.decode())
    page = unescape(admin.get(reverse("admin:peers_journalentry_change", args=[line.pk])).content.decode())
    cell = re.search(r"field-said[^>]*>(.*?)</t[dh]>", listed, re.DOTALL)
    assert cell
    return " ".join(re.sub("<[^>]+>", " ", cell[1]).split()), page


def try_it(sender: Partner, answer: Any = None, **changes: Any) -> Any:
    """Deliver work of the sender, which shows its key."""
    envelope = sender.signed(**changes)
    body = body_of(envelope)
    return send(body, sender.headers(body) | {SHOWN_KEY: sender.key.verification_key.base64})


def test_a_peer_of_the_other_direction_is_told_apart(admin: Client, alpha: Partner, alpha_peer: Peer) -> None:
    Peer.objects.update(relationship="downstream")
    answer = try_it(alpha)
    assert (answer.status_code, answer.json()["message"]) == (403, NOT_TRUSTED)
    listed, page = told(admin)
    for text in (listed, page):
        assert "The relationship was Downstream, so the hub took no work from this peer" in text
        assert "State, trust policy or relationship" not in text
    assert "Change the relationship on the peer's page" in page
    peers_page = reverse("admin:peers_peer_change", args=[alpha_peer.pk])
    assert f"{peers_page}#id_relationship" in page
    assert 'id="id_relationship"' in admin.get(peers_page).content.decode()


@pytest.mark.parametrize(
    ("decide", "said", "step"),
    [
        (lambda peer: suspend_peer(peer, reason="odd", by=OPERATOR), "The peer was suspended", "Press Resume"),
        (lambda peer: retire_peer(peer, reason="over", by=OPERATOR), "The peer was retired", "Press Propose again"),
    ],
)
def test_a_stopped_peer_is_named_as_such(
    admin: Client, alpha: Partner, alpha_peer: Peer, decide: Any, said: str, step: str
) -> None:
    decide(alpha_peer)
    assert try_it(alpha).json()["message"] == NOT_TRUSTED
    listed, page = told(admin)
    assert said in listed and said in page and step in page and "not proved" not in listed


def test_a_cause_that_staff_have_mended_is_told_as_of_the_past(
    admin: Client, alpha: Partner, alpha_peer: Peer, federation: Federation, make_agent: MakeAgent
) -> None:
    suspend_peer(alpha_peer, reason="odd", by=OPERATOR)
    try_it(alpha)
    assert "Press Resume" in told(admin)[1]
    resume_peer(alpha_peer, by=OPERATOR)
    page = told(admin)[1]
    assert "The peer was suspended" in page and "The peer is approved now." in page and "Press Resume" not in page
    assert "its sender's staff can send it again" in page

    Peer.objects.update(relationship="downstream")
    try_it(alpha)
    assert "Change the relationship" in told(admin)[1]
    Peer.objects.update(relationship="peer")
    page = told(admin)[1]
    assert "The relationship is Peer now." in page and "Change the relationship" not in page

    made = make_agent(federation, "analyst")
    try_it(alpha, agent_id="analyst")
    assert "Make it unlisted or public" in told(admin)[1]
    AgentVisibilityChoice.objects.create(federation_id=federation.id, path=made.path, visibility="public")
    page = told(admin)[1]
    assert "The agent analyst is public now." in page and "Make it unlisted or public" not in page


def test_a_peer_that_is_stopped_in_another_way_now_is_told_so(admin: Client, alpha: Partner, alpha_peer: Peer) -> None:
    suspend_peer(alpha_peer, reason="odd", by=OPERATOR)
    try_it(alpha)
    retire_peer(alpha_peer, reason="over", by=OPERATOR)
    page = told(admin)[1]
    assert "The peer is retired now." in page and "can send it again" not in page


def test_a_proposed_peer_waits_for_its_approval_and_is_not_unknown(admin: Client, alpha: Partner) -> None:
    peer = alpha.propose()
    assert try_it(alpha).json()["message"] == NOT_TRUSTED
    listed, page = told(admin)
    for text in (listed, page):
        assert "The sender was a proposed peer, and staff had not approved its key yet" in text
        assert "unknown" not in text and "not proved" not in text
    assert reverse("admin:peers_peer_approve", args=[peer.pk]) in page


def test_another_key_of_a_proposed_peer_proves_nothing(admin: Client, alpha: Partner) -> None:
    alpha.propose()
    body = body_of(alpha.signed())
    send(body, alpha.headers(body))
    listed, _ = told(admin)
    assert "It names a proposed peer, whose keys were not approved yet" in listed and "not proved" in listed


def test_rejected_and_unknown_senders_are_told_apart(admin: Client, alpha: Partner, stranger: Partner) -> None:
    peer = alpha.propose()
    reject_peer(peer, reason="no", by=OPERATOR)
    try_it(alpha)
    listed, page = told(admin)
    assert "Staff had rejected this peer" in listed and "Press Propose again" in page
    repropose_peer(peer, by=OPERATOR)
    try_it(stranger)
    listed, page = told(admin)
    assert "The hub did not know the sender" in listed
    # The refused message has proposed it, and the next step is the same.
    assert "compare its key and approve it" in page and "is proposed now" not in page
    assert reverse("admin:peers_peer_change", args=[Peer.objects.get(server_url=stranger.url).pk]) in page


def test_the_policy_of_the_hub_is_named(
    admin: Client, alpha: Partner, alpha_peer: Peer, settings: LazySettings
) -> None:
    settings.FEDHUB_TRUST_POLICY = "trustless"
    assert try_it(alpha).json()["message"] == NOT_TRUSTED
    assert "The hub's trust policy was trustless" in told(admin)[0]


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ("private", "The agent analyst was private: no peer saw it"),
        ("", "This hub had no agent analyst"),
    ],
)
def test_staff_read_why_a_peer_may_not_see_an_agent(
    admin: Client, alpha: Partner, alpha_peer: Peer, federation: Federation, make_agent: MakeAgent, agent: str,
    said: str,
) -> None:  # fmt: skip
    if agent:
        make_agent(federation, "analyst")
    answer = try_it(alpha, agent_id="analyst")
    assert (answer.status_code, answer.json()["message"]) == (404, "Agent not found")
    listed, page = told(admin)
    assert said in listed and said in page and "does not exist, or" not in page and "or a dispatch" not in listed
    assert (f"{reverse('admin:peers_discoveredagent_changelist')}?q=analyst" in page) == bool(agent)


def test_an_agent_registered_by_hand_leads_to_its_own_page(admin: Client, alpha: Partner, alpha_peer: Peer) -> None:
    register_agent("clerk", visibility="private")
    try_it(alpha, agent_id="clerk")
    listed, page = told(admin)
    assert "The agent clerk was private" in listed
    assert f"{reverse('admin:peers_registeredagent_changelist')}?q=clerk" in page


def test_a_refused_report_is_not_called_work(admin: Client, alpha: Partner, alpha_peer: Peer) -> None:
    dispatch = dispatch_to(alpha)
    suspend_peer(alpha_peer, reason="odd", by=OPERATOR)
    for number in range(5):
        assert report(alpha, callback(dispatch.pk, idempotency_key=str(number))).status_code == 403
    listed, page = told(admin)
    assert "The peer was suspended" in listed and "a report" in listed and "give work" not in page
    # One line for the work says as much as five.
    assert JournalEntry.objects.filter(kind="refused").count() == 1
    write_lines(now=10**9)
    assert JournalEntry.objects.filter(text__startswith="Refused 4 further messages").count() == 1


def test_a_report_that_was_refused_is_told_on_its_work_until_another_is_taken(
    admin: Client, alpha: Partner, alpha_peer: Peer
) -> None:
    dispatch = dispatch_to(alpha)
    page = reverse("admin:peers_dispatch_change", args=[dispatch.pk])
    assert report(alpha, callback(dispatch.pk, idempotency_key="1")).status_code == 200
    suspend_peer(alpha_peer, reason="odd", by=OPERATOR)
    assert report(alpha, callback(dispatch.pk, idempotency_key="2")).status_code == 403
    write_lines()
    assert "Those that it refused come once the peer's staff press Try again" in unescape(
        admin.get(page).content.decode()
    )
    resume_peer(alpha_peer, by=OPERATOR)
    text = unescape(admin.get(page).content.decode())
    line = JournalEntry.objects.get(kind="refused")
    assert "This hub refused the last report on this work" in text
    assert reverse("admin:peers_journalentry_change", args=[line.pk]) in text
    assert report(alpha, callback(dispatch.pk, idempotency_key="2")).status_code == 200
    assert "This hub refused the last report" not in unescape(admin.get(page).content.decode())


def test_too_many_requests_of_a_proven_peer_are_its_own(
    admin: Client, alpha: Partner, alpha_peer: Peer, settings: LazySettings
) -> None:
    settings.FEDHUB_PEER_REQUESTS_PER_MINUTE = 1
    try_it(alpha)
    assert try_it(alpha).status_code == 429
    listed, page = told(admin)
    assert "The peer sent more requests than this hub takes from one peer in a minute" in listed
    assert "FEDHUB_PEER_REQUESTS_PER_MINUTE" in page and "not proved" not in listed


def test_a_hub_that_is_switched_off_says_so(
    admin: Client, alpha: Partner, alpha_peer: Peer, settings: LazySettings
) -> None:
    settings.FEDHUB_ENABLED = False
    assert try_it(alpha).json()["message"] == "Federation not enabled"
    listed, page = told(admin)
    assert "The protocol between hubs was off here" in listed and "Callbacks may not" not in listed
    assert "FEDHUB_ENABLED" in page


def test_a_revoked_key_is_named(admin: Client, alpha: Partner, alpha_peer: Peer) -> None:
    key = alpha_peer.keys.get()
    revoke_key(key, reason="lost", by=OPERATOR)
    assert try_it(alpha).json()["message"] == "UnknownKey"
    listed, page = told(admin)
    for text in (listed, page):
        assert f"he sender shows the key {key.fingerprint[:19]}, which staff revoked" in text


def test_a_foreign_callback_url_and_a_bad_delegation_are_named(admin: Client, alpha: Partner, alpha_peer: Peer) -> None:
    try_it(alpha, callback_url="https://elsewhere.example.org/c")
    listed, page = told(admin)
    assert "not on the peer's own address" in listed and "Callback origins" in page
    envelope = alpha.signed()
    body = body_of(envelope)
    send(body, alpha.headers(body), **{UCAN: alpha.ucan(expires_at=int(timezone.now().timestamp()) - 30)})
    assert "had ended" in told(admin)[0]


def test_the_page_of_the_peer_knows_of_its_refused_messages(admin: Client, alpha: Partner, alpha_peer: Peer) -> None:
    Peer.objects.update(relationship="downstream")
    for _ in range(3):
        try_it(alpha)
    write_lines()
    page = unescape(admin.get(reverse("admin:peers_peer_change", args=[alpha_peer.pk])).content.decode())
    assert "The hub refused a message of this peer" in page and "nothing yet" not in page
    assert "The relationship was Downstream" in page
    line = JournalEntry.objects.filter(kind="refused").latest("at")
    assert reverse("admin:peers_journalentry_change", args=[line.pk]) in page
    assert f"{JOURNAL}?tab=refused&q=" in page
    listed = admin.get(f"{JOURNAL}?tab=refused").content.decode()
    assert f'href="{reverse("admin:peers_peer_change", args=[alpha_peer.pk])}"' in listed


def test_every_class_of_refusal_has_a_sentence_and_a_step() -> None:
    named = {
        name
        for name in errors.__all__
        if isinstance(found := getattr(errors, name), type) and issubclass(found, ProtocolError)
    }
    assert named - {"ProtocolError", "VerificationError"} <= REASONS.keys()
    for fault in DelegationFault:
        found = why("DelegationError", fault.value, is_proven=True)
        assert found and found.said != why("DelegationError", "", is_proven=True).said, fault  # type: ignore[union-attr]
    assert all(each.do for each in REASONS.values())
