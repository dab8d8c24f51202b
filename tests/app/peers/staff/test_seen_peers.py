"""What staff see of peers: what they have to decide, what a decision ends, how deliveries go, and this hub itself."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.store.unit_of_work import REGISTRY
from federations.runs.states import RunSource
from federations.services.runs.make import Work, make_run
from peers.models import (
    Dispatch,
    DispatchReceipt,
    FailedDeliveries,
    IssuedDelegation,
    JournalEntry,
    KeyOrigin,
    OutboundCallback,
    Peer,
    PeerAgent,
    ReceivedDispatch,
    RegisteredAgent,
)
from peers.protocol.fingerprint_forms import fingerprint_words
from peers.services.outbox import circuit
from peers.services.outbox.failed_deliveries import count_failure
from peers.services.outbox.signed_requests import SendResult
from peers.services.trust.keys import approve_key, propose_key, revoke_key
from peers.services.trust.peer_tokens import issue_peer_token
from peers.services.trust.peers import add_peer, approve_peer
from peers.services.trust.rotation import announce_key, fingerprint_of, own_keys
from tests.app.peers.staff.conftest import KEY, NEXT_KEY, OPERATOR
from tests.app.peers.staff.pages import CONFIRMED, LIST, queries_of, text_of, url
from tests.conftest import MakeAgent

THIS_HUB = reverse("admin:peers_peer_this_hub")
ALL = f"{LIST}?tab=all"


def shown(client: Client, path: str) -> list[str]:
    """Return the hosts of a list's peers, in its order."""
    return [
        peer.server_url.removeprefix("https://").split(".")[0] for peer in client.get(path).context["cl"].result_list
    ]


def said(client: Client, peer: Peer, action: str, **typed: str) -> str:
    """Send an action's dialog, and return the message on the next page."""
    response = client.post(url(peer, action), CONFIRMED | typed, follow=True)
    return " ".join(str(message) for message in response.context["messages"])


@pytest.mark.django_db
def test_the_list_opens_on_what_staff_have_to_decide_the_oldest_first(admin: Client) -> None:
    now = timezone.now()
    made = {
        name: add_peer(f"https://{name}.example.org", by=OPERATOR, public_key=KEY.verification_key.base64)
        for name in ("new", "changed", "reviewed", "revoked", "well", "tokens")
    }
    Peer.objects.filter(pk=made["new"].pk).update(created_at=now - timedelta(days=2))
    for name in ("changed", "reviewed", "revoked", "well"):
        approve_peer(made[name], key_fingerprint=made[name].keys.get().fingerprint, by=OPERATOR)
    made["tokens"].keys.all().delete()
    approve_peer(made["tokens"], key_fingerprint="", by=OPERATOR)
    issue_peer_token(made["tokens"], days=1, by=OPERATOR)
    propose_key(made["changed"], NEXT_KEY.verification_key, origin=KeyOrigin.PUBLISHED, by=OPERATOR)
    Peer.objects.filter(pk=made["reviewed"].pk).update(review_by=(now - timedelta(days=1)).date())
    revoke_key(made["revoked"].keys.get(), by=OPERATOR)

    assert shown(admin, LIST) == ["new", "reviewed", "changed", "revoked"]
    opened = admin.get(LIST)
    # The pages and the file are those of the tab, and a search looks at all peers.
    assert opened.context["cl"].get_query_string({"p": 2}) == "?p=2&tab=decide"
    assert opened.context["cl"].current_query == "tab=decide"
    assert 'name="tab"' not in opened.content.decode()
    assert "The list opened on what waits for staff" in text_of(admin, LIST)
    assert f'href="?tab=all">Show all {len(made)}' in opened.content.decode()
    assert "The list opened on" not in text_of(admin, f"{LIST}?tab=decide")
    assert shown(admin, f"{LIST}?tab=no_key") == shown(admin, f"{LIST}?look=no_key") == ["revoked"]
    assert len(shown(admin, f"{LIST}?tab=all")) == 6
    page = text_of(admin, url(made["revoked"]))
    assert "Approved, no trusted key" in page and "the hub trusts no key of it" in page
    assert "Approved, by token only" in text_of(admin, url(made["tokens"]))
    cards = {card.title: card.number for card in admin.get(reverse("admin:index")).context["attention"]}
    assert cards["approved peer without a trusted key"] == 1
    # A revoked key is replaced like a changed one, and nothing is left to decide.
    approve_key(
        propose_key(made["revoked"], NEXT_KEY.verification_key, origin=KeyOrigin.PUBLISHED, by=OPERATOR),
        overlap_days=0,
        by=OPERATOR,
    )
    assert shown(admin, LIST) == ["new", "reviewed", "changed"]


