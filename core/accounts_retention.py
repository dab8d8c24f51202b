"""What of the accounts goes when it is old: sessions, tokens, records of sign-ins, notifications, and the audit log.

The apps' own tasks delete most of these rows earlier.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from auditlog import get_logentry_model
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db.models import Q
from oauth2_provider.models import get_access_token_model, get_grant_model, get_refresh_token_model

from core.figures.models import Figure
from core.notifications.models import Attempt, Delivery, DeliveryState, Event, Item
from core.people.models import UserSession
from core.retention.kinds import EVIDENCE, Keys, Kind, always
from core.retention.models import KindCount
from core.signin.models import SigninRecord
from core.tokens.services import old_access_tokens, old_refresh_tokens


def _without_session(cutoff: datetime) -> Q:
    return ~Q(session_key__in=Session.objects.values("session_key"))


def _ended_deliveries(cutoff: datetime) -> Q:
    return ~Q(state=DeliveryState.WAITING)


def _untold_events(keys: Keys, cutoff: datetime) -> set[Any]:
    """Return the events that still wait for a digest."""
    return set(Item.objects.filter(event_id__in=keys, digest="").values_list("event_id", flat=True))


def _sorted_events(cutoff: datetime) -> Q:
    return Q(sorted_at__isnull=False)


KINDS: Sequence[Kind] = (
    Kind("deliveries", "Deliveries of notifications", "after their end", Delivery, "created_at", _ended_deliveries,
         below=[(Attempt, "delivery")]),
    Kind("events", "Events for notifications", "after they were told", Event, "at", _sorted_events,
         needed=_untold_events, below=[(Item, "event")]),
    Kind("sessions", "Browser sessions", "when they are over", Session, "expire_date", always, times=0),
    Kind("listed_sessions", "Sessions on people's pages", "with their session", UserSession, "seen_at",
         _without_session, times=0),
    Kind("codes", "Codes of programs' sign-ins", "when they are over", get_grant_model(), "expires", always, times=0),
    # A refresh token that was used stays for a time, so that its second use is recognized.
    Kind("refresh_tokens", "Refresh tokens", "30 days after their end", get_refresh_token_model(), "created",
         old_refresh_tokens, times=0),
    Kind("access_tokens", "Access tokens", "30 days after their end", get_access_token_model(), "created",
         old_access_tokens, times=0),
    Kind("sign_ins", "Records of failed sign-ins", "when they have no effect", SigninRecord, "forget_at", always,
         times=0),
    # Small, and the only record of who changed what; questions about an incident come months later.
    Kind("audit_log", "Audit log", "evidence, so four times as long as work", get_logentry_model(), "timestamp", always,
         times=EVIDENCE),
    Kind("admin_log", "Histories of admin pages", "evidence, so four times as long as work",
         LogEntry, "action_time", always, times=EVIDENCE),
    Kind("row_counts", "Numbers of rows by day", "after four times the days of work", KindCount, "day", always,
         times=EVIDENCE),
    Kind("figures", "Figures", "never: their number is bounded", Figure, "updated_at"),
)  # fmt: skip
