"""The prune of the federation log: what is left verifies, at the hub and without it, and only stated parts go."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from core.actors import Actor
from peers.models import CheckpointStanding, FederationLog, JournalEntry, LogBatch, Peer, PeerCheckpoint, PeerState
from peers.protocol.log_verification import LogFault, LogFaultError
from peers.services.trust import log_pruning, log_sealing
from peers.services.trust.log_checkpoints import held_by_peers, record_held
from peers.services.trust.log_pruning import prune_log
from peers.services.trust.log_reading import count_entries, verify_own_log
from peers.services.trust.log_sealing import seal_log, start_log
from tests.app.peers.log.test_export import Change, output_of, verify
from tests.app.peers.log.test_sealing import lines

pytestmark = pytest.mark.django_db
LATER = timedelta(days=100)


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Peer:
    """An approved peer, and a log of ten entries in batches of two; all are old after LATER."""
    monkeypatch.setattr(log_pruning, "LEAST_ENTRIES", 2)
    monkeypatch.setattr(log_sealing, "SEALED_TOGETHER", 2)
    lines(10)
    seal_log()
    return Peer.objects.create(server_url="https://b.example.org", state=PeerState.APPROVED)


def tell(peer: Peer, number: int, *, at: datetime) -> None:
    """The peer answers that it holds the checkpoint of a batch."""
    assert record_held(peer, [LogBatch.objects.get(number=number).checkpoint.to_dict()], now=at) == 1


def prune_all(now: datetime) -> int:
    """Prune until nothing is left to do, one row at a time; verify the log after each step."""
    deleted = 0
    while taken := prune_log(now, 1):
        deleted += taken
        verify_own_log(held=held_by_peers())
    return deleted


def test_entries_go_after_the_log_has_said_so_and_a_peer_holds_that(peer: Peer, tmp_path: Path) -> None:
    then = timezone.now() + LATER
    assert prune_all(then) == 0 and not FederationLog.objects.get().stated_batch
    tell(peer, 3, at=then)
    # The line that says so is not sealed, then not held: nothing goes.
    assert prune_all(then) == 0
    said = JournalEntry.objects.get(kind="prune")
    assert "position 6, checkpoint 3" in said.text
    seal_log()
    assert prune_all(then) == 0
    lines(1)
    seal_log()
    lines(1)
    tell(peer, 6, at=then)

    # Six entries, and two batches before the anchor.
    assert prune_all(then) == 8

    assert sorted(JournalEntry.objects.values_list("position", flat=True)) == [0, 0, 7, 8, 9, 10, 11, 12]
    assert list(LogBatch.objects.values_list("number", flat=True)) == [3, 4, 5, 6, 7]
    verified = verify_own_log(held=held_by_peers())
    assert (verified.entries, verified.pruned, verified.checkpoints, verified.held) == (6, 6, 4, 1)
    assert count_entries() == 6
    said_by_command = output_of("verify_log")
    assert "up to position 6 are pruned" in said_by_command
    seal_log()
    verify_own_log()
    path, held = tmp_path / "log.jsonl", tmp_path / "held.jsonl"
    output_of("export_log", "--output", path)
    held.write_text("\n".join(json.dumps(row.checkpoint.to_dict()) for row in LogBatch.objects.all()))
    assert "verified: 8 entries behind position 6" in verify(path, "--held", held)[1]
    stored = path.read_text(encoding="utf-8")
    changes: list[tuple[Change, str]] = [
        (lambda rows: rows[0]["pruned"].update(batch=2), "signature"),
        (lambda rows: rows[0].update(pruned=rows[-1]), "line 2"),
        (lambda rows: [row.update(kind="peer") for row in rows if row.get("kind") == "prune"], "changed"),
        (lambda rows: rows[0].update(type="fedhub-log-export/1"), "line 2"),
        # The next batch is cut off, too, and no entry says so.
        (lambda rows: rows.__setitem__(slice(0, 4), [rows[0] | {"pruned": rows[3]}]), "no entry says"),
    ]
    for change, text in changes:
        rows = [json.loads(line) for line in stored.splitlines()]
        change(rows)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        code, answer = verify(path)
        assert (code, text in answer) == (1, True), answer


def test_a_peer_s_checkpoint_of_the_pruned_part_is_not_taken_for_a_fork(peer: Peer) -> None:
    then, early = timezone.now() + LATER, LogBatch.objects.get(number=1).checkpoint.to_dict()
    tell(peer, 3, at=then)
    prune_all(then)
    seal_log()
    tell(peer, 6, at=then)
    prune_all(then)
    other = Peer.objects.create(server_url="https://c.example.org", state=PeerState.APPROVED)

    record_held(other, [early], now=then)

    assert not PeerCheckpoint.objects.filter(standing=CheckpointStanding.FORK).exists()
    assert verify_own_log(held=held_by_peers()).earlier == 0


def test_a_peer_that_told_of_less_keeps_the_entries_until_they_are_overdue(peer: Peer) -> None:
    then = timezone.now() + LATER
    tell(peer, 5, at=then)
    behind = Peer.objects.create(server_url="https://c.example.org", state=PeerState.APPROVED)
    tell(behind, 1, at=then)
    assert prune_all(then) == 0 and FederationLog.objects.get().stated_batch == 1
    seal_log()
    assert prune_all(then) == 0
    # Silent for longer than the hub keeps rows: the other peer's answer is enough.
    PeerCheckpoint.objects.filter(peer=behind).update(received_at=then - timedelta(days=91))
    tell(peer, 6, at=then)
    assert prune_all(then) == 2
    # A hub whose peers hold nothing keeps its entries four times as long.
    PeerCheckpoint.objects.all().delete()
    prune_all(then)
    seal_log()
    assert prune_all(then) == 0
    assert prune_all(timezone.now() + 4 * LATER) > 0


def test_a_writer_in_the_database_cannot_pass_a_deletion_off_as_a_prune(peer: Peer) -> None:
    seal_log()
    FederationLog.objects.update(pruned_batch=2)
    with pytest.raises(LogFaultError) as caught:
        verify_own_log()
    assert (caught.value.fault, "no entry says" in caught.value.detail) == (LogFault.ENTRY_MISSING, True)
    # The line that begins another log names the checkpoint before, and is not a statement either.
    FederationLog.objects.update(pruned_batch=0)
    start_log(reason="restored", by=Actor("1", "ada"))
    FederationLog.objects.update(pruned_batch=5)
    with pytest.raises(LogFaultError) as caught:
        verify_own_log()
    assert (caught.value.fault, "no entry says" in caught.value.detail) == (LogFault.ENTRY_MISSING, True)
    FederationLog.objects.update(pruned_batch=99)
    with pytest.raises(LogFaultError) as caught:
        verify_own_log()
    assert caught.value.fault == LogFault.CHECKPOINT
