"""The dashboard's part about peers: the cards of what waits for staff, and the dispatches of each day."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

from django.db.models import CharField, Count, Min, Q, QuerySet, Value
from django.http import HttpRequest
from django.urls import reverse

from core.admin.charts import BLUE, GREEN, DayChart, Series, day_chart
from core.admin.waiting import WaitingCard
from core.store.days import RecentDays
from core.store.unions import rows_of_all
from peers.admin.peers import HAS_CHANGED_KEY, WITHDREW_A_KEY, review_is_due
from peers.models import (
    WAITING_DEAD,
    Dispatch,
    HandlerEvent,
    KeyWithdrawal,
    OutboundCallback,
    OutboxRow,
    Peer,
    PeerState,
    ReceivedDispatch,
)

# The rows that a worker gave up: the name of one, of several, and the icon of the card.
DEAD_LETTERS: list[tuple[type[OutboxRow], str, str, str]] = [
    (Dispatch, "dispatch given up", "dispatches given up", "outbox"),
    (OutboundCallback, "callback given up", "callbacks given up", "call_made"),
    (HandlerEvent, "handler event given up", "handler events given up", "bolt"),
]


def waiting_cards(request: HttpRequest) -> list[WaitingCard]:
    """Return the cards of the lists that the user may open, in two queries."""
    return [*_peer_cards(request), *_dead_cards(request)]


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


def _peer_cards(request: HttpRequest) -> list[WaitingCard]:
    """Return the cards of proposed peers, of changed and withdrawn keys, and of due reviews, in one query."""
    if not _may_view(request, Peer):
        return []
    peers = reverse("admin:peers_peer_changelist")
    found = [
        (HAS_CHANGED_KEY, "keys__created_at", "peer with a changed key", "peers with a changed key", "look=key", "key"),
        *(
            (
                WITHDREW_A_KEY & Q(keys__withdrawal=way), "keys__withdrawn_at",
                f"peer with a key {way.label}", f"peers with a key {way.label}", f"look={way.value}", "key_off",
            )
            for way in KeyWithdrawal
        ),
        (
            Q(state=PeerState.PROPOSED), "created_at",
            "proposed peer", "proposed peers", "state__exact=proposed", "handshake",
        ),
        (review_is_due(), "review_by", "review due", "reviews due", "look=review", "event"),
    ]  # fmt: skip
    asked: dict[str, Any] = {}
    for index, (condition, since, *_) in enumerate(found):
        asked[f"number_{index}"] = Count("pk", filter=condition, distinct=True)
        asked[f"oldest_{index}"] = Min(since, filter=condition)
    numbers = Peer.objects.order_by().aggregate(**asked)
    return [
        WaitingCard(numbers[f"number_{index}"], one, f"{peers}?{query}", icon, numbers[f"oldest_{index}"], many)
        for index, (_, _, one, many, query, icon) in enumerate(found)
    ]


def _dead_cards(request: HttpRequest) -> list[WaitingCard]:
    """Return the cards of the messages that the hub gave up and staff did not put away, in one query."""
    allowed = [found for found in DEAD_LETTERS if _may_view(request, found[0])]
    queries = [_dead_rows(model, one) for model, one, _, _ in allowed]
    numbers = {one: (number, oldest) for one, number, oldest in rows_of_all(*queries)}
    cards = []
    for model, one, many, icon in allowed:
        number, oldest = numbers.get(one, (0, None))
        href = f"{reverse(f'admin:peers_{model._meta.model_name}_changelist')}?work=dead"
        cards.append(WaitingCard(number, one, href, icon, oldest, many))
    return cards


def _dead_rows(model: type[OutboxRow], name: str) -> QuerySet[Any, Any]:
    named = model._default_manager.filter(WAITING_DEAD).order_by().annotate(card=_text(name))
    return named.values_list("card").annotate(number=Count("pk"), oldest=Min("dead_at"))


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
