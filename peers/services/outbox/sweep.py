"""The sweep: the periodic search for due rows whose nudge was lost and for held rows whose reason has ended.

Both searches are bounded, and no owner (a peer or a handler) can fill a bound alone: however many rows one owner has,
the rows of the other owners are found too.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import chain, islice, takewhile, zip_longest

from django.db.models import F, Q
from django.utils import timezone

from core.jobs.queue import nudge_lifetime
from core.store.unit_of_work import LostRaceError, locked, subquery_or_list, unit_of_work
from peers.models import Dispatch, DispatchState, HandlerEvent, OutboundCallback, Peer, PeerState, Relationship
from peers.models.outbox import OutboxRow
from peers.services.outbox.nudges import nudge_again
from peers.services.trust.held_work import release_on_approval
from peers.services.trust.identity import is_enabled

OWNERS: dict[type[OutboxRow], str] = {
    Dispatch: "target_server",
    OutboundCallback: "peer_id",
    HandlerEvent: "handler",
}
"""The models of the outbox, each with the column of the owner whose rows can wait in great number."""

SWEEP_BATCH = 500


def sweep() -> None:
    """Nudge workers to the due rows, and release held rows whose peer is approved by now.

    The sweep does not change `due_at`, because a worker takes a row by moving it. It writes `nudged_at`, so that the
    next sweep does not nudge the row again. At the first nudge that the broker does not take, the sweep leaves the
    rest of the rows to the next sweep.
    """
    if is_enabled():
        _release_forgotten()
    now = timezone.now()
    for model in OWNERS:
        # A sweep that ends here has nudged rows without `nudged_at`, and a second nudge is harmless.
        nudged = list(takewhile(partial(nudge_again, model), due_rows(model, now=now)))
        model._default_manager.filter(pk__in=nudged).update(nudged_at=now)


def due_rows(model: type[OutboxRow], *, now: datetime) -> list[str]:
    """Return the ids of at most 500 rows to nudge: the oldest row of each owner, then the second of each, and so on.

    A row is nudged if it is due and no nudge of a sweep waits for it: it has become due after its last nudge, or that
    nudge has expired, see `core.jobs.queue.nudge_lifetime`. So a lost nudge is repaired after this time.

    One query reads the 500 oldest due rows. If there are 500, a further query leaves out the owners that were found, so
    there are about as many queries as owners with 500 due rows.
    """
    owner = OWNERS[model]
    has_no_nudge = Q(nudged_at=None) | Q(nudged_at__lt=F("due_at")) | Q(nudged_at__lte=now - nudge_lifetime())
    due = model._default_manager.filter(has_no_nudge, due_at__lte=now, dead_at__isnull=True).order_by("due_at")
    found: dict[str, list[str]] = defaultdict(list)
    is_full = True
    while is_full and len(found) < SWEEP_BATCH:
        rows = due.exclude(**{f"{owner}__in": list(found)}) if found else due
        page = list(rows.values_list("pk", owner)[:SWEEP_BATCH])
        for row_id, owner_id in page:
            found[str(owner_id)].append(str(row_id))
        is_full = len(page) == SWEEP_BATCH
    in_turn = chain.from_iterable(zip_longest(*found.values()))
    return list(islice((row_id for row_id in in_turn if row_id is not None), SWEEP_BATCH))


def _release_forgotten() -> None:
    """Release rows that are held although their peer is approved, because they were held while staff approved it.

    The searches read only rows that a release makes due, so rows that stay held do not fill the bound.
    """
    approved = Peer.objects.filter(state=PeerState.APPROVED).order_by()
    may_get_work = approved.filter(relationship__in=[Relationship.PEER, Relationship.DOWNSTREAM])
    dispatches = Dispatch.objects.filter(
        target_server__in=subquery_or_list(may_get_work.values_list("server_url", flat=True)),
        status=DispatchState.PENDING,
        due_at=None,
        dead_at=None,
    )
    callbacks = OutboundCallback.objects.filter(
        peer__in=subquery_or_list(approved.values_list("pk", flat=True)), due_at=None, delivered_at=None, dead_at=None
    )
    # Without `order_by()` Django adds the columns of the model's order to the DISTINCT, and nothing is distinct.
    targets = list(dispatches.order_by().values_list("target_server", flat=True).distinct()[:SWEEP_BATCH])
    owners = list(callbacks.order_by().values_list("peer_id", flat=True).distinct()[:SWEEP_BATCH])
    for peer in approved.filter(Q(server_url__in=targets) | Q(pk__in=owners)):
        # A peer whose row is busy loses this race, and the next sweep finds its rows again.
        with suppress(LostRaceError), unit_of_work():
            if locked(Peer.objects.filter(pk=peer.pk, state=PeerState.APPROVED)).exists():
                release_on_approval(peer, now=timezone.now())
