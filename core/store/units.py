"""The one owner of transactions and of what happens after them, whichever database holds the registry.

On SQLite and PostgreSQL a unit of work is Django's transaction. On MongoDB Django's own does nothing, so it is one of
MongoDB's. Where the three differ, the strictest decides for all:

- MongoDB has no savepoints, so an exception that leaves an inner unit of work dooms the outermost: nothing is kept.
- MongoDB and PostgreSQL abort a transaction that collides with another one. That is a lost race: `LostRaceError`, which
  a caller is told as 409. `retried` runs again what may be run again.
- MongoDB has no row locks, so `locked` writes to the rows: whoever else writes to them collides.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import Model, QuerySet
from django.db.transaction import TransactionManagementError

from core.errors import ConflictError

REGISTRY = "registry" if "registry" in settings.DATABASES else DEFAULT_DB_ALIAS
# As long as SQLite waits for its lock.
RETRY_SECONDS = 20.0
# At most before the second attempt; twice as long before each further one, up to the other.
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.01, 0.2
# PostgreSQL, appendix A: serialization_failure, deadlock_detected.
LOST_RACE_STATES = ("40001", "40P01")
# MongoDB's word for "the transaction is undone, and may succeed if run again": write conflicts, elections.
LOST_RACE_LABEL = "TransientTransactionError"

# The threads of a process that have lost a race go on one by one, else many would go on losing to each other.
_one_at_a_time = threading.RLock()

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound=Model)
V = TypeVar("V")


class LostRaceError(ConflictError):
    """Another transaction came first; nothing of this one was stored, and trying again may succeed."""

    def __init__(self) -> None:
        super().__init__("Something else changed the same thing at the same time; try again")


@contextmanager
def unit_of_work(*, with_accounts: bool = False) -> Iterator[None]:
    """Open a transaction on the registry's database: all that is written inside is kept, or nothing.

    Nested use joins the outer transaction. An exception that leaves an inner block undoes the outermost too, and one
    that was caught in between comes back at its end as TransactionManagementError. Raises LostRaceError.

    `with_accounts` is for blocks that write to Django's own tables besides, such as the audit log. Where those are in
    another database they have a transaction there, which commits once this one has.
    """
    connection: Any = connections[REGISTRY]
    has_two = with_accounts and REGISTRY != DEFAULT_DB_ALIAS
    accounts = transaction.atomic(using=DEFAULT_DB_ALIAS) if has_two else nullcontext()
    with accounts, _joined(connection) if _is_open(connection) else _opened(connection):
        yield


def retried(function: Callable[P, T]) -> Callable[P, T]:
    """Run `function` again, for up to 20 s, where its unit of work lost a race; for functions that may run twice.

    Such a function reads what it decides on inside its unit of work, and does nothing that would be wrong to do twice.
    Inside an outer unit of work it runs once, since only the outermost can begin again.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        deadline, pause = time.monotonic() + RETRY_SECONDS, PAUSE_SECONDS
        turn: AbstractContextManager[object] = nullcontext()
        while True:
            try:
                with turn:
                    return function(*args, **kwargs)
            except LostRaceError:
                if time.monotonic() > deadline:
                    raise
            turn = _one_at_a_time
            # Random, so that two that have collided do not collide again.
            time.sleep(random.uniform(0, pause))  # noqa: S311
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    return run


def locked(rows: QuerySet[M], *, no_key: bool = False) -> QuerySet[M]:
    """Return `rows`, which nobody else changes or locks until the open unit of work is over.

    With `no_key` other transactions may go on inserting rows that refer to them. Raises LostRaceError on MongoDB where
    another transaction holds them; elsewhere it waits.
    """
    connection: Any = connections[REGISTRY]
    if connection.vendor != "mongodb":
        return rows.select_for_update(no_key=no_key)
    # The filter was looked at in this transaction's snapshot; the write proves that it is still the latest.
    keys = list(rows.order_by().values_list("pk", flat=True))
    connection.touch(rows.model, keys)
    return rows


def update_each(rows: Sequence[M], fields: Sequence[str], *, batch_size: int) -> None:
    """Write `fields` of each of `rows`, all of one model, as `bulk_update` does.

    On MongoDB that would be one statement in which every row looks through the values of all the others.
    """
    connection: Any = connections[REGISTRY]
    if connection.vendor != "mongodb":
        if rows:
            type(rows[0])._default_manager.bulk_update(rows, fields, batch_size=batch_size)
        return
    for start in range(0, len(rows), batch_size):
        connection.update_rows(rows[start : start + batch_size], fields)


def inlined(rows: QuerySet[Any, V]) -> Iterable[V]:
    """Return the values of a query as the list of an `__in` look-up: nested in it where that uses an index.

    On MongoDB it is read first, as a nested query there makes the outer one look at every row.
    """
    return list(rows) if connections[REGISTRY].vendor == "mongodb" else rows


def after_commit(callback: Callable[..., object], *args: object) -> None:
    """Call `callback(*args)` once the open transaction has committed; at once where none is open."""
    transaction.on_commit(partial(callback, *args), using=REGISTRY)


def is_lost_race(error: BaseException | None) -> bool:
    """Tell whether `error`, or what caused it, says that another transaction came first."""
    while error is not None:
        if getattr(error, "sqlstate", None) in LOST_RACE_STATES:
            return True
        has_label = getattr(error, "has_error_label", None)
        if has_label is not None and has_label(LOST_RACE_LABEL):
            return True
        error = error.__cause__
    return False


def _is_open(connection: Any) -> bool:
    return getattr(connection, "is_unit_open", False)


def _transaction(connection: Any) -> AbstractContextManager[object]:
    if connection.vendor == "mongodb":
        # Imported here, as the backend patches Django's expressions, which the others need not bear.
        from django_mongodb_backend.transaction import atomic

        opened: AbstractContextManager[object] = atomic(using=REGISTRY)
        return opened
    return transaction.atomic(using=REGISTRY)


@contextmanager
def _opened(connection: Any) -> Iterator[None]:
    connection.is_unit_open, connection.is_unit_doomed = True, False
    try:
        with _transaction(connection):
            yield
            if connection.is_unit_doomed:
                raise TransactionManagementError("An inner unit of work failed, so the outer one cannot be kept.")
    except Exception as exc:
        if is_lost_race(exc):
            raise LostRaceError from exc
        raise
    finally:
        connection.is_unit_open = False


@contextmanager
def _joined(connection: Any) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.is_unit_doomed = True
        raise
