"""The one owner of transactions and of what happens after them, whichever database holds the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from django.db import DEFAULT_DB_ALIAS, transaction

REGISTRY = DEFAULT_DB_ALIAS


class UnitOfWork:
    """One open transaction of the registry's database."""

    def on_commit(self, callback: Callable[[], object]) -> None:
        """Call `callback` once the transaction has committed, and never if it rolls back."""
        transaction.on_commit(callback, using=REGISTRY)


@contextmanager
def unit_of_work() -> Iterator[UnitOfWork]:
    """Open a transaction on the registry's database: all that is written inside is kept, or nothing.

    Nested use joins the outer transaction: an exception that leaves the inner block undoes the inner block alone.
    """
    with transaction.atomic(using=REGISTRY):
        yield UnitOfWork()


def after_commit(callback: Callable[..., object], *args: object) -> None:
    """Call `callback(*args)` once the open transaction has committed; at once where none is open."""
    transaction.on_commit(partial(callback, *args), using=REGISTRY)
