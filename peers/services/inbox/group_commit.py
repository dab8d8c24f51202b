"""Group commit: one thread stores the items of many threads in one transaction, instead of a transaction for each.

The first thread that submits an item leads. The leader takes all items that wait at that moment, works on them
together, and gives each thread the outcome of its own item. It makes the oldest thread that came meanwhile the next
leader. So the hub needs no further thread, and each request costs less the more requests come at once ("flat
combining", Hendler, Incze, Shavit and Tzafrir, 2010).

A group costs much more than an item more in it. So the leader waits for the items of the threads that have begun a
request (`expected`), for a few milliseconds at most, as PostgreSQL does by `commit_delay`. A lone request does not
wait.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from django.db import IntegrityError

from core.counts import Spread
from core.errors import InternalError
from core.store.unit_of_work import retried

MAX_GROUP = 64
"""Items in one transaction: their rows fit into a few statements, and the lock is held for a short time."""

WAIT_SECONDS = 30.0
"""Longer than the database waits for a lock, so that the database's own error comes first."""

DELAY_SECONDS = 0.005
"""How long a group waits for items that are being proved."""

Item = TypeVar("Item")
Result = TypeVar("Result")
GROUP_SIZE = Spread(
    "fedhub_receive_group_size", "Receives or callbacks of peers in one transaction.", (1, 2, 4, 8, 16, 32, 64)
)

logger = logging.getLogger(__name__)


class UnfinishedError(InternalError):
    """The outcome of an item that `GroupCommit.submit_all` does not know, because the work failed or was slow."""

    def __init__(self) -> None:
        super().__init__("The request was not finished")


@dataclass(slots=True, eq=False)
class _Ticket(Generic[Item, Result]):
    """One waiting thread's item, and what the leader tells the thread.

    `told` is set when the thread may go on: then `leads` is True if the thread is the next leader, else `outcome` is
    the result or the exception for `item`.
    """

    item: Item
    outcome: Result | Exception = field(default_factory=UnfinishedError)
    leads: bool = False
    told: threading.Event = field(default_factory=threading.Event)


class GroupCommit(Generic[Item, Result]):
    """Does `work` for items of many threads together; each thread gets the outcomes of its own items.

    `work` returns a result or an exception for each item, in the order of the items. A group has at most `most` items,
    and a thread waits for an outcome for at most `wait_seconds`. A leader waits for expected items for at most
    `delay_seconds`.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result | Exception]],
        *,
        most: int = MAX_GROUP,
        wait_seconds: float = WAIT_SECONDS,
        delay_seconds: float = DELAY_SECONDS,
    ) -> None:
        """Take the function `work` and the bounds."""
        self._work = work
        self._most, self._wait_seconds, self._delay_seconds = most, wait_seconds, delay_seconds
        self._lock = threading.Lock()
        self._none_expected = threading.Condition(self._lock)
        self._expected = 0
        self._of_thread = threading.local()
        self._waiting: deque[_Ticket[Item, Result]] = deque()
        self._is_led = False

    @contextmanager
    def expected(self) -> Iterator[None]:
        """Let leaders expect an item of this thread, until the thread submits it or the block ends."""
        with self._lock:
            self._expected += 1
        self._of_thread.is_expected = True
        try:
            yield
        finally:
            with self._lock:
                self._arrive()

    def submit_all(self, items: Sequence[Item]) -> tuple[list[Result | Exception], list[Result]]:
        """Submit the items that this thread has at hand; return the outcome of each, in their order.

        Also return the results of the groups that this thread has led: what is left to do for them is for its caller.
        An outcome is an UnfinishedError after `wait_seconds`, and, caused by it, after an exception that `work` raised.
        """
        if not items:
            return [], []
        tickets = [_Ticket[Item, Result](item) for item in items]
        led: list[Result] = []
        with self._lock:
            self._arrive()
            self._waiting.extend(tickets)
            tickets[0].leads, self._is_led = not self._is_led, True
        for ticket in tickets:
            if ticket.leads or self._wait_to_lead(ticket):
                led += self._lead()
        return [ticket.outcome for ticket in tickets], led

    def _arrive(self) -> None:
        """Expect no item of this thread any more; the caller has the lock."""
        if getattr(self._of_thread, "is_expected", False):
            self._of_thread.is_expected = False
            self._expected -= 1
            if not self._expected:
                self._none_expected.notify()

    def _wait_to_lead(self, ticket: _Ticket[Item, Result]) -> bool:
        """Wait until the ticket has its outcome (False) or leads from now on (True)."""
        if not ticket.told.wait(self._wait_seconds):
            with self._lock:
                # The ticket may have been told at this moment, or be worked on. A waiting ticket can be taken back.
                if ticket in self._waiting and not ticket.leads:
                    self._waiting.remove(ticket)
        return ticket.leads

    def _lead(self) -> list[Result]:
        """Do the work for a group, in which the leader's own ticket is the oldest; return the results of the group."""
        with self._lock:
            self._none_expected.wait_for(self._is_complete, self._delay_seconds)
            group = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._most))]
        GROUP_SIZE.observe(len(group))
        results: list[Result] = []
        try:
            for ticket, outcome in zip(group, self._work([ticket.item for ticket in group]), strict=True):
                ticket.outcome = outcome
                if not isinstance(outcome, Exception):
                    results.append(outcome)
        except Exception as exc:  # noqa: BLE001 - it is the cause of each outcome
            for ticket in group:
                if isinstance(ticket.outcome, UnfinishedError):
                    ticket.outcome.__cause__ = exc
        finally:
            # Also after an exception the next thread must lead, and no thread may wait for an outcome that never comes.
            self._hand_over()
            for ticket in group:
                ticket.told.set()
        return results

    def _is_complete(self) -> bool:
        return not self._expected or len(self._waiting) >= self._most

    def _hand_over(self) -> None:
        with self._lock:
            self._is_led = bool(self._waiting)
            if self._waiting:
                self._waiting[0].leads = True
                self._waiting[0].told.set()


def together_or_alone(
    store: Callable[[Sequence[Item]], list[Result | Exception]],
) -> Callable[[Sequence[Item]], list[Result | Exception]]:
    """Return the work of a group: `store` in one transaction for all items, or for each alone where that fails.

    So one item never fails another. The errors of the database are outcomes too.
    """
    with_retries = retried(store)

    def store_alone(item: Item) -> Result | Exception:
        try:
            try:
                return with_retries([item])[0]
            except IntegrityError:
                # On a database that cannot lock rows, a copy was faster. It has committed, so its row is found now.
                return with_retries([item])[0]
        except Exception as exc:  # noqa: BLE001 - raised in the thread of this item
            return exc

    def work(items: Sequence[Item]) -> list[Result | Exception]:
        if len(items) > 1:
            try:
                return store(items)
            except Exception:
                logger.warning("A group of %d messages failed; each is stored alone", len(items), exc_info=True)
        return [store_alone(item) for item in items]

    return work
