"""Counts of several processes are summed in the rows, and counts that could not be stored are kept."""

from __future__ import annotations

import os

import pytest
from django.db import OperationalError

from core.counts import Count, Spread, take_all
from core.figures import keeping
from core.figures.keeping import store_figures, stored_figures

TRIES = Count("test_tries_total", "Tries.", ("result",))
SECONDS = Spread("test_seconds", "Seconds.", (1, 5))
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_counted() -> None:
    """No test finds another's counts."""
    take_all()


def test_counts_of_later_calls_and_of_other_processes_are_added_to_the_rows() -> None:
    TRIES.add("good")
    store_figures()
    TRIES.add("good", amount=2)
    SECONDS.observe(3)
    SECONDS.observe(9)
    store_figures()
    assert stored_figures() == {
        "test_tries_total": {("good",): 3},
        "test_seconds_bucket": {("5",): 1, ("+Inf",): 1},
        "test_seconds_sum": {(): 12},
    }


def test_a_label_that_a_stranger_could_choose_becomes_other() -> None:
    TRIES.add("https://peer.example.com/")
    TRIES.add("x" * 61)
    assert take_all()[0] == {("test_tries_total", ("other",)): 2}


def test_counts_that_the_database_refuses_are_stored_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OperationalError("database is locked")

    TRIES.add("good")
    with monkeypatch.context() as patch:
        patch.setattr(keeping, "_add_to_row", refuse)
        store_figures()
    assert stored_figures() == {}
    store_figures()
    assert stored_figures() == {"test_tries_total": {("good",): 1}}


def test_a_forked_child_does_not_store_what_its_parent_counted() -> None:
    TRIES.add("good")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, str(len(take_all()[0])).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 10) == b"0"
    assert take_all()[0] == {("test_tries_total", ("good",)): 1}
