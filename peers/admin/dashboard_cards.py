"""The dashboard's part about peers: the cards of what waits for staff, and the dispatches of each day."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Any

from django.db.models import CharField, Count, Min, QuerySet, Value
from django.http import HttpRequest
from django.urls import reverse

from core.admin.charts import BLUE, GREEN, DayChart, Series, day_chart
from core.admin.waiting import WaitingCard
from core.store.days import RecentDays
from core.store.unions import rows_of_all
from peers.models import (
    WAITING_DEAD,
    Dispatch,
    HandlerEvent,
    KeyState,
    KeyWithdrawal,
    OutboundCallback,
    OutboxRow,
    Peer,
    PeerKey,
    PeerState,
    ReceivedDispatch,
    TakenBy,
)
from peers.services.trust.notices import events_of_refusals
from peers.services.trust.standing import has_no_trusted_key, review_is_due

PROPOSED, NO_KEY = "proposed peer", "approved peer without a trusted key"
TO_ANSWER = "dispatch to answer by hand"
REFUSED_LATELY = "peer with refused messages in the last 24 h"
# The rows that a worker gave up: the name of one, of several, and the icon of the card.
DEAD_LETTERS: list[tuple[type[OutboxRow], str, str, str]] = [
    (Dispatch, "dispatch given up", "dispatches given up", "outbox"),
    (OutboundCallback, "callback given up", "callbacks given up", "call_made"),
    (HandlerEvent, "handler event given up", "handler events given up", "bolt"),
]


def waiting_cards(request: HttpRequest) -> list[WaitingCard]:
    """Return the cards of the lists that the user may open, in two queries."""
    sees_peers, sees_received = _may_view(request, Peer), _may_view(request, ReceivedDispatch)
    dead = [found for found in DEAD_LETTERS if _may_view(request, found[0])]
    queries = [
        *([*_peer_queries(), _refused_query()] if sees_peers else []),
        *([_unanswered_query()] if sees_received else []),
        *(_dead_query(model, one) for model, one, _, _ in dead),
    ]
    numbers = {name: (number, oldest) for name, number, oldest in rows_of_all(*queries)}
    cards = _peer_cards(numbers) if sees_peers else []
    if sees_received:
        href = f"{reverse('admin:peers_receiveddispatch_changelist')}?tab=waits&taken_by__exact=staff"
        cards.append(_card(numbers.get(TO_ANSWER), TO_ANSWER, "dispatches to answer by hand", href, "reply"))
    if sees_peers:
        href = f"{reverse('admin:peers_peer_changelist')}?tab=refused"
        many = "peers with refused messages in the last 24 h"
        cards.append(_card(numbers.get(REFUSED_LATELY), REFUSED_LATELY, many, href, "block"))
    for model, one, many, icon in dead:
        href = f"{reverse(f'admin:peers_{model._meta.model_name}_changelist')}?tab=given_up"
        cards.append(_card(numbers.get(one), one, many, href, icon))
    return cards


def dispatch_chart(request: HttpRequest, days: RecentDays) -> DayChart | None:
    """Return the chart of the sent and the received dispatches of each day; None without the right to see any.

    One query.
    """
    flows = [
        ("Sent", BLUE, Dispatch, "created_at"),
        ("Received", GREEN, ReceivedDispatch, "received_at"),
    ]
    allowed = [flow for flow in flows if _may_view(request, flow[2])]
    if not allowed:
        return None
    numbers = {name: [0] * days.number for name, *_ in allowed}
    for name, day, number in rows_of_all(*(_by_day(name, model, column, days) for name, _, model, column in allowed)):
        if number:
            numbers[name][day] = number
    series = [Series(name, color, numbers[name], href=partial(_day_of, model)) for name, color, model, _ in allowed]
    return day_chart(
        f"Dispatches of the last {days.number} days", days.days, series, name="dispatches",
        empty=f"No dispatch was sent or received in the last {days.number} days.",
    )  # fmt: skip


def _peer_queries() -> list[QuerySet[Any, Any]]:
    """Return the queries of the proposed peers, and of the peers with a key that changed or was withdrawn.

    Each row has a name, the number of peers and the age of the oldest. The name is `PROPOSED`, the state of the changed
    keys, or the way in which keys were withdrawn.
    """
    proposed = Peer.objects.filter(state=PeerState.PROPOSED).order_by().annotate(card=_text(PROPOSED))
    without = Peer.objects.filter(has_no_trusted_key()).order_by().annotate(card=_text(NO_KEY))
    keys = PeerKey.objects.filter(peer__state=PeerState.APPROVED).order_by()
    changed = keys.filter(state=KeyState.PROPOSED, withdrawal="").values_list("state")
    withdrawn = keys.filter(state=KeyState.PINNED).exclude(withdrawal="").values_list("withdrawal")
    return [
        proposed.values_list("card").annotate(number=Count("pk"), oldest=Min("created_at")),
        without.values_list("card").annotate(number=Count("pk"), oldest=Min("updated_at")),
        changed.annotate(number=Count("peer", distinct=True), oldest=Min("created_at")),
        withdrawn.annotate(number=Count("peer", distinct=True), oldest=Min("withdrawn_at")),
    ]


def _unanswered_query() -> QuerySet[Any, Any]:
    """Return the query of the received dispatches that neither an agent nor a handler took."""
    waiting = ReceivedDispatch.objects.filter(taken_by=TakenBy.STAFF, is_finished=False).order_by()
    named = waiting.annotate(card=_text(TO_ANSWER)).values_list("card")
    return named.annotate(number=Count("pk"), oldest=Min("received_at"))


def _refused_query() -> QuerySet[Any, Any]:
    """Return the query of the peers of which the hub refused a message lately."""
    named = events_of_refusals().order_by().annotate(card=_text(REFUSED_LATELY)).values_list("card")
    return named.annotate(number=Count("peer_id", distinct=True), oldest=Min("at"))


def _dead_query(model: type[OutboxRow], name: str) -> QuerySet[Any, Any]:
    """Return the query of the messages that the hub gave up and staff did not put away."""
    named = model._default_manager.filter(WAITING_DEAD).order_by().annotate(card=_text(name))
    return named.values_list("card").annotate(number=Count("pk"), oldest=Min("dead_at"))


def _peer_cards(numbers: dict[str, tuple[int, datetime | None]]) -> list[WaitingCard]:
    """Return the cards that lead to the list of peers: the keys first, because a key may be stolen."""
    peers = reverse("admin:peers_peer_changelist")
    found = [
        (KeyState.PROPOSED.value, "with a changed key", "tab=key", "key"),
        *((way.value, f"with a key {way.label}", f"look={way.value}", "key_off") for way in KeyWithdrawal),
    ]
    cards = [
        _card(numbers.get(name), f"peer {text}", f"peers {text}", f"{peers}?{query}", icon)
        for name, text, query, icon in found
    ]
    no_key, proposed = f"{peers}?tab=no_key", f"{peers}?tab=proposed"
    cards.append(_card(numbers.get(NO_KEY), NO_KEY, "approved peers without a trusted key", no_key, "key_off"))
    cards.append(_card(numbers.get(PROPOSED), PROPOSED, "proposed peers", proposed, "handshake"))
    reviews = Peer.objects.filter(review_is_due()).aggregate(number=Count("pk"), oldest=Min("review_by"))
    due = f"{peers}?tab=review"
    return [*cards, _card((reviews["number"], reviews["oldest"]), "review due", "reviews due", due, "event")]


def _card(counted: tuple[int, datetime | date | None] | None, one: str, many: str, href: str, icon: str) -> WaitingCard:
    number, oldest = counted or (0, None)
    return WaitingCard(number, one, href, icon, oldest, many)


def _by_day(name: str, model: type[Any], column: str, days: RecentDays) -> QuerySet[Any, Any]:
    found = model._default_manager.filter(days.contain(column)).order_by()
    numbered = found.annotate(flow=_text(name), day_number=days.number_of(column))
    return numbered.values_list("flow", "day_number").annotate(number=Count("pk"))  # type: ignore[no-any-return]


def _text(value: str) -> Value:
    return Value(value, output_field=CharField())


def _day_of(model: type[Any], day: date) -> str:
    return f"{reverse(f'admin:peers_{model._meta.model_name}_changelist')}?day={day.isoformat()}"


def _may_view(request: HttpRequest, model: type[Any]) -> bool:
    return bool(request.user.has_perm(f"peers.view_{model._meta.model_name}"))
