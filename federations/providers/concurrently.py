"""Many calls of a provider at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import copy_context
from typing import TypeVar

Item = TypeVar("Item")
T = TypeVar("T")


def for_each(
    items: Sequence[Item], call: Callable[[Item], T], report: Callable[[int], None], *, concurrency: int
) -> list[T]:
    """Call for each item in threads; return the results in order. `report` gets the number of finished calls.

    An exception of `report` stops the calls that have not begun, and is raised.
    """
    with ThreadPoolExecutor(concurrency, thread_name_prefix="discovery") as threads:
        try:
            # Each thread goes on with the ids of the log lines and with the trace.
            futures = [threads.submit(copy_context().run, call, item) for item in items]
            for done, _ in enumerate(as_completed(futures), start=1):
                report(done)
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
        return [future.result() for future in futures]