@pytest.mark.django_db
def test_each_step_of_a_peer_says_in_numbers_what_it_ends(admin: Client, proposed: Peer, make_agent: MakeAgent) -> None:
    assert "1 key stays untrusted." in text_of(admin, url(proposed, "reject"))
    said(admin, proposed, "reject", reason="Unknown")
    said(admin, proposed, "repropose")
    fingerprint = proposed.keys.get().fingerprint
    page = text_of(admin, url(proposed, "approve"))
    assert " ".join(f"<span>{word}</span>" for word in fingerprint_words(fingerprint)) in page and "<svg" in page
    admin.post(url(proposed, "approve"), {"fingerprint": fingerprint, "compared": "on"})
    _under_way(proposed, make_agent)

    ends = [
        "2 dispatches wait",
        "1 callback waits",
        "1 delegation of sent work ends",
        "1 token ends",
        "1 unlisted agent is hidden from it",
        "1 run is cancelled",
    ]
    asked = text_of(admin, url(proposed, "suspend"))
    assert re.findall(r"<li>(.*?)\.</li>", asked) == ends
    assert f">{proposed}</strong>" in asked
    message = said(admin, proposed, "suspend", reason="Incident")
    assert ", ".join(ends) in message
    assert "Nothing is under way" in text_of(admin, url(proposed, "retire"))
    assert "is approved again. 2 dispatches go out. 1 callback goes out." in said(admin, proposed, "resume")
    assert "2 dispatches wait" in said(admin, proposed, "retire")
    said(admin, proposed, "repropose")
    admin.post(url(proposed, "approve"), {"fingerprint": fingerprint, "compared": "on"})
    said(admin, proposed, "suspend", reason="Incident")
    assert "is retired." in said(admin, proposed, "retire")
    proposed.refresh_from_db()
    assert proposed.state == "retired" and proposed.decisions.count() == 11


def _under_way(peer: Peer, make_agent: MakeAgent) -> None:
    """Store something of everything that a suspension ends."""
    now = timezone.now()
    peer.refresh_from_db()
    for name in ("d-1", "d-2"):
        sent = Dispatch.objects.create(
            id=name,
            intent_id="i",
            intent_title="x",
            peer=peer,
            target_server=peer.server_url,
            envelope="{}",
            due_at=now,
        )
    for digest, revoked_at, expires_at in (
        ("a", None, now + timedelta(1)),
        ("b", now, now + timedelta(1)),
        ("c", None, now),
    ):
        IssuedDelegation.objects.create(
            peer=peer, dispatch=sent, token_digest=digest, expires_at=expires_at, revoked_at=revoked_at
        )
    ended = {"intent_id": "i", "peer": peer, "target_server": peer.server_url, "envelope": "{}", "status": "completed"}
    of_ended_work = Dispatch.objects.create(id="d-3", **ended)
    IssuedDelegation.objects.create(peer=peer, dispatch=of_ended_work, token_digest="d", expires_at=now + timedelta(1))
    received = ReceivedDispatch.objects.create(peer=peer, dispatch_id="r", body_digest="0", accepted=True, envelope={})
    OutboundCallback.objects.create(
        received=received, peer=peer, event_type="failed", idempotency_key="k", body="{}", due_at=now
    )
    issue_peer_token(peer, days=1, by=OPERATOR)
    RegisteredAgent.objects.create(agent_id="clerk", visibility="unlisted")
    work = Work("Sort", source=RunSource.PEER, source_id=peer.pk, dispatch_id=received.pk, needs_approval=True)
    make_run(make_agent(None, "sorter"), work, by=OPERATOR)


@pytest.mark.django_db
def test_a_revoked_key_says_what_the_peer_can_still_prove(admin: Client, approved: Peer) -> None:
    issue_peer_token(approved, days=1, by=OPERATOR)
    key = approved.keys.get()

    assert "It is the last trusted key of this peer." in text_of(admin, url(key, "revoke"))
    message = admin.post(url(key, "revoke"), CONFIRMED | {"reason": "Stolen"}, follow=True).content.decode()
    assert "It is the last trusted key of this peer, 1 token still counts." in message
    assert "<li>1 token ends.</li>" in text_of(admin, url(approved, "revoke_all_tokens"))
    assert said(admin, approved, "revoke_all_tokens") == "1 token revoked."


