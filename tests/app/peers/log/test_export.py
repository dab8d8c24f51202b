"""The commands of the federation log, and the script that verifies an export without the hub."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core.actors import Actor
from core.errors import InvalidRequestError
from peers.models import FederationLog, JournalEntry, LogBatch
from peers.services.trust import log_sealing
from peers.services.trust.identity import hub_identity
from peers.services.trust.log_sealing import seal_log, start_log
from tests.app.peers.log.test_sealing import lines

SCRIPT = Path(__file__).resolve().parents[4] / "docs" / "verify_log.py"
pytestmark = pytest.mark.django_db
Change = Callable[[list[dict[str, Any]]], object]


def verify(*arguments: object) -> tuple[int, str]:
    """Run the script, and return its exit code and output."""
    command = [sys.executable, "-I", str(SCRIPT), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def output_of(command: str, *arguments: object) -> str:
    """Run a command of the hub."""
    stdout = StringIO()
    call_command(command, *map(str, arguments), stdout=stdout)
    return stdout.getvalue()


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The export of a log of seven entries in two batches; its texts have characters that JSON may escape."""
    monkeypatch.setattr(log_sealing, "SEALED_TOGETHER", 4)
    lines(7)
    JournalEntry.objects.filter(text="Decision 3").update(text='é\u2028\n\U0001f600 "quoted" <b>')
    seal_log()
    path = tmp_path / "log.jsonl"
    assert "7 entries" in output_of("export_log", "--output", path)
    assert path.stat().st_mode & 0o777 == 0o600
    return path


def test_the_script_verifies_an_export(export: Path, tmp_path: Path) -> None:
    key = hub_identity().verification_keys[0].multibase
    held = tmp_path / "held.jsonl"
    held.write_text("\n".join(json.dumps(batch.checkpoint.to_dict()) for batch in LogBatch.objects.all()))
    code, text = verify(export, "--key", key, "--held", held)
    assert (code, "verified: 7 entries" in text, key in text) == (0, True, True)
    with pytest.raises(CommandError, match="exists already"):
        output_of("export_log", "--output", export)


def test_the_script_finds_every_tampering(export: Path, tmp_path: Path) -> None:
    stored = [json.loads(line) for line in export.read_text(encoding="utf-8").split("\n") if line]
    held = tmp_path / "held.jsonl"
    held.write_text(json.dumps(stored[-1]))
    other = tmp_path / "tampered.jsonl"

    def swap(rows: list[dict[str, Any]]) -> None:
        rows[2], rows[3] = rows[3], rows[2]

    changes: list[tuple[Change, str]] = [
        (lambda rows: rows[2].update(text="another"), "line 3"),
        (lambda rows: rows[2].update(previous="0" * 64), "line 3"),
        (lambda rows: rows.pop(4), "line 5"),
        (swap, "line 3"),
        (lambda rows: rows.insert(3, dict(rows[2])), "line 4"),
        (lambda rows: rows[5].update(at="2026-11-29T00:00:00.000Z"), "signature"),
        (lambda rows: rows[5].update(signature=rows[-1]["signature"]), "signature"),
        (lambda rows: rows.pop(5), "checkpoint 2"),
        (lambda rows: rows.pop(), "the end is missing"),
        (lambda rows: rows.__delitem__(slice(6, None)), "somebody holds"),
        (lambda rows: rows[0].update(keys=[]), "not signed by a key"),
        (lambda rows: rows.pop(0), "not an export"),
    ]
    for change, text in changes:
        rows = [dict(row) for row in stored]
        change(rows)
        other.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        code, said = verify(other, "--held", held)
        assert (code, text in said) == (1, True), said
    twice = export.read_text(encoding="utf-8").replace('"text":"Decision 1"', '"text":"forged","text":"Decision 1"')
    other.write_text(twice, encoding="utf-8")
    assert "twice" in verify(other)[1]


def test_the_command_names_the_position_and_what_was_found(export: Path, tmp_path: Path) -> None:
    held = tmp_path / "held.jsonl"
    held.write_text(json.dumps(LogBatch.objects.get(number=2).checkpoint.to_dict()) + "\n")
    said = output_of("verify_log", "--peer-checkpoints", held)
    assert "7 entries and 2 checkpoints verify" in said
    assert "1 checkpoints that peers hold agree" in said

    JournalEntry._base_manager.filter(position=6).update(text="another")
    stdout = StringIO()
    with pytest.raises(CommandError, match="does not verify"):
        call_command("verify_log", stdout=stdout)
    assert "Position 6: an entry was changed" in stdout.getvalue()

    held.write_text('{"type": "fedhub-log-checkpoint/1"}')
    with pytest.raises(CommandError, match="line 1: not a checkpoint that this hub signed"):
        output_of("verify_log", "--peer-checkpoints", held)


def test_a_log_that_was_begun_after_a_restore_verifies_and_says_so(export: Path, tmp_path: Path) -> None:
    """The restore took the last batch away, and peers hold its checkpoint."""
    lost = LogBatch.objects.get(number=2).checkpoint
    LogBatch._base_manager.filter(number=2).delete()
    JournalEntry._base_manager.filter(position__gt=4).delete()
    first = LogBatch.objects.get().checkpoint
    FederationLog.objects.update(position=4, hash=first.hash)
    lines(2)
    seal_log()
    held = tmp_path / "held.jsonl"
    held.write_text("\n".join(json.dumps(each.to_dict()) for each in (first, lost)))
    with pytest.raises(CommandError):
        output_of("verify_log", "--peer-checkpoints", held)

    before = FederationLog.objects.get().log_id
    with pytest.raises(InvalidRequestError):
        start_log(reason=" ", by=Actor(id="1", name="root"))
    assert start_log(reason="Disk failure", by=Actor(id="1", name="root")) != before
    lines(1)
    seal_log()
    said = output_of("verify_log", "--peer-checkpoints", held)
    assert "Position 7: root began another log." in said
    assert f"The log {before} ended at position 6: Disk failure" in said.replace("\n", " ")
    assert "1 checkpoints that peers hold are of the lost end of an earlier log, up to position 7." in said
    assert "1 checkpoints that peers hold agree with the log" in said

    again = tmp_path / "again.jsonl"
    output_of("export_log", "--output", again)
    code, text = verify(again, "--held", held)
    assert (code, "verified: 8 entries" in text, "position 7: root began another log" in text) == (0, True, True)
    stored = [json.loads(line) for line in again.read_text(encoding="utf-8").split("\n") if line]
    (start,) = (row for row in stored if row.get("kind") == "log")
    for change in ({"kind": "peer"}, {"digest": "0" * 64}, {"actor": "other"}):
        rows = [{**row, **change} if row is start else row for row in stored]
        again.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
        assert verify(again, "--held", held)[0] == 1


def test_another_log_is_no_excuse_for_a_checkpoint_of_the_log_that_goes_on(export: Path, tmp_path: Path) -> None:
    start_log(reason="Restored", by=Actor(id="1", name="root"))
    end = LogBatch.objects.order_by("-number")[0].checkpoint
    held = tmp_path / "held.jsonl"
    for forged in (replace(end, hash="0" * 64), replace(end, position=20, batch=9), replace(end, log="f" * 32)):
        held.write_text(json.dumps(forged.signed(hub_identity().signing_key()).to_dict()))
        with pytest.raises(CommandError):
            output_of("verify_log", "--peer-checkpoints", held)
        assert verify(export, "--held", held)[0] == 1
