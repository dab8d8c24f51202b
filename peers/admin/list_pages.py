"""The tabs of the lists between hubs, and the columns of their CSV files."""

from __future__ import annotations

from functools import partial

from django.db.models import Q
from django.utils import timezone

from core.admin.list_export import ExportField
from core.admin.list_tabs import Tab, choice_tabs
from peers.admin.labels import REFUSED_WORK, dispatch_status, event_name, key_state, title_of_received
from peers.admin.work.outcome import outcome_of, what_happened
from peers.admin.work.sent import happened
from peers.models import (
    PUT_AWAY,
    WAITING_DEAD,
    DispatchState,
    IntentStatus,
    JournalKind,
    KeyState,
    PeerState,
    ReceiptStanding,
    Visibility,
    WorkOutcome,
)
from peers.services.agent_work.waiting import where_under_way, where_waiting
from peers.services.catalog.intents import where_status
from peers.services.inbox.work_progress import REFUSED
from peers.services.journal_words import line_words
from peers.services.trust.notices import was_refused_lately
from peers.services.trust.standing import has_changed_key, has_no_trusted_key, needs_decision, review_is_due

IS_DUE = Q(dead_at__isnull=True, due_at__isnull=False)
IS_AT_REST = Q(dead_at__isnull=True, due_at__isnull=True)
DEAD_TABS = (Tab("given_up", "Given up", WAITING_DEAD, ("dead_at", "pk")), Tab("put_away", "Put away", PUT_AWAY))


TO_DECIDE, OLDEST_DECISION = "decide", ("waits_since", "pk")
PEER_TABS = (
    Tab(TO_DECIDE, "To decide", needs_decision, OLDEST_DECISION),
    Tab("proposed", "Proposed", Q(state=PeerState.PROPOSED), OLDEST_DECISION),
    Tab("key", "Changed key", has_changed_key, OLDEST_DECISION),
    Tab("review", "Review due", review_is_due, ("review_by", "pk")),
    Tab("no_key", "No trusted key", has_no_trusted_key, OLDEST_DECISION),
    Tab("refused", "Messages refused", was_refused_lately),
    *choice_tabs("state", [choice for choice in PeerState.choices if choice[0] != PeerState.PROPOSED]),
)
PEER_EXPORT: tuple[ExportField, ...] = (
    ("Name", "display_name"),
    ("URL", "server_url"),
    ("DID", "did"),
    ("State", "state"),
    ("Relationship", "relationship"),
    ("Pinned keys", "pinned_keys"),
    ("Keys to decide about", "proposed_keys"),
    ("Review by", "review_by"),
    ("Requests before approval", "attempt_count"),
    ("Added", "created_at"),
)

KEY_TABS = (
    *choice_tabs("state", KeyState.choices),
    Tab("withdrawn", "Withdrawn by its owner", ~Q(withdrawal="")),
)
KEY_EXPORT: tuple[ExportField, ...] = (
    ("Peer", "peer.server_url"),
    ("Fingerprint (SHA-256)", "fingerprint"),
    ("State", lambda key: key_state(key, timezone.now())),
    ("Origin", "origin"),
    ("Its owner says", "withdrawal"),
    ("First seen", "created_at"),
    ("Trusted until", "valid_until"),
)

INTENT_TABS = (
    *(Tab(each.value, each.label, partial(where_status, each)) for each in IntentStatus),
    Tab("own", "Made here", Q(is_received=False)),
    Tab("received", "Received", Q(is_received=True)),
)
INTENT_EXPORT: tuple[ExportField, ...] = (
    ("Id", "id"),
    ("Title", "title"),
    ("Status", "status"),
    ("Received from a peer", "is_received"),
    ("Made by", "created_by_name"),
    ("Made", "created_at"),
)

_IS_PENDING = Q(status=DispatchState.PENDING)
_IS_FAILED = Q(status=DispatchState.FAILED, dead_at__isnull=True)
_IS_BY_STAFF = Q(reason__startswith=REFUSED)
_IS_REFUSED = (
    Q(status=DispatchState.REJECTED)
    | (_IS_FAILED & _IS_BY_STAFF)
    | Q(status=DispatchState.FAILED, dead_at__isnull=False, put_away_at__isnull=True)
)
DISPATCH_TABS = (
    Tab("pending", "Pending", _IS_PENDING & IS_DUE),
    Tab("waiting", "Waiting", _IS_PENDING & IS_AT_REST),
    *DEAD_TABS,
    # A dispatch that the hub gave up stands behind the tab that the label in its row says. One whose message the peer
    # refused at once is also under Refused, where people look for it.
    *(
        Tab(state.value, str(state.label), Q(status=state, dead_at__isnull=True))
        for state in (DispatchState.DELIVERED, DispatchState.ACCEPTED, DispatchState.COMPLETED)
    ),
    Tab(DispatchState.REJECTED.value, REFUSED_WORK, _IS_REFUSED),
    Tab(DispatchState.FAILED.value, str(DispatchState.FAILED.label), _IS_FAILED & ~_IS_BY_STAFF),
)
DISPATCH_EXPORT: tuple[ExportField, ...] = (
    ("Id", "id"),
    ("Intent", "intent_title"),
    ("Peer", "target_server"),
    ("Agent", "agent_id"),
    ("Status", dispatch_status),
    ("Attempts", "attempts"),
    ("What happened", happened),
    ("Sent by", "created_by_name"),
    ("Sent", "created_at"),
    ("Delivered", "delivered_at"),
    ("Finished", "finished_at"),
)