@pytest.mark.django_db
def test_deliveries_are_paused_resumed_cleared_and_shown_by_day(admin: Client, approved: Peer) -> None:
    now = timezone.now()
    sent = Dispatch.objects.create(
        id="d-1", intent_id="i", intent_title="x", peer=approved, target_server=approved.server_url, envelope="{}",
        due_at=now + timedelta(hours=2),
    )  # fmt: skip
    Dispatch.objects.create(
        id="d-2", intent_id="i", intent_title="x", peer=approved, target_server=approved.server_url, envelope="{}",
        status="accepted", delivered_at=now - timedelta(days=2),
    )  # fmt: skip
    for _ in range(circuit.FAILURES_TO_OPEN):
        count_failure(approved, SendResult(None, "no answer"))
        circuit.record_failure(Peer.objects.get(), now=now)
    receipt = {"peer": approved, "is_sent": True, "outcome": "completed", "receipt": {}}
    DispatchReceipt.objects.create(dispatch_id="d-2", standing="differs", **receipt)
    PeerAgent.objects.create(peer=approved, agent_id="fraud", skills=[f"skill {number}" for number in range(8)])
    assert FailedDeliveries.objects.get().number == 5

    response = admin.get(url(approved))
    page, chart = response.content.decode(), response.context["delivery_chart"]
    assert [cell["text"] for cell in chart.rows[0]["cells"]] == ["0", "5"]
    assert [cell["text"] for cell in chart.rows[2]["cells"]] == ["1", "0"]
    assert "This peer does not answer." in page and "without an answer" in chart.note
    assert "Receipts that differ" in page and "skill 5 and 2 more" in page
    # MongoDB has no union: two counts are queries of their own there.
    most = 17 if connections[REGISTRY].vendor == "mongodb" else 15
    assert queries_of(admin, url(approved)) <= most

    assert "1 message can be sent" in said(admin, approved, "clear_failures")
    sent.refresh_from_db()
    assert sent.due_at is not None and sent.due_at <= timezone.now() and Peer.objects.get().circuit_open_until is None
    assert "No delivery to" in said(admin, approved, "clear_failures")
    assert "wait until" in said(admin, approved, "pause_messages", hours="3", reason="They repair it")
    assert "root paused the messages to this peer." in text_of(admin, url(approved))
    assert "The pause has ended" in said(admin, approved, "resume_messages")
    assert "are not paused" in said(admin, approved, "resume_messages")
    assert Peer.objects.get().paused_until is None
    assert JournalEntry.objects.filter(text__contains="They repair it").count() == 1


@pytest.mark.django_db
def test_several_peers_are_suspended_or_dated_at_once_and_never_approved(admin: Client) -> None:
    peers = [add_peer(f"https://p{number}.example.org", by=OPERATOR) for number in range(3)]
    Peer.objects.exclude(pk=peers[0].pk).update(state="approved")
    issue_peer_token(peers[1], days=1, by=OPERATOR)
    ticked = {"_selected_action": [peer.pk for peer in peers], "select_across": "0"}
    actions = [name for name, _ in admin.get(ALL).context["action_form"].fields["action"].choices if name]
    assert actions == ["suspend_selected", "review_selected"]

    asked = admin.post(ALL, {**ticked, "action": "review_selected", "index": "0"}).content.decode()
    assert "<strong>2</strong> approved peers" in asked and "1 other row of your selection stays" in asked
    admin.post(ALL, {**ticked, "action": "review_selected", "confirmed": "1", "review_by": "2030-01-31"})
    assert [str(peer.review_by) for peer in Peer.objects.order_by("server_url")] == ["None", "2030-01-31", "2030-01-31"]

    asked = admin.post(ALL, {**ticked, "action": "suspend_selected", "index": "0"}).content.decode()
    assert "1 token ends." in asked
    assert (
        "This field is required"
        in admin.post(ALL, {**ticked, "action": "suspend_selected", "confirmed": "1", "reason": " "}).content.decode()
    )
    done = admin.post(
        ALL, {**ticked, "action": "suspend_selected", "confirmed": "1", "reason": "Incident"}, follow=True
    )
    assert [str(message) for message in done.context["messages"]] == ["2 peers suspended. 1 token ends."]
    assert [peer.state for peer in Peer.objects.order_by("server_url")] == ["proposed", "suspended", "suspended"]


@pytest.mark.django_db
def test_this_hub_shows_what_another_hubs_staff_ask_for(admin: Client) -> None:
    announce_key(by=OPERATOR)

    page, keys = text_of(admin, THIS_HUB), own_keys()

    assert keys.announced is not None and keys.former is None
    for key in (keys.signing, keys.announced):
        fingerprint = fingerprint_of(key)
        assert fingerprint in page
        assert " ".join(f"<span>{word}</span>" for word in fingerprint_words(fingerprint)) in page
    assert page.count("<svg") == 2 and "The announced key" in page and "/.well-known/did.json" in page
