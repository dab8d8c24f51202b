"""Rows that somebody else's transaction holds: real threads on the test's database, for tests that commit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest
from django.db import connections
from django.db.models import Model, QuerySet

from core.store.unit_of_work import REGISTRY, locked, unit_of_work

SECONDS = 20


def require_transactions_that_outlive_their_process() -> None:
    """Skip the test on stores that lack them: there a transaction ends with its connection, and others wait for it."""
    if connections[REGISTRY].vendor != "mongodb":
        pytest.skip("only on MongoDB does a transaction outlive its process, and collide where others would wait")


@contextmanager
def held_elsewhere(rows: QuerySet[Model]) -> Iterator[None]:
    """Keep `rows` locked by another transaction while the block runs."""
    is_held, is_over = threading.Event(), threading.Event()

    def hold() -> None:
        with closing(connections[REGISTRY]), unit_of_work():
            assert list(locked(rows.all()))
            is_held.set()
            is_over.wait(SECONDS)

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        try:
            assert is_held.wait(SECONDS), holding.exception(0)
            yield
        finally:
            is_over.set()
        holding.result(SECONDS)
