"""What about peers waits for somebody: shown on the first page, to whoever may see peers."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from peers.models import Dispatch, KeyState, OutboundCallback, Peer, PeerKey, PeerState


def attention_cards(request: HttpRequest) -> list[dict[str, Any]]:
    """Return number, title and link of everything that waits, in a constant number of queries; none at zero."""
    if not request.user.has_perm("peers.view_peer"):
        return []
    proposed = Peer.objects.filter(state=PeerState.PROPOSED).count()
    approved = Peer.objects.filter(state=PeerState.APPROVED)
    changed = PeerKey.objects.filter(state=KeyState.PROPOSED, peer__in=approved).values("peer").distinct().count()
    reviews = approved.filter(review_by__lte=timezone.localdate()).count()
    peers = reverse("admin:peers_peer_changelist")
    sent, owed = reverse("admin:peers_dispatch_changelist"), reverse("admin:peers_outboundcallback_changelist")
    cards = [
        _card(proposed, "proposed peers", f"{peers}?state__exact=proposed", "handshake"),
        _card(changed, "changed keys", f"{peers}?look=key", "key"),
        _card(reviews, "reviews due", f"{peers}?look=review", "event"),
        _card(_dead(Dispatch), "dispatches given up", f"{sent}?dead_at__isempty=0", "outbox"),
        _card(_dead(OutboundCallback), "callbacks given up", f"{owed}?dead_at__isempty=0", "call_made"),
    ]
    return [card for card in cards if card["number"]]


def _dead(model: type[Dispatch] | type[OutboundCallback]) -> int:
    return model._default_manager.filter(dead_at__isnull=False).count()


def _card(number: int, title: str, href: str, icon: str) -> dict[str, Any]:
    return {"number": number, "title": title, "href": href, "icon": icon}
