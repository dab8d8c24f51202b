"""The traffic part of a peer's page: deliveries by day, what waits, its receipts, and the agents that it shows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse

from core.admin.cells import time_since
from core.admin.charts import GREEN, RED, DayChart, Series, day_chart
from core.admin.labels import format_time, format_until
from core.store.days import RecentDays, hub_today
from core.store.unions import count_each
from peers.admin.labels import plural
from peers.models import Dispatch, DispatchReceipt, OutboundCallback, Peer, PeerState, ReceiptStanding, ReceivedDispatch
from peers.services.answer_words import in_words
from peers.services.catalog.peer_agents import agents_of
from peers.services.outbox.delivery_days import DeliveryDays, QueueToPeer, delivery_days, queue_to

STRIP_DAYS = 14
MAX_AGENTS_SHOWN = 25
MAX_SKILLS_SHOWN = 6


def traffic_of(peer: Peer, now: datetime) -> dict[str, Any]:
    """Return the context of the traffic part of `peers/peer_overview.html`, in six queries."""
    sent, callbacks = queue_to(peer, Dispatch), queue_to(peer, OutboundCallback)
    numbers = count_each(
        received=ReceivedDispatch.objects.filter(peer=peer),
        differing=DispatchReceipt.objects.filter(peer=peer, standing=ReceiptStanding.DIFFERS),
    )
    delivered = max((queue.last_delivered for queue in (sent, callbacks) if queue.last_delivered), default=None)
    chart = delivery_chart(delivery_days(peer, RecentDays(hub_today(), STRIP_DAYS)), delivered)
    return {
        "cards": _cards(peer, sent.total, **numbers),
        "delivery_chart": chart,
        "has_charts": not chart.empty,
        "delivery_facts": _facts(peer, sent, callbacks, now),
        "is_without_traffic": peer.state == PeerState.APPROVED and not sent.total and not numbers["received"],
        **_agents(peer),
    }


def delivery_chart(found: DeliveryDays, delivered: datetime | None) -> DayChart:
    """Return the strip of deliveries by day: what the peer took, and the attempts that failed.

    The hub stores the last error of a day without its time, so the note also has the time of the last success.
    """
    series = [
        Series("Delivered", GREEN, found.delivered),
        Series("Failed attempts", RED, found.failed),
    ]
    last = max(found.errors, default=None)
    success = f" The last delivery that succeeded: {format_time(delivered)}." if delivered else ""
    return day_chart(
        f"Deliveries of the last {len(found.days)} days", found.days, series, name="deliveries",
        note=f"Last error, on {last:%Y-%m-%d}: {in_words(found.errors[last])}{success}"
        if last and found.errors[last]
        else "",
        empty=f"The hub sent nothing to this peer in the last {len(found.days)} days.",
    )  # fmt: skip


def _facts(peer: Peer, sent: QueueToPeer, callbacks: QueueToPeer, now: datetime) -> list[tuple[str, Any, str]]:
    """Return the names and values of what the deliveries are like now, each with the address of the rows behind it."""
    queues = (sent, callbacks)
    delivered = max((queue.last_delivered for queue in queues if queue.last_delivered), default=None)
    due = min((queue.next_due for queue in queues if queue.next_due), default=None)
    facts: list[tuple[str, Any, str]] = [
        ("Last delivery", time_since(delivered), ""),
        ("Failures in a row", f"{peer.circuit_failures:,}", ""),
    ]
    if peer.circuit_open_until and peer.circuit_open_until > now:
        facts.append(("Nothing is sent, because it does not answer", format_until(peer.circuit_open_until), ""))
    if due:
        waiting = _joined((sent.queued, "dispatch"), (callbacks.queued, "callback"))
        facts += [("Waits to be sent", waiting, ""), ("Next attempt", format_until(due), "")]
    given_up = (("dispatch", sent, "Dispatches given up"), ("outboundcallback", callbacks, "Callbacks given up"))
    for model, queue, title in given_up:
        if queue.dead:
            page = reverse(f"admin:peers_{model}_changelist")
            facts.append((title, f"{queue.dead:,}", f"{page}?peer__id__exact={peer.pk}&tab=given_up"))
    return facts


def _joined(*counted: tuple[int, str]) -> str:
    return ", ".join(plural(number, noun) for number, noun in counted if number)


def _cards(peer: Peer, sent: int, received: int, differing: int) -> list[dict[str, Any]]:
    own = f"?peer__id__exact={peer.pk}"
    pages = {name: reverse(f"admin:peers_{name}_changelist") for name in ("dispatch", "receiveddispatch")}
    cards: list[dict[str, Any]] = [
        {"title": "Dispatches sent", "icon": "outbox", "href": pages["dispatch"] + own, "number": sent},
        {"title": "Dispatches received", "icon": "inbox", "href": pages["receiveddispatch"] + own, "number": received},
    ]
    if differing:
        receipts = f"{reverse('admin:peers_dispatchreceipt_changelist')}{own}&tab={ReceiptStanding.DIFFERS.value}"
        cards.append({"title": "Receipts that differ", "icon": "difference", "href": receipts, "number": differing})
    return cards


def _agents(peer: Peer) -> dict[str, Any]:
    # One more than is shown tells whether there are further ones.
    found = list(agents_of(peer)[: MAX_AGENTS_SHOWN + 1])
    shown = found[:MAX_AGENTS_SHOWN]
    columns: list[tuple[str, list[str]]] = [
        ("Agent", [agent.agent_id for agent in shown]),
        ("Name", [agent.name for agent in shown]),
        ("Skills", [_skills(agent.skills) for agent in shown]),
        ("Description", [agent.description[:200] for agent in shown]),
    ]
    # The protocol lets a hub leave out the names and descriptions; then their columns say nothing.
    told = [(title, values) for title, values in columns if any(values)]
    rows = [[value or "-" for value in row] for row in zip(*(values for _, values in told), strict=True)]
    return {
        "agent_table": {"headers": [title for title, _ in told], "rows": rows},
        "agents_left_out": len(found) > MAX_AGENTS_SHOWN,
        "agents_age": time_since(peer.agents_fetched_at) if peer.agents_fetched_at else "",
        "agents_error": in_words(peer.agents_error).removesuffix("."),
        "agents_tried": time_since(peer.agents_tried_at) if peer.agents_tried_at else "",
    }


def _skills(skills: list[str]) -> str:
    rest = len(skills) - MAX_SKILLS_SHOWN
    return ", ".join(skills[:MAX_SKILLS_SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")
