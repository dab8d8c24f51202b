"""Where an approved peer stands: which of its keys the hub trusts, and whether staff have something to decide.

The conditions are for lists and counts of peers; `standing` and `standing_of` say the same of one peer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Case, Count, DateTimeField, F, Max, Min, Q, QuerySet, When
from django.db.models.functions import Cast, Coalesce
from django.utils import timezone

from core.store.days import hub_today
from core.store.unit_of_work import subquery_or_list
from peers.models import KeyState, Peer, PeerKey, PeerState, PeerToken
from peers.protocol import TrustPolicy


class Standing(models.TextChoices):
    """How an approved peer can prove itself: by a key, by a token alone because it never had a key, or not any more."""

    KEY = "key", "Approved"
    TOKEN = "token", "Approved, by token only"
    NO_KEY = "no_key", "Approved, no trusted key"


def trusted_states() -> list[KeyState]:
    """Return the states of the keys that the hub trusts: provisional ones only while the trust policy is `open`."""
    is_open = settings.FEDHUB_TRUST_POLICY == TrustPolicy.OPEN
    return [KeyState.PINNED, *([KeyState.PROVISIONAL] if is_open else [])]


def key_is_trusted(now: datetime, prefix: str = "") -> Q:
    """Return the condition that the hub trusts a key at `now`; `prefix` leads from the queried rows to the keys."""
    state, start, end = f"{prefix}state__in", f"{prefix}valid_from__lte", f"{prefix}valid_until"
    return Q(**{state: trusted_states(), start: now}) & (Q(**{f"{end}__isnull": True}) | Q(**{f"{end}__gt": now}))


def has_changed_key() -> Q:
    """Return the condition that an approved peer has a key which waits for staff."""
    changed = PeerKey.objects.filter(state=KeyState.PROPOSED, withdrawal="").order_by()
    return Q(state=PeerState.APPROVED, pk__in=subquery_or_list(changed.values_list("peer_id", flat=True)))


def review_is_due() -> Q:
    """Return the condition that staff want to look at their decision about a peer again."""
    return Q(state=PeerState.APPROVED, review_by__lte=hub_today())


def has_no_trusted_key() -> Q:
    """Return the condition that an approved peer has no trusted key, though it is not one that has only tokens."""
    now, keys = timezone.now(), PeerKey.objects.order_by()
    trusted = keys.filter(key_is_trusted(now)).values_list("peer_id", flat=True)
    tokens = PeerToken.objects.filter(revoked_at=None, expires_at__gt=now).order_by().values_list("peer_id", flat=True)
    by_token = Q(pk__in=subquery_or_list(tokens)) & ~Q(pk__in=subquery_or_list(keys.values_list("peer_id", flat=True)))
    return Q(state=PeerState.APPROVED) & ~Q(pk__in=subquery_or_list(trusted)) & ~by_token


def has_withdrawn_key() -> Q:
    """Return the condition that an approved peer withdrew a key which the hub still trusts."""
    withdrawn = PeerKey.objects.filter(state=KeyState.PINNED, withdrawal__gt="").order_by()
    return Q(state=PeerState.APPROVED, pk__in=subquery_or_list(withdrawn.values_list("peer_id", flat=True)))


def needs_decision() -> Q:
    """Return the condition that staff have something to decide about a peer or its keys."""
    by_key = has_changed_key() | has_withdrawn_key() | has_no_trusted_key()
    return Q(state=PeerState.PROPOSED) | review_is_due() | by_key


def with_standing(peers: QuerySet[Peer]) -> QuerySet[Any]:
    """Return the peers with the numbers of their keys and tokens, and with `waits_since`.

    `waits_since` is the time since which staff have something to decide about the peer, if they have.
    """
    now = timezone.now()
    is_changed = Q(keys__state=KeyState.PROPOSED, keys__withdrawal="")
    counted = peers.annotate(
        all_keys=Count("keys", distinct=True),
        pinned_keys=Count("keys", filter=Q(keys__state=KeyState.PINNED), distinct=True),
        proposed_keys=Count("keys", filter=is_changed, distinct=True),
        trusted_keys=Count("keys", filter=key_is_trusted(now, "keys__"), distinct=True),
        valid_tokens=Count("tokens", filter=Q(tokens__revoked_at=None, tokens__expires_at__gt=now), distinct=True),
        changed_key_since=Min("keys__created_at", filter=is_changed),
        withdrawn_key_since=Min("keys__withdrawn_at", filter=Q(keys__state=KeyState.PINNED)),
        last_key_until=Max("keys__valid_until"),
    )
    return counted.annotate(
        waits_since=Case(
            When(state=PeerState.PROPOSED, then=F("created_at")),
            When(changed_key_since__isnull=False, then=F("changed_key_since")),
            When(withdrawn_key_since__isnull=False, then=F("withdrawn_key_since")),
            When(review_by__lte=hub_today(), then=Cast("review_by", DateTimeField())),
            default=Coalesce("last_key_until", "updated_at"),
        )
    )


def standing(*, trusted_keys: int, all_keys: int, valid_tokens: int) -> Standing:
    """Return how an approved peer with these numbers of keys and tokens can prove itself."""
    if trusted_keys:
        return Standing.KEY
    return Standing.NO_KEY if all_keys or not valid_tokens else Standing.TOKEN


def standing_of(keys: Sequence[PeerKey], valid_tokens: int, now: datetime) -> Standing:
    """Return how an approved peer with these keys and this number of valid tokens can prove itself at `now`."""
    states = trusted_states()
    trusted = sum(key.state in states and key.is_valid_at(now) for key in keys)
    return standing(trusted_keys=trusted, all_keys=len(keys), valid_tokens=valid_tokens)
