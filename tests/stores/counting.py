"""Count what one block asks of the databases, whichever they are.

SQL is counted by Django's own log; MongoDB by what its driver sends, so that each further batch of a cursor counts too.
The driver reports to those alone who ask before it connects: import this module early.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.db import connections
from django.test.utils import CaptureQueriesContext
from pymongo import monitoring

from core.store.unit_of_work import REGISTRY

# What a connection or a transaction costs is no query.
NO_QUERIES = frozenset(
    {"hello", "ismaster", "ping", "buildInfo", "endSessions", "commitTransaction", "abortTransaction", "killCursors"}
)


class _Listener(monitoring.CommandListener):
    """Writes down commands while somebody asks for them."""

    def __init__(self) -> None:
        self.taken: list[list[str]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Note a command for all who ask."""
        if event.command_name not in NO_QUERIES:
            for found in self.taken:
                found.append(f"{event.command_name} {dict(event.command)}")

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Ignore the answer."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Ignore the answer."""


_listener = _Listener()
monitoring.register(_listener)


@contextmanager
def counted_queries() -> Iterator[list[str]]:
    """Fill a list with every query of this thread in SQL, once the block ends, and of all threads to MongoDB."""
    found: list[str] = []
    captured = []
    with ExitStack() as stack:
        for alias in connections:
            if connections[alias].vendor != "mongodb":
                # Django keeps 9,000 queries, and warns if a block's are beyond them.
                connections[alias].queries_log.clear()
                captured.append(stack.enter_context(CaptureQueriesContext(connections[alias])))
        _listener.taken.append(found)
        try:
            yield found
        finally:
            # By identity: two lists that are equal are not the same.
            _listener.taken = [other for other in _listener.taken if other is not found]
    found.extend(query["sql"] for context in captured for query in context.captured_queries)


def more_rows_than_parameters() -> int:
    """Return a number of rows above the parameters that a statement of the store may have.

    MongoDB has no such bound, and SecantusDB is slow with many rows.
    """
    return 2_000 if connections[REGISTRY].vendor == "mongodb" else 40_000