RECEIVED_TABS = (
    Tab("waits", "Waits for staff", where_waiting),
    Tab("under_way", "Under way", where_under_way),
    Tab("completed", "Completed", Q(outcome=WorkOutcome.COMPLETED)),
    Tab("failed", "Failed", Q(outcome=WorkOutcome.FAILED)),
    Tab("cancelled", "Cancelled", Q(outcome=WorkOutcome.CANCELLED)),
    Tab("refused", "Refused", Q(accepted=False) | Q(outcome=WorkOutcome.REFUSED)),
)
RECEIVED_EXPORT: tuple[ExportField, ...] = (
    ("Dispatch id at the peer", "dispatch_id"),
    ("Intent", title_of_received),
    ("Peer", "peer.server_url"),
    ("Agent", "agent_id"),
    ("Accepted", "accepted"),
    ("Outcome", lambda row: outcome_of(row, waits=row.waits)),
    ("What happened", what_happened),
    ("Received", "received_at"),
)

INBOUND_TABS = (
    Tab("applied", "Applied", Q(is_applied=True)),
    Tab("stored", "Only stored", Q(is_applied=False)),
)
INBOUND_EXPORT: tuple[ExportField, ...] = (
    ("Event", lambda row: event_name(row.event_type)),
    ("Dispatch id", "dispatch_id"),
    ("Intent", "dispatch.intent_title"),
    ("Peer", "dispatch.target_server"),
    ("Applied", "is_applied"),
    ("Received", "received_at"),
)

OUTBOUND_TABS = (
    Tab("due", "Due", IS_DUE),
    *DEAD_TABS,
    Tab("done", "Delivered", IS_AT_REST & Q(delivered_at__isnull=False)),
    Tab("waiting", "Waiting", IS_AT_REST & Q(delivered_at__isnull=True)),
)
OUTBOUND_EXPORT: tuple[ExportField, ...] = (
    ("Event", lambda row: event_name(row.event_type)),
    ("Dispatch id at the peer", "received.dispatch_id"),
    ("Peer", "peer.server_url"),
    ("Attempts", "attempts"),
    ("Last error", "last_error"),
    ("Made", "created_at"),
    ("Delivered", "delivered_at"),
    ("Given up", "dead_at"),
)

EVENT_TABS = (
    Tab("due", "Due", IS_DUE),
    *DEAD_TABS,
    Tab("done", "Done", IS_AT_REST & Q(finished_at__isnull=False)),
    Tab("waiting", "Waiting", IS_AT_REST & Q(finished_at__isnull=True)),
)
EVENT_EXPORT: tuple[ExportField, ...] = (
    ("Event", "kind"),
    ("Dispatch id", "dispatch_id"),
    ("Handler", "handler"),
    ("Attempts", "attempts"),
    ("Last error", "last_error"),
    ("Made", "created_at"),
    ("Finished", "finished_at"),
    ("Given up", "dead_at"),
)

VISIBILITY_TABS = tuple(choice_tabs("visible_to", Visibility.choices))
VISIBILITY_EXPORT: tuple[ExportField, ...] = (
    ("Name", "name"),
    ("Path", "path"),
    ("Federation", "federation.display_name"),
    ("Visibility", "visible_to"),
    ("Chosen by", "chooser"),
)
REGISTERED_TABS = tuple(choice_tabs("visibility", Visibility.choices))
REGISTERED_EXPORT: tuple[ExportField, ...] = (
    ("Id", "agent_id"),
    ("Server", "server_url"),
    ("Capabilities", "capabilities"),
    ("Visibility", "visibility"),
    ("Registered", "created_at"),
)

# What people look for comes first.
JOURNAL_TABS = tuple(choice_tabs("kind", sorted(JournalKind.choices, key=lambda kind: kind[0] != JournalKind.REFUSED)))
JOURNAL_EXPORT: tuple[ExportField, ...] = (
    ("When", "at"),
    ("About", "kind"),
    ("Text", lambda line: line_words(line.kind, line.text)),
    ("Peer", "peer_url"),
    ("Dispatch id", "dispatch_id"),
    ("By", "actor_name"),
)

RECEIPT_TABS = tuple(choice_tabs("standing", ReceiptStanding.choices[::-1]))
RECEIPT_EXPORT: tuple[ExportField, ...] = (
    ("Work", "work_title"),
    ("Dispatch id", "dispatch_id"),
    ("Sent", "is_sent"),
    ("Peer", "peer.server_url"),
    ("Outcome", "outcome"),
    ("Signatures", "standing"),
    ("Differs in", "differs"),
    ("Made", "made_at"),
)
