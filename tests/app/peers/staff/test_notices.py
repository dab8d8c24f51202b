"""The events between hubs that people are notified of, and who may read them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from core.notifications.events import seen_by
from core.notifications.models import Event
from core.notifications.sweep import LOOK_BACK, find_missed
from peers.models import HandlerEvent, KeyOrigin, OutboundCallback, Peer, PeerKey, ReceivedDispatch
from peers.services.inbox.receive.new_rows import NewRows
from peers.services.inbox.refused import see_refusal
from peers.services.outbox.dead_letters import give_up
from peers.services.trust.keys import propose_key
from peers.services.trust.notices import note_dead_letter
from peers.services.trust.passing_lines import write_lines
from peers.services.trust.proposals import record_proposal
from tests.app.peers.staff.conftest import NEXT_KEY, OPERATOR, OTHER_KEY, URL
from tests.app.peers.staff.test_dead_letters import dead
from tests.conftest import MakeUser

pytestmark = pytest.mark.django_db(transaction=True)


def everything(peer: Peer) -> None:
    """Let each thing happen that is told, and some that are not."""
    propose_key(peer, OTHER_KEY.verification_key, origin=KeyOrigin.ENTERED, by=OPERATOR)
    propose_key(peer, NEXT_KEY.verification_key, origin=KeyOrigin.PUBLISHED, by=OPERATOR)
    for url in ("https://stranger.example.org", "https://stranger.example.org", URL):
        record_proposal(url, "", "", address="192.0.2.1", now=timezone.now())
    sent = dead(dead_at=None, due_at=timezone.now(), lease_token="t", attempts=8, peer=peer)
    give_up(sent, "another worker's", "late", now=timezone.now())
    give_up(sent, "t", "HTTP 500", now=timezone.now())
    values = {"peer": peer, "body_digest": "0", "accepted": True, "envelope": {}, "received_at": timezone.now()}
    ways = enumerate(("staff", "staff", "agent"))
    rows = [ReceivedDispatch(dispatch_id=f"r-{number}", taken_by=way, **values) for number, way in ways]
    NewRows(received=rows).write()
    for sender in (peer, peer, None):
        body = b'{"dispatch_id": "r-9", "source_server": "https://partner.example.org"}'
        see_refusal("NotTrustedError", status=403, address="192.0.2.1", peer=sender, body=body, detail="relationship")
    write_lines()


def kinds(events: Iterable[Event]) -> list[str]:
    return sorted(event.kind for event in events)


def test_each_event_between_hubs_is_told_once_and_found_again_if_it_is_lost(approved: Peer) -> None:
    everything(approved)
    recorded = {event.key: (event.text, event.peer_id) for event in Event.objects.all()}
    assert kinds(Event.objects.all()) == [
        "dead_letter", "key.changed", "message.refused", "peer.waiting", "work.by_hand",
    ]  # fmt: skip
    next_key = PeerKey.objects.get(public_key=NEXT_KEY.verification_key.base64)
    assert next_key.fingerprint in str(recorded)

    Event.objects.all().delete()
    for _ in range(2):
        find_missed(timezone.now() - LOOK_BACK)
    assert {event.key: (event.text, event.peer_id) for event in Event.objects.all()} == recorded


def test_a_person_is_told_what_the_persons_permissions_show(approved: Peer, make_user: MakeUser) -> None:
    everything(approved)
    now = timezone.now()
    for row in (
        HandlerEvent.objects.create(handler="a.B", kind="federation_received", source_id="1", dispatch_id="r-1"),
        OutboundCallback.objects.create(
            received=ReceivedDispatch.objects.all()[0],
            peer=approved,
            event_type="failed",
            idempotency_key="k",
            body="{}",
        ),
    ):
        note_dead_letter(row, "late", now=now)
    events = list(Event.objects.all())
    ways = {
        "view_peer": ["key.changed", "peer.waiting"],
        "view_receiveddispatch": ["work.by_hand"],
        "view_dispatch": ["dead_letter"],
        "view_handlerevent": ["dead_letter"],
        "view_journalentry": ["message.refused"],
        "view_federation": [],
    }
    for codename, expected in ways.items():
        user = make_user(codename)
        user.user_permissions.add(Permission.objects.get(codename=codename))
        assert kinds(seen_by(user, events)) == expected
    assert len(seen_by(make_user("root", is_superuser=True), events)) == len(events)
