"""Group commit: the leading thread works for its group, and every thread gets its own outcome."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from peers.services.inbox.group_commit import GroupCommit, UnfinishedError

SECONDS = 20.0


class Desk:
    """Doubles numbers, waits at `gate` for each group, and notes the groups; 13 is refused, 666 ends the work."""

    def __init__(self, *, most: int = 64, wait_seconds: float = SECONDS, delay_seconds: float = 0.0) -> None:
        self.groups: list[list[int]] = []
        self.led: list[list[int]] = []
        self.gate = threading.Event()
        self.begun = threading.Semaphore(0)
        self.commit = GroupCommit[int, int](
            self.work, most=most, wait_seconds=wait_seconds, delay_seconds=delay_seconds
        )

    def work(self, items: Sequence[int]) -> list[int | Exception]:
        self.groups.append(list(items))
        self.begun.release()
        assert self.gate.wait(SECONDS)
        if 666 in items:
            raise ZeroDivisionError
        return [ValueError(item) if item == 13 else item * 2 for item in items]

    def submit(self, item: int) -> int:
        (outcome,), led = self.commit.submit_all([item])
        if led:
            self.led.append(led)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def waiting(self, number: int) -> bool:
        return len(self.commit._waiting) == number


def until(probe: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not probe():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def submit_while_busy(desk: Desk, pool: ThreadPoolExecutor, items: Sequence[int]) -> list[Future[int]]:
    """Submit the first item, then the others in order while the first is worked on."""
    first = pool.submit(desk.submit, items[0])
    assert desk.begun.acquire(timeout=SECONDS)
    futures = [first]
    for number, item in enumerate(items[1:], 1):
        futures.append(pool.submit(desk.submit, item))
        until(lambda number=number: desk.waiting(number))  # type: ignore[misc]
    return futures


def test_a_lone_item_is_a_group_of_one() -> None:
    desk = Desk()
    desk.gate.set()

    assert [desk.submit(1), desk.submit(2)] == [2, 4]
    assert desk.groups == [[1], [2]]
    assert desk.led == [[2], [4]]


def test_items_that_come_meanwhile_are_done_together_and_in_order_up_to_the_bound() -> None:
    desk = Desk(most=3)
    with ThreadPoolExecutor(8) as pool:
        futures = submit_while_busy(desk, pool, [1, 2, 3, 4, 5])
        desk.gate.set()
        assert [future.result(SECONDS) for future in futures] == [2, 4, 6, 8, 10]
    assert desk.groups == [[1], [2, 3, 4], [5]]


def test_a_refused_item_raises_in_its_own_thread_alone() -> None:
    desk = Desk()
    with ThreadPoolExecutor(8) as pool:
        futures = submit_while_busy(desk, pool, [1, 2, 13, 3])
        desk.gate.set()
        assert [futures[number].result(SECONDS) for number in (0, 1, 3)] == [2, 4, 6]
        with pytest.raises(ValueError, match="13"):
            futures[2].result(SECONDS)
    until(lambda: sorted(desk.led) == [[2], [4, 6]])


def test_a_leader_that_fails_releases_its_group_and_the_waiting_threads() -> None:
    desk = Desk(most=3)
    with ThreadPoolExecutor(8) as pool:
        futures = submit_while_busy(desk, pool, [1, 666, 2, 3, 4])
        desk.gate.set()
        for number in (1, 2, 3):
            with pytest.raises(UnfinishedError) as caught:
                futures[number].result(SECONDS)
            assert isinstance(caught.value.__cause__, ZeroDivisionError)
        assert [futures[0].result(SECONDS), futures[4].result(SECONDS)] == [2, 8]
    assert desk.submit(5) == 10


def test_an_item_that_waited_too_long_fails_and_is_never_worked_on() -> None:
    desk = Desk(wait_seconds=0.05)
    with ThreadPoolExecutor(8) as pool:
        futures = submit_while_busy(desk, pool, [1, 2])
        with pytest.raises(UnfinishedError):
            futures[1].result(SECONDS)
        desk.gate.set()
        assert futures[0].result(SECONDS) == 2
    assert desk.submit(3) == 6
    assert desk.groups == [[1], [3]]


def test_a_leader_waits_for_an_expected_item_and_not_beyond_its_delay() -> None:
    desk = Desk(delay_seconds=SECONDS)
    desk.gate.set()
    with ThreadPoolExecutor(2) as pool:
        with desk.commit.expected():
            other = pool.submit(desk.submit, 2)
            until(lambda: desk.waiting(1))
            assert desk.submit(1) == 2
        assert other.result(SECONDS) == 4
        with desk.commit.expected():
            other = pool.submit(desk.submit, 3)
            until(lambda: desk.waiting(1))
        assert other.result(SECONDS) == 6
    assert desk.groups == [[2, 1], [3]]

    impatient = Desk(delay_seconds=0.01)
    impatient.gate.set()
    with impatient.commit.expected(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(impatient.submit, 4).result(SECONDS) == 8
    assert impatient.groups == [[4]]


def test_many_threads_each_get_their_own_result() -> None:
    desk = Desk(most=7)
    desk.gate.set()
    with ThreadPoolExecutor(40) as pool:
        items = [*range(100, 600)]
        assert list(pool.map(desk.submit, items)) == [item * 2 for item in items]
    assert sorted(item for group in desk.groups for item in group) == items
    assert max(map(len, desk.groups)) <= 7


def test_one_thread_submits_the_items_of_many_requests() -> None:
    desk = Desk(most=3)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(desk.submit, 1)
        assert desk.begun.acquire(timeout=SECONDS)
        other = pool.submit(desk.submit, 2)
        until(lambda: desk.waiting(1))
        many = pool.submit(desk.commit.submit_all, [3, 13, 666, 4, 5, 6, 7])
        until(lambda: desk.waiting(8))
        desk.gate.set()
        outcomes, led = many.result(SECONDS)
        assert [first.result(SECONDS), other.result(SECONDS)] == [2, 4]
    assert desk.groups == [[1], [2, 3, 13], [666, 4, 5], [6, 7]]
    assert [each for each in outcomes if isinstance(each, int)] == [6, 12, 14]
    assert list(map(type, outcomes))[1:5] == [ValueError, UnfinishedError, UnfinishedError, UnfinishedError]
    assert led == [12, 14]
    assert desk.submit(8) == 16
