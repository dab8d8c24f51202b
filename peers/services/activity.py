"""What the journal tells in the Activity of peers, keys, intents and messages, and where choices about agents are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q, QuerySet

from core.activity.lines import THE_HUB, Line, Link, Window
from core.activity.sources import (
    AnyUser,
    Owner,
    Source,
    add_owner,
    add_source,
    add_words,
    keep_under,
    record_model,
    window_of,
)
from core.activity.words import FieldWords
from federations.models import A2aAgent
from peers.models import (
    AgentVisibilityChoice,
    DiscoveredAgent,
    Dispatch,
    HandlerEvent,
    InboundCallback,
    Intent,
    JournalEntry,
    JournalKind,
    OutboundCallback,
    Peer,
    PeerKey,
    ReceivedDispatch,
    RegisteredAgent,
)
from peers.services.catalog.visibility import key_of_place
from peers.services.journal_words import line_words
from peers.services.trust.journal import JOURNAL

DISPATCH_PAGE, VIEW_DISPATCH = "admin:peers_dispatch_change", "peers.view_dispatch"
VIEW_JOURNAL = "peers.view_journalentry"
DECISIONS = (JournalKind.PEER, JournalKind.KEY, JournalKind.LOG, JournalKind.RESTORED)


def register() -> None:
    """Register the books and the words of this app."""
    record_model(RegisteredAgent, ["agent_id", "name", "description", "server_url", "capabilities", "visibility"])
    add_owner("dispatch_id", Owner("Dispatch", DISPATCH_PAGE, VIEW_DISPATCH))
    add_words(RegisteredAgent, {"capabilities": FieldWords("Skills")})
    add_words(Peer, {"fingerprint": FieldWords("Fingerprint that was compared"), "review_by": FieldWords("Review by")})
    keep_under(DiscoveredAgent, _choices_of)
    keep_under(A2aAgent, _choices_of)
    add_words(AgentVisibilityChoice, {"asks_before_work": FieldWords("Ask before work of peers")})
    add_source(Peer, Source(JOURNAL, lambda peer, user, window: _lines(_of_peer(peer), window)))
    add_source(PeerKey, Source(JOURNAL, lambda key, user, window: _lines(_of_key(key), window)))
    add_source(Intent, Source("dispatch", _dispatches_of_intent))
    for model, find in (
        (Dispatch, lambda row: row.pk),
        (ReceivedDispatch, lambda row: row.dispatch_id),
        (InboundCallback, lambda row: row.dispatch_id),
        (OutboundCallback, lambda row: row.received.dispatch_id),
        (HandlerEvent, lambda row: row.dispatch_id),
    ):
        add_source(model, Source(JOURNAL, _about_dispatch(find)))


def _choices_of(agent: Any) -> tuple[str, str]:
    return AgentVisibilityChoice._meta.label_lower, key_of_place(agent.federation_id, agent.path)


def _of_peer(peer: Peer) -> QuerySet[JournalEntry]:
    return JournalEntry.objects.filter(peer_url=peer.server_url, kind__in=DECISIONS)


def _of_key(key: PeerKey) -> QuerySet[JournalEntry]:
    of_key = Q(text__contains=key.fingerprint)
    return JournalEntry.objects.filter(of_key, peer_url=key.peer.server_url, kind=JournalKind.KEY)


def _about_dispatch(find: Any) -> Any:
    def read(row: Any, user: AnyUser, window: Window) -> Sequence[Line]:
        found = find(row) if user.has_perm(VIEW_JOURNAL) else ""
        return _lines(JournalEntry.objects.filter(dispatch_id=found), window) if found else []

    return read


def _lines(entries: QuerySet[JournalEntry], window: Window) -> Sequence[Line]:
    return [
        Line(
            at=entry.at,
            source=JOURNAL,
            key=entry.pk,
            who=entry.actor_name or THE_HUB,
            what=line_words(entry.kind, entry.text),
        )
        for entry in window_of(entries, JOURNAL, "at", window)
    ]


def _dispatches_of_intent(intent: Intent, user: AnyUser, window: Window) -> Sequence[Line]:
    if not user.has_perm(VIEW_DISPATCH):
        return []
    rows = Dispatch.objects.filter(intent_id=intent.pk).defer("envelope", "state")
    return [
        Line(
            at=row.created_at,
            source="dispatch",
            key=row.pk,
            who=row.created_by_name or THE_HUB,
            what=f"Dispatched to {row.target_server}: {row.get_status_display().lower()}",
            belongs_to=(Link("Dispatch", DISPATCH_PAGE, row.pk, VIEW_DISPATCH),),
        )
        for row in window_of(rows, "dispatch", "created_at", window)
    ]
