"""The promises of a unit of work, on the database that the tests use."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.db.transaction import TransactionManagementError

from core.store.unit_of_work import LostRaceError, after_commit, locked, retried, unit_of_work
from peers.models import Peer, PeerState

pytestmark = pytest.mark.django_db(transaction=True)

URL = "https://hub.example.org"
WORKERS = 6


class UndoneError(Exception):
    """The error with which a test leaves a unit of work."""


def add(url: str = URL) -> Peer:
    return Peer.objects.create(server_url=url)


def at_once(function: Callable[[int], object]) -> list[object]:
    """Call `function` in several threads that start together; return what each returned, or the error it raised."""
    barrier = threading.Barrier(WORKERS)

    def run(number: int) -> object:
        try:
            barrier.wait(timeout=10)
            return function(number)
        except Exception as exc:  # noqa: BLE001 (the test looks at it)
            return exc
        finally:
            connections.close_all()

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(run, range(WORKERS)))


def test_what_is_written_is_kept_and_callbacks_come_after_it() -> None:
    seen: list[bool] = []
    with unit_of_work():
        add()
        after_commit(lambda: seen.append(Peer.objects.filter(server_url=URL).exists()))
        assert seen == []
    assert seen == [True]


def test_an_exception_undoes_all_and_calls_nothing() -> None:
    kept = add("https://kept.example.org")
    called: list[str] = []
    with pytest.raises(UndoneError), unit_of_work():
        add()
        Peer.objects.filter(pk=kept.pk).update(notes="changed")
        after_commit(called.append, "never")
        raise UndoneError
    assert [(peer.server_url, peer.notes) for peer in Peer.objects.all()] == [("https://kept.example.org", "")]
    assert called == []


def test_callbacks_of_an_undone_unit_are_not_called_by_the_next() -> None:
    called: list[str] = []
    with pytest.raises(UndoneError), unit_of_work():
        after_commit(called.append, "undone")
        raise UndoneError
    with unit_of_work():
        after_commit(called.append, "kept")
    assert called == ["kept"]


def test_without_a_unit_of_work_a_callback_is_called_at_once() -> None:
    called: list[str] = []
    after_commit(called.append, "now")
    assert called == ["now"]


def test_deleting_with_all_that_belongs_to_it_is_undone_whole() -> None:
    peer = add()
    peer.decisions.create(to_state=PeerState.PROPOSED)
    with pytest.raises(UndoneError), unit_of_work():
        peer.delete()
        raise UndoneError
    assert Peer.objects.get().decisions.count() == 1


def test_an_inner_unit_of_work_joins_the_outer_one() -> None:
    called: list[str] = []
    with unit_of_work():
        with unit_of_work():
            add()
            after_commit(called.append, "inner")
        assert called == []
    assert called == ["inner"]
    assert Peer.objects.count() == 1


def test_what_an_inner_unit_of_work_wrote_is_undone_with_the_outer_one() -> None:
    called: list[str] = []
    with pytest.raises(UndoneError), unit_of_work():
        with unit_of_work():
            add()
            after_commit(called.append, "inner")
        raise UndoneError
    assert called == []
    assert not Peer.objects.exists()


def test_an_inner_failure_that_was_caught_keeps_the_outer_one_from_being_kept() -> None:
    called: list[str] = []

    def fail_inside() -> None:
        with unit_of_work():
            add("https://inner.example.org")
            raise UndoneError

    with pytest.raises(TransactionManagementError), unit_of_work():
        add()
        after_commit(called.append, "outer")
        with pytest.raises(UndoneError):
            fail_inside()
    assert called == []
    assert not Peer.objects.exists()


def test_the_next_unit_of_work_is_free_of_the_doom_of_the_last() -> None:
    test_an_inner_failure_that_was_caught_keeps_the_outer_one_from_being_kept()
    with unit_of_work():
        add()
    assert Peer.objects.count() == 1


def test_of_many_that_compare_and_set_one_wins() -> None:
    peer = add()

    def approve(number: int) -> int:
        with unit_of_work():
            return Peer.objects.filter(pk=peer.pk, state=PeerState.PROPOSED).update(
                state=PeerState.APPROVED, notes=str(number)
            )

    results = at_once(approve)
    assert results.count(1) == 1
    assert all(result in (0, 1) or isinstance(result, LostRaceError) for result in results)
    assert Peer.objects.get().notes == str(results.index(1))


def test_locked_rows_are_changed_by_one_after_the_other() -> None:
    peer = add()

    @retried
    def count_up() -> None:
        with unit_of_work():
            found = locked(Peer.objects.filter(pk=peer.pk)).get()
            Peer.objects.filter(pk=peer.pk).update(attempt_count=found.attempt_count + 1)

    def insist(number: int) -> int:
        done = 0
        while done < 5:
            try:
                count_up()
            except LostRaceError:
                continue
            done += 1
        return done

    assert at_once(insist) == [5] * WORKERS
    assert Peer.objects.get().attempt_count == 5 * WORKERS


def test_a_lock_alone_keeps_a_decision_true_until_the_commit() -> None:
    """Of two transactions that each read both rows and write one, the second must see the change of the first."""
    first, second = add("https://first.example.org"), add("https://second.example.org")

    def suspend(own: Peer, other: Peer) -> bool:
        with unit_of_work():
            if (
                not locked(Peer.objects.filter(pk__in=[first.pk, second.pk]))
                .filter(pk=other.pk, state=PeerState.PROPOSED)
                .exists()
            ):
                return False
            return bool(Peer.objects.filter(pk=own.pk).update(state=PeerState.SUSPENDED))

    at_once(lambda number: suspend(first, second) if number % 2 else suspend(second, first))
    assert Peer.objects.filter(state=PeerState.PROPOSED).count() == 1
