"""The dashboard's cards about peers: proposals, changed keys, due reviews and failed deliveries that wait for staff."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from peers.models import WAITING_DEAD, Dispatch, KeyState, KeyWithdrawal, OutboundCallback, Peer, PeerKey, PeerState


def dashboard_cards(request: HttpRequest) -> list[dict[str, Any]]:
    """Return number, title, link and icon of each card; no card for a zero, none at all without the right to see peers.

    The number of queries is constant.
    """
    if not request.user.has_perm("peers.view_peer"):
        return []
    proposed = Peer.objects.filter(state=PeerState.PROPOSED).count()
    approved = Peer.objects.filter(state=PeerState.APPROVED)
    proposed_keys = PeerKey.objects.filter(state=KeyState.PROPOSED, withdrawal="", peer__in=approved)
    changed = proposed_keys.order_by().values("peer").distinct().count()
    reviews = approved.filter(review_by__lte=timezone.localdate()).count()
    peers = reverse("admin:peers_peer_changelist")
    sent, owed = reverse("admin:peers_dispatch_changelist"), reverse("admin:peers_outboundcallback_changelist")
    withdrawn = _withdrawn_keys(approved)
    cards = [
        _card(proposed, "proposed peer{}", f"{peers}?state__exact=proposed", "handshake"),
        _card(changed, "changed key{}", f"{peers}?look=key", "key"),
        *(
            _card(withdrawn.get(way.value, 0), f"key{{}} {way.label}", f"{peers}?look=withdrawn", "key_off")
            for way in KeyWithdrawal
        ),
        _card(reviews, "review{} due", f"{peers}?look=review", "event"),
        _card(_dead(Dispatch), "dispatch{} given up", f"{sent}?work=dead", "outbox"),
        _card(_dead(OutboundCallback), "callback{} given up", f"{owed}?work=dead", "call_made"),
    ]
    return [card for card in cards if card["number"]]


def _withdrawn_keys(approved: QuerySet[Peer]) -> dict[str, int]:
    """Return the number of pinned keys of approved peers that their owners withdrew, for each kind of withdrawal."""
    pinned = PeerKey.objects.filter(state=KeyState.PINNED, peer__in=approved).exclude(withdrawal="")
    return dict(pinned.order_by().values_list("withdrawal").annotate(Count("pk")))


def _dead(model: type[Dispatch] | type[OutboundCallback]) -> int:
    return model._default_manager.filter(WAITING_DEAD).count()


def _card(number: int, title: str, href: str, icon: str) -> dict[str, Any]:
    ending = "" if number == 1 else "es" if title.startswith("dispatch") else "s"
    return {"number": number, "title": title.format(ending), "href": href, "icon": icon}
