"""Rows of every kind, and the addresses of every page that shows them."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from core.tokens.services import issue_token
from federations.models import AccessLevel, Federation
from federations.services.access import grant
from federations.services.start import start_sync
from peers.models import (
    DiscoveredAgent,
    Dispatch,
    HandlerEvent,
    InboundCallback,
    Intent,
    JournalEntry,
    OutboundCallback,
    Peer,
    PeerKey,
    ReceivedDispatch,
    RegisteredAgent,
)
from peers.protocol import SigningKey
from peers.services.trust.peer_tokens import issue_peer_token
from peers.services.trust.peers import add_peer
from tests.app.federations.admin.cloud import STAFF, MemoryCloud, agent, failed_agent, federation, server, sync

KEY = SigningKey(b"1" * 32).verification_key
OTHER_KEY = SigningKey(b"2" * 32).verification_key


def make_rows(cloud: MemoryCloud) -> None:
    """Store rows of every kind, in the states that the pages show in different ways."""
    found = federation()
    grant(found, level=AccessLevel.VIEW, user=User.objects.create_user("ines.hartmann"))
    findings = (server("ledger"), server("refunds"), agent("fraud-triage"), failed_agent("kyc-review"))
    sync(found, cloud, *findings)
    sync(found, cloud, *findings[1:])
    sync(federation("Never well", region="eu-west-1"), cloud, failed_agent("broken"))
    start_sync(federation("Waiting", region="eu-north-1"), by=STAFF)
    _make_peer_rows()
    Group.objects.create(name="Operators")
    issue_token("operator", scopes=["federations-read"], days=1)
    every_day, _ = IntervalSchedule.objects.get_or_create(every=1, period="days")
    PeriodicTask.objects.get_or_create(name="Sweep jobs", defaults={"task": "federations.sweep", "interval": every_day})


def _make_peer_rows() -> None:
    proposed = add_peer("https://new.example.org", by=STAFF, public_key=OTHER_KEY.base64)
    peer = add_peer("https://partner.example.org", by=STAFF, public_key=KEY.base64)
    Peer.objects.filter(pk=peer.pk).update(state="approved")
    peer.refresh_from_db()
    issue_peer_token(peer, days=1, by=STAFF)
    intent = Intent.objects.create(title="Reconcile", description="Compare both ledgers.", state={"month": "May"})
    ways = [("d-1", "pending", None), ("d-2", "failed", timezone.now()), ("d-3", "completed", None)]
    for dispatch_id, status, dead_at in ways:
        sent = Dispatch.objects.create(
            id=dispatch_id, intent_id=intent.pk, intent_title=intent.title, peer=peer, target_server=peer.server_url,
            agent_id="fraud-triage", envelope="{}", status=status, dead_at=dead_at, state={"period": {"from": "May"}},
            last_error="HTTP 404: Agent not found" if dead_at else "",
        )  # fmt: skip
        InboundCallback.objects.create(
            dispatch=sent, dedup_key=dispatch_id, body_digest="0", event_type="failed", body={"state_delta": {"a": 1}}
        )
    received = ReceivedDispatch.objects.create(
        peer=peer,
        dispatch_id="r-1",
        body_digest="0",
        intent=intent,
        accepted=True,
        envelope={},
        agent_id="fraud-triage",
    )
    OutboundCallback.objects.create(received=received, peer=peer, event_type="failed", idempotency_key="k", body="{}")
    HandlerEvent.objects.create(
        handler="a.B", kind="federation_received", source_id="1", dispatch_id="r-1", payload={}, last_error="Refused"
    )
    RegisteredAgent.objects.create(agent_id="clerk", server_url="https://agents.example.org", capabilities=["text"])
    JournalEntry.objects.create(kind="peer", text="Proposed", peer_url=proposed.server_url, actor_name="staff")


ADDED = (Federation, Peer, Intent, RegisteredAgent, User, Group)
SPECIAL_PAGES = {
    Federation: ("remove",),
    Peer: ("approve", "issue_token"),
    PeerKey: ("approve",),
    Intent: ("dispatch_on",),
    DiscoveredAgent: ("make_public", "seen_as"),
}


def addresses() -> Iterator[str]:
    """Yield the address of each page of the admin for which a row exists."""
    yield from ("/admin/", "/admin/password_change/", "/admin/peers/peer/import/")
    yield address(Federation, "history", Federation.objects.order_by("pk")[0])
    for model, pages in SPECIAL_PAGES.items():
        for page in pages:
            yield address(model, page, model._default_manager.order_by("pk")[0])
    for model in admin.site._registry:
        yield address(model, "changelist")
        if model in ADDED:
            yield address(model, "add")
        row = model._default_manager.order_by("pk").first()
        if row is not None:
            yield address(model, "change", row)


def address(model: type[Model], page: str, row: Model | None = None) -> str:
    """Return the address of a page of the model's admin."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
    return reverse(name, args=[] if row is None else [row.pk])
