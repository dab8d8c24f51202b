"""The sealer: lines of the journal become entries of the log, once, in order, and never change after that."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from peers.models import FederationLog, JournalEntry, JournalKind, LogBatch, SealedEntryError
from peers.protocol.log_verification import LogFault, LogFaultError
from peers.services.trust import log_sealing
from peers.services.trust.journal import note
from peers.services.trust.log_reading import verify_own_log
from peers.services.trust.log_sealing import seal_batch, seal_log


def lines(count: int) -> None:
    """Write lines to the journal."""
    for number in range(count):
        note(JournalKind.PEER, f"Decision {number}", peer_url="https://hub.example.org", digest=f"{number:064x}")


@pytest.mark.django_db
def test_lines_are_sealed_in_signed_batches_and_later_lines_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_sealing, "SEALED_TOGETHER", 4)
    lines(6)
    JournalEntry.objects.filter(text="Decision 0").update(at=timezone.now() + timedelta(microseconds=1001))
    assert (seal_log(), seal_log()) == (6, 0)
    lines(3)
    assert seal_log() == 3

    assert sorted(JournalEntry.objects.values_list("position", flat=True)) == list(range(1, 10))
    assert [(row.first_position, row.last_position) for row in LogBatch.objects.all()] == [(1, 4), (5, 6), (7, 9)]
    verified = verify_own_log()
    assert (verified.entries, verified.checkpoints) == (9, 3)


@pytest.mark.django_db
def test_a_sealed_line_can_be_neither_changed_nor_deleted() -> None:
    lines(2)
    seal_log()
    lines(1)
    line = JournalEntry.objects.get(position=1)
    line.text = "another"
    batch = LogBatch.objects.get()
    for change in (
        line.save, line.delete, JournalEntry.objects.all().delete, batch.save, batch.delete,
        lambda: JournalEntry.objects.filter(pk=line.pk).update(text="x"),
    ):  # fmt: skip
        with pytest.raises(SealedEntryError):
            change()
    assert JournalEntry.objects.filter(position=0).update(text="not sealed yet") == 1
    verify_own_log()


@pytest.mark.django_db
def test_what_a_person_with_access_to_the_database_changes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_sealing, "SEALED_TOGETHER", 4)
    lines(10)
    seal_log()
    rows, batches = JournalEntry._base_manager, LogBatch._base_manager

    def cut_off() -> None:
        rows.filter(position__gt=8).delete()
        batches.filter(number=3).delete()

    for change, undo, fault, position in (
        (
            lambda: rows.filter(position=3).update(actor_name="x"),
            lambda: rows.filter(position=3).update(actor_name=""),
            LogFault.ENTRY_CHANGED,
            3,
        ),
        (
            lambda: batches.filter(number=2).update(first_position=6),
            lambda: batches.filter(number=2).update(first_position=5),
            LogFault.CHECKPOINT,
            5,
        ),
        (cut_off, lambda: None, LogFault.TRUNCATED, 9),
    ):
        change()
        with pytest.raises(LogFaultError) as caught:
            verify_own_log()
        assert (caught.value.fault, caught.value.position) == (fault, position)
        undo()


@pytest.mark.django_db(transaction=True)
def test_two_sealers_at_once_make_one_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_sealing, "SEALED_TOGETHER", 5)
    lines(40)
    # The lease keeps a second sealer away. Here it does not, as if a slow sealer's lease had ended unnoticed.
    FederationLog.objects.create(lease_token="t", due_at=timezone.now() + timedelta(hours=1))
    start = threading.Barrier(2)

    def run(_: int) -> int:
        start.wait(timeout=30)
        try:
            return sum(iter(lambda: seal_batch("t"), 0))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        sealed = list(pool.map(run, range(2)))
    assert sum(sealed) == 40
    assert verify_own_log().entries == 40
    assert seal_log() == 0


@pytest.mark.django_db
def test_a_sealer_whose_lease_another_one_has_writes_nothing() -> None:
    lines(1)
    FederationLog.objects.create(lease_token="slow", due_at=timezone.now() - timedelta(seconds=1))
    assert FederationLog.take(now=timezone.now(), lease=timedelta(minutes=1), token="new")
    assert not FederationLog.take(now=timezone.now(), lease=timedelta(minutes=1), token="third")
    assert (seal_batch("slow"), seal_log(), seal_batch("new")) == (0, 0, 1)
