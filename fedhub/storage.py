"""The one owner of transactions and of what happens after them, whichever database holds the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from django.db import DEFAULT_DB_ALIAS, transaction

REGISTRY = DEFAULT_DB_ALIAS


@contextmanager
def unit_of_work() -> Iterator[None]:
    """Open a transaction on the registry's database: all that is written inside is kept, or nothing.

    Nested use joins the outer transaction: an exception that leaves the inner block undoes the inner block alone.
    """
    with transaction.atomic(using=REGISTRY):
        yield


def after_commit(callback: Callable[..., object], *args: object) -> None:
    """Call `callback(*args)` once the open transaction has committed; at once where none is open."""
    transaction.on_commit(partial(callback, *args), using=REGISTRY)
