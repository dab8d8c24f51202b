"""The panel above a peer's form: its state, warnings, keys, traffic, decisions and journal."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from core.admin.cells import row_link, time_since
from core.admin.labels import label
from peers.admin.journal import journal_url, refusals_url
from peers.admin.labels import (
    KEY_COLORS,
    PEER_COLORS,
    SIGNED_BY_PREVIOUS,
    WITHDRAWAL_COLORS,
    key_origin,
    key_state,
    peer_state,
    short_fingerprint,
    trusted_until,
)
from peers.admin.peer_actions import NEXT_STEP
from peers.admin.peer_traffic import traffic_of
from peers.models import JournalEntry, JournalKind, KeyState, Peer, PeerDecision, PeerKey, PeerState
from peers.services.answer_words import NOT_APPROVED, meaning_of
from peers.services.inbox.explain.refused import refusal_of_line
from peers.services.journal_words import line_words
from peers.services.outbox.pauses import PAUSED, pause_end
from peers.services.trust.peers import STOPPED
from peers.services.trust.proofs import Untrusted
from peers.services.trust.restore_boundary import is_held_back
from peers.services.trust.standing import Standing, standing_of

MAX_LINES_SHOWN, MAX_LINES_READ = 8, 100
LATELY = timedelta(days=7)


def overview_of(peer: Peer) -> dict[str, Any]:
    """Return the context of `peers/peer_overview.html` without `log_warnings`."""
    now = timezone.now()
    keys, decisions = list(peer.keys.all()), list(peer.decisions.all()[:MAX_LINES_SHOWN])
    tokens = peer.tokens.filter(revoked_at=None, expires_at__gt=now).count()
    standing = standing_of(keys, tokens, now)
    proposed = [key for key in keys if key.state == KeyState.PROPOSED and key.is_offered]
    return {
        "peer": peer,
        "state_label": label(peer_state(peer, standing), PEER_COLORS),
        "is_approved_without_key": peer.state == PeerState.APPROVED and not keys and not tokens,
        "has_no_trusted_key": peer.state == PeerState.APPROVED and standing == Standing.NO_KEY,
        "changed_keys": proposed if peer.state == PeerState.APPROVED else [],
        "withdrawn_keys": [key for key in keys if key.withdrawal and key.is_valid_at(now)],
        "is_held_back": is_held_back(peer, now),
        "last_decision": decisions[0] if decisions else None,
        "next_step": NEXT_STEP[peer.state],
        "is_self_proposed": peer.state == PeerState.PROPOSED and bool(peer.proposed_from),
        "is_review_due": bool(
            peer.review_by and peer.state == PeerState.APPROVED and peer.review_by <= timezone.localdate()
        ),
        "is_without_key": peer.state == PeerState.PROPOSED and not keys,
        "is_not_approved_there": peer.state == PeerState.APPROVED and meaning_of(peer.agents_error) is NOT_APPROVED,
        "is_paused": pause_end(peer, now=now) is not None,
        "circuit_open": bool(peer.circuit_open_until and peer.circuit_open_until > now),
        "key_table": _key_table(keys, now),
        "decision_table": _decision_table(decisions, keys),
        **_journal(peer, now),
        "valid_tokens": tokens,
        "requests_per_minute": f"{limit:,}" if (limit := settings.FEDHUB_PEER_REQUESTS_PER_MINUTE) else "",
        "fetched": time_since(peer.documents_fetched_at) if peer.documents_fetched_at else "never",
        **traffic_of(peer, now),
    }


def _key_table(keys: list[PeerKey], now: datetime) -> dict[str, list[Any]]:
    rows = [
        [
            row_link(key, short_fingerprint(key.fingerprint)),
            label(key_state(key, now), KEY_COLORS),
            f"{key_origin(key)}; {SIGNED_BY_PREVIOUS}" if key.is_continuous else key_origin(key),
            time_since(key.created_at),
            trusted_until(key),
            label(way, WITHDRAWAL_COLORS) if (way := key.get_withdrawal_display()) else "-",
        ]
        for key in keys
    ]
    return {"headers": ["Key", "State", "Origin", "First seen", "Trusted until", "Its owner says"], "rows": rows}


def _decision_table(decisions: list[PeerDecision], keys: list[PeerKey]) -> dict[str, list[Any]]:
    rows = [
        [
            time_since(row.decided_at),
            f"{row.from_state or 'new'} → {row.to_state}",
            row.actor_name or "the hub",
            row.reason or "-",
            _key_of(row, keys),
            str(row.review_by or "-"),
        ]
        for row in decisions
    ]
    return {"headers": ["When", "Decision", "By", "Why", "Key", "Review by"], "rows": rows}


def _key_of(decision: PeerDecision, keys: list[PeerKey]) -> Any:
    if not decision.fingerprint:
        return "-"
    found = next((key for key in keys if key.fingerprint == decision.fingerprint), None)
    text = short_fingerprint(decision.fingerprint)
    return row_link(found, text) if found else text


def _journal(peer: Peer, now: datetime) -> dict[str, Any]:
    """Return the newest lines about the peer, and the newest message of it that the hub refused lately.

    The table has at most one line about refused messages, because a sender may cause them without end.
    """
    lines = list(JournalEntry.objects.filter(peer_url=peer.server_url)[:MAX_LINES_READ])
    refused = next((line for line in lines if line.kind == JournalKind.REFUSED), None)
    shown = [line for line in lines if line.kind != JournalKind.REFUSED or line is refused][:MAX_LINES_SHOWN]
    rows = [
        [time_since(line.at), line.get_kind_display(), line_words(line.kind, line.text), line.actor_name or "the hub"]
        for line in shown
    ]
    is_lately = refused is not None and now - refused.at < LATELY
    return {
        "stopped": _newest(_since_approval(lines), STOPPED) if peer.state != PeerState.APPROVED else "",
        "pause_reason": _newest(lines, PAUSED).partition(": ")[2] if pause_end(peer, now=now) else "",
        "journal_table": {"headers": ["When", "About", "Event", "By"], "rows": rows},
        "journal_url": journal_url(peer.server_url),
        "refusal": _refusal(refused, peer) if refused and is_lately else None,
    }


def _since_approval(lines: list[JournalEntry]) -> list[JournalEntry]:
    """Return the lines, newest first, that are newer than the last approval: an earlier stop is over."""
    return list(takewhile(lambda line: not line.text.partition(":")[0].endswith(f"-> {PeerState.APPROVED}"), lines))


def _newest(lines: list[JournalEntry], beginning: str) -> str:
    """Return the newest text that has this beginning; "" if none of the lines has it."""
    return next((line.text for line in lines if line.text.startswith(beginning)), "")


def _refusal(line: JournalEntry, peer: Peer) -> dict[str, Any]:
    found = refusal_of_line(line)
    return {
        "is_proven": found is None or found.is_proven or found.detail == Untrusted.PROPOSED,
        "said": line_words(line.kind, line.text).partition(": ")[2].partition("; ")[0],
        "at": time_since(line.at),
        "url": reverse("admin:peers_journalentry_change", args=[line.pk]),
        "all_url": refusals_url(peer.server_url),
    }
