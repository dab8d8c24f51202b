"""The one thread in which the loop of the agents does its database work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import DatabaseError, connections

P = ParamSpec("P")
T = TypeVar("T")


class DatabaseThread:
    """Runs functions in one thread with one database connection, in the order in which they are asked for."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="agents-database")

    async def __call__(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of `function`. A caller that is cancelled meanwhile does not stop the function."""
        call = partial(function, *args, **kwargs)
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, _run, call))

    async def aclose(self) -> None:
        """Wait for the functions under way, and close the connection."""
        await asyncio.get_running_loop().run_in_executor(self._thread, connections.close_all)
        self._thread.shutdown()


def _run(call: Callable[[], T]) -> T:
    try:
        return call()
    except DatabaseError:
        # A connection that broke would fail every later call too.
        connections.close_all()
        raise
