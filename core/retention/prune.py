"""The prune: delete the old rows of each kind, a batch at a time, within a time limit."""

from __future__ import annotations

import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import accumulate
from typing import Any

from auditlog.context import disable_auditlog
from django.db import DEFAULT_DB_ALIAS, DatabaseError, models, router
from django.db.models import Q

from core.counts import Count
from core.retention.kinds import Keys, Kind
from core.retention.models import PruneTurn
from core.retention.sizes import record_counts
from core.store.unit_of_work import REGISTRY, LostRaceError, locked, retried, unit_of_work

PASS_SECONDS = 120.0
LEASE = timedelta(minutes=10)
BATCH, BELOW = 200, 2000
"""The most rows of a kind in one transaction, and the most rows below them."""

PRUNED = Count("fedhub_pruned_rows_total", "Rows that the prune deleted, without the rows below them.", ("kind",))

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Pruned:
    """What one pass did: the rows that it took and the errors, by the name of the kind.

    `is_complete` is False where the time was over before the last kind; `has_turn` where another prune works.
    """

    taken: dict[str, int] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    is_complete: bool = True
    has_turn: bool = True

    @property
    def total(self) -> int:
        """Return the number of rows of all kinds."""
        return sum(self.taken.values())


def prune(
    kinds: Sequence[Kind],
    *,
    now: datetime,
    seconds: float = PASS_SECONDS,
    stop: Callable[[], bool] = lambda: False,
) -> Pruned:
    """Make one pass over the kinds, for at most `seconds` and one batch more, and count the rows afterwards.

    The pass also ends after the batch in which `stop` returns true.

    A kind that the database refuses is logged and does not stop the other kinds.
    """
    token, until = secrets.token_hex(16), time.monotonic() + seconds
    if not PruneTurn.take(now=now, lease=LEASE, token=token):
        return Pruned(is_complete=False, has_turn=False)
    result = Pruned(is_complete=False)
    try:
        is_over = partial(_is_over, until, stop)
        result.is_complete = all(_prune_kind(kind, result, now=now, is_over=is_over) for kind in kinds)
        record_counts(kinds, result.taken, result.errors, now=now)
    finally:
        PruneTurn.give_back(token, now=now, is_complete=result.is_complete)
    return result


def _is_over(until: float, stop: Callable[[], bool]) -> bool:
    return time.monotonic() > until or stop()


def _prune_kind(kind: Kind, result: Pruned, *, now: datetime, is_over: Callable[[], bool]) -> bool:
    """Prune one kind; return False if the time is over."""
    try:
        for taken in _batches(kind, now):
            result.taken[kind.name] = result.taken.get(kind.name, 0) + taken
            PRUNED.add(kind.name, amount=taken)
            if is_over():
                return False
    except (DatabaseError, LostRaceError) as exc:
        logger.exception("The prune could not delete old rows of %s", kind.name)
        result.errors[kind.name] = type(exc).__name__
    return True


def _batches(kind: Kind, now: datetime) -> Iterator[int]:
    """Delete the old rows of a kind, the oldest first; yield the number of deleted rows after each transaction."""
    if kind.take is not None:
        while taken := kind.take(now, BATCH):
            yield taken
        return
    if kind.ended is None:
        return
    old, after = kind.old(now), Q()
    while rows := list(old.filter(after).order_by(kind.since, "pk").values_list("pk", kind.since)[:BATCH]):
        keys = [key for key, _ in rows]
        taken, is_rest = _take(kind, keys, now)
        yield taken
        if not is_rest:
            # The rows that stay are not looked at again in this pass.
            key, moment = rows[-1]
            after = Q(**{f"{kind.since}__gt": moment}) | Q(**{kind.since: moment, "pk__gt": key})


@retried
def _take(kind: Kind, keys: Keys, now: datetime) -> tuple[int, bool]:
    """Delete those of the rows that are still old and not needed, with the rows below them, in one transaction.

    Return the number of deleted rows, and whether some stay only because too many rows are below them.
    """
    cutoff = kind.cutoff(now)
    with unit_of_work(with_accounts=not _is_registry(kind)):
        # Locked by their keys alone: PostgreSQL locks no rows of a query that joins another table.
        present = list(locked(kind.rows.filter(pk__in=keys)).values_list("pk", flat=True))
        found = list(kind.old(now).filter(pk__in=present).values_list("pk", flat=True))
        needed = kind.needed(found, cutoff) if found else set()
        going, is_rest = _delete_below(kind, [key for key in found if key not in needed])
        if not going:
            return 0, is_rest
        delete: Callable[[Keys, datetime], int] = kind.delete or (lambda keys, _: delete_rows(kind, keys))
        return delete(going, cutoff), is_rest


def delete_rows(kind: Kind, keys: Keys) -> int:
    """Delete the rows with these keys; return their number."""
    # Only the key: Django reads a row that other tables may refer to before it deletes the row.
    with disable_auditlog():
        kind.rows.filter(pk__in=keys).only("pk").delete()
    return len(keys)


def _delete_below(kind: Kind, keys: Keys) -> tuple[Keys, bool]:
    """Delete up to BELOW rows below the rows with these keys.

    Return the keys below which nothing is left, and whether others are left. The rows below one row go at once; only if
    they are more than BELOW, they go in several transactions.
    """
    counts: Counter[Any] = Counter()
    for model, column in kind.below:
        rows = model._default_manager.filter(**{f"{column}__in": keys}).order_by()
        counts.update(dict(rows.values_list(column).annotate(number=models.Count("pk"))))
    sums = accumulate(counts[key] for key in keys)
    going = [key for key, total in zip(keys, sums, strict=True) if total <= BELOW]
    for model, column in kind.below:
        rows = model._default_manager.filter(**{f"{column}__in": going or keys[:1]}).order_by()
        found = rows if going else model._default_manager.filter(pk__in=list(rows.values_list("pk", flat=True)[:BELOW]))
        found.only("pk").delete()
    return going, len(going) < len(keys)


def _is_registry(kind: Kind) -> bool:
    """Tell whether the rows are in the database on which `unit_of_work` opens a transaction in any case."""
    return (router.db_for_write(kind.model) or DEFAULT_DB_ALIAS) == REGISTRY
