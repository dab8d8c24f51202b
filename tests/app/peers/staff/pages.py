"""Shared by the tests of the admin pages: addresses, ordinary rows, and rows with hostile texts."""

from __future__ import annotations

import json

from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from peers.models import (
    Dispatch,
    DispatchReceipt,
    HandlerEvent,
    InboundCallback,
    Intent,
    JournalEntry,
    OutboundCallback,
    Peer,
    ReceivedDispatch,
    RegisteredAgent,
)
from peers.services.trust.peer_tokens import issue_peer_token
from peers.services.trust.peers import (
    PeerSettings,
    add_peer,
    change_settings,
)
from tests.app.peers.staff.conftest import KEY, OPERATOR, URL
from tests.conftest import MakeAgent
from tests.stores.counting import counted_queries

LIST = reverse("admin:peers_peer_changelist")
IMPORT = reverse("admin:peers_peer_import_peers")
CONFIRMED = {"_form_submitted": "True"}
MODELS = [
    "peer",
    "peerkey",
    "intent",
    "dispatch",
    "receiveddispatch",
    "inboundcallback",
    "outboundcallback",
    "handlerevent",
    "journalentry",
    "dispatchreceipt",
    "discoveredagent",
    "registeredagent",
]
EVIL = "<script>alert(1)</script>"
EVIL_LINK = "javascript:alert(1)"


def url(row: Model, action: str = "change") -> str:
    return reverse(f"admin:peers_{row._meta.model_name}_{action}", args=[row.pk])


def text_of(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, path
    return response.content.decode()


def queries_of(client: Client, path: str) -> int:
    client.get(path)
    with counted_queries() as captured:
        assert client.get(path).status_code == 200
    return len(captured)


def hostile_rows() -> list[Model]:
    """Store a hostile text in every column that a peer can fill."""
    peer = add_peer(URL, by=OPERATOR, notes=EVIL)
    change_settings(peer, PeerSettings(EVIL, "peer", False, (), f"{EVIL} {EVIL_LINK}", None), by=OPERATOR)
    Peer.objects.filter(pk=peer.pk).update(state="approved", did=EVIL_LINK)
    odd = {EVIL: EVIL, "link": EVIL_LINK, "nested": [{"a": EVIL}]}
    intent = Intent.objects.create(title=EVIL, description=EVIL_LINK + EVIL, state=odd, constraints=odd)
    dispatch = Dispatch.objects.create(
        id="d-1",
        intent_id=intent.pk,
        intent_title=EVIL,
        peer=peer,
        target_server=URL,
        agent_id=EVIL,
        envelope=json.dumps(odd),
        reason=EVIL,
        last_error=EVIL,
        state=odd,
        attestation=odd,
        remote_intent_id=EVIL,
        trace_id=EVIL,
        dead_at=timezone.now(),
    )
    inbound = InboundCallback.objects.create(
        dispatch=dispatch, dedup_key=EVIL, body_digest="0", event_type="failed", body={"state_delta": odd}
    )
    received = ReceivedDispatch.objects.create(
        peer=peer,
        dispatch_id=EVIL,
        body_digest="0",
        intent=intent,
        accepted=True,
        message=EVIL,
        agent_id=EVIL,
        envelope=odd,
        scope=odd,
        policy=odd,
        trace_id=EVIL,
        callback_url=EVIL_LINK,
    )
    outbound = OutboundCallback.objects.create(
        received=received, peer=peer, event_type="failed", idempotency_key="k", body=EVIL, last_error=EVIL
    )
    event = HandlerEvent.objects.create(
        handler="a.B", kind="federation_received", source_id="x", dispatch_id=EVIL, payload=odd, last_error=EVIL
    )
    line = JournalEntry.objects.create(kind="peer", text=EVIL, peer_url=URL, dispatch_id=EVIL, actor_name=EVIL)
    receipt = DispatchReceipt.objects.create(
        peer=peer, is_sent=False, dispatch_id=EVIL, outcome=EVIL[:16], differs=EVIL, receipt=odd, countersignature=odd
    )
    agent = RegisteredAgent.objects.create(agent_id=EVIL, server_url=EVIL_LINK, capabilities=[EVIL])
    return [peer, intent, dispatch, inbound, received, outbound, event, line, receipt, agent]


def fill(make_agent: MakeAgent, number: int) -> None:
    peer = add_peer(f"https://p{number}.example.org", by=OPERATOR, public_key=KEY.verification_key.base64)
    Peer.objects.filter(pk=peer.pk).update(state="approved")
    issue_peer_token(peer, days=1, by=OPERATOR)
    intent = Intent.objects.create(title=f"Intent {number}")
    dispatch = Dispatch.objects.create(
        id=f"d-{number}", intent_id=intent.pk, intent_title="x", peer=peer, target_server=peer.server_url, envelope="{}"
    )
    InboundCallback.objects.create(dispatch=dispatch, dedup_key="k", body_digest="0", event_type="failed")
    received = ReceivedDispatch.objects.create(
        peer=peer, dispatch_id="d", body_digest="0", intent=intent, accepted=True, envelope={}
    )
    OutboundCallback.objects.create(received=received, peer=peer, event_type="failed", idempotency_key="k", body="{}")
    HandlerEvent.objects.create(
        handler="a.B", kind="federation_received", source_id=str(number), dispatch_id="d", payload={}
    )
    RegisteredAgent.objects.create(agent_id=f"a-{number}")
    make_agent(None, f"agent-{number}")
