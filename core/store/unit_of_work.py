"""Units of work: the only code that opens transactions, locks rows and registers callbacks for after a commit.

The theory of operation is in the docstring of core.store.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, router, transaction
from django.db.models import Model, QuerySet
from django.db.transaction import TransactionManagementError

from core.errors import ConflictError

REGISTRY = "registry" if "registry" in settings.DATABASES else DEFAULT_DB_ALIAS
# SQLite waits this long for its lock too (SQLITE_OPTIONS).
RETRY_SECONDS = 20.0
# The longest pause before the second attempt; it doubles before each further attempt, up to the maximum.
PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.01, 0.2
# PostgreSQL, appendix A: serialization_failure, deadlock_detected.
LOST_RACE_STATES = ("40001", "40P01")
# MongoDB labels so a transaction that is undone and may succeed in a second run: a write conflict, an election.
LOST_RACE_LABEL = "TransientTransactionError"

# Threads of this process that have lost a race run one after another, so that they do not collide again.
_retry_turn = threading.RLock()

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound=Model)
V = TypeVar("V")


class LostRaceError(ConflictError):
    """Raised by `unit_of_work` if another transaction changed the same rows first.

    The transaction that raises this error has stored nothing; a second run may succeed.
    """

    def __init__(self) -> None:
        super().__init__("Something else changed the same thing at the same time; try again")


@contextmanager
def unit_of_work(*, with_accounts: bool = False) -> Iterator[None]:
    """Open a transaction on the registry's database: it stores all writes of the block, or none.

    A nested block joins the outer transaction. An exception that leaves a nested block undoes the outermost block too;
    if code between the two catches it, the outermost block raises TransactionManagementError at its end. Raises
    LostRaceError.

    `with_accounts` is for blocks that also write to Django's own tables, such as the audit log. If those tables are in
    another database, the block has a transaction there too, which commits after the registry's.
    """
    connection: Any = connections[REGISTRY]
    has_two = with_accounts and REGISTRY != DEFAULT_DB_ALIAS
    accounts = transaction.atomic(using=DEFAULT_DB_ALIAS) if has_two else nullcontext()
    with accounts, _joined(connection) if _is_open(connection) else _opened(connection):
        yield


def retried(function: Callable[P, T]) -> Callable[P, T]:
    """Return `function` with a repeat: it runs again, for up to 20 s, each time its unit of work loses a race.

    The function must read inside its unit of work everything that it decides on, and must have no other effect that
    would be wrong twice. Inside an outer unit of work it runs once, because only the outermost block can run again.
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
            turn = _retry_turn
            # A random pause, so that two transactions that have collided do not collide again.
            time.sleep(random.uniform(0, pause))  # noqa: S311
            pause = min(pause * 2, MAX_PAUSE_SECONDS)

    return run


def locked(rows: QuerySet[M], *, no_key: bool = False) -> QuerySet[M]:
    """Return `rows`, locked: other transactions cannot change or lock them until the open unit of work ends.

    Rows of Django's own tables need a unit of work `with_accounts`. With `no_key` other transactions may insert rows
    that refer to `rows`. If another transaction has locked the rows, SQLite and PostgreSQL wait, and MongoDB raises
    LostRaceError.
    """
    connection: Any = connections[router.db_for_write(rows.model)]
    if connection.vendor != "mongodb":
        return rows.select_for_update(no_key=no_key)
    # The filter saw the snapshot of this transaction; the write fails if the rows have changed since.
    keys = list(rows.order_by().values_list("pk", flat=True))
    connection.touch(rows.model, keys)
    return rows


def subquery_or_list(rows: QuerySet[Any, V]) -> Iterable[V]:
    """Return a query for the right side of an `__in` look-up: itself, or on MongoDB the list of its values.

    A nested query on MongoDB makes the outer query read every row.
    """
    return list(rows) if connections[REGISTRY].vendor == "mongodb" else rows


def after_commit(callback: Callable[..., object], *args: object) -> None:
    """Call `callback(*args)` after the open unit of work commits, or at once if none is open."""
    transaction.on_commit(partial(callback, *args), using=REGISTRY)


def restore_transaction() -> AbstractContextManager[object]:
    """Return the transaction of a restore, which may take longer than MongoDB lets a transaction live (60 s).

    On a relational store it covers all tables. With the registry in MongoDB it covers Django's own tables alone.
    """
    return transaction.atomic(using=DEFAULT_DB_ALIAS)


def schema_transaction(alias: str) -> AbstractContextManager[object]:
    """Return the transaction of tables and indexes that no migration makes, or its savepoint inside another one."""
    return transaction.atomic(using=alias)


def is_lost_race(error: BaseException | None) -> bool:
    """Tell whether `error` or one of its causes is a collision with another transaction."""
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


def drop_broken_connections() -> None:
    """Close those connections of this thread that the server has ended, so that the next query opens another one.

    For code that waits long between two queries. It does nothing to a connection with an open transaction.
    """
    for alias in {REGISTRY, DEFAULT_DB_ALIAS}:
        connection: Any = connections[alias]
        if connection.connection is not None and not connection.in_atomic_block and not connection.is_usable():
            connection.close()


def _transaction(connection: Any) -> AbstractContextManager[object]:
    if connection.vendor == "mongodb":
        # Imported here because the backend patches Django's expressions, which other databases do not need.
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
                raise TransactionManagementError("An inner unit of work failed, so the outer one is undone.")
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
