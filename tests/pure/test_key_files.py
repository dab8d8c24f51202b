"""Key files: private, made once, whole or not at all."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.key_files import create_key_file, development_secret_key


def test_a_new_file_is_private_and_has_no_draft_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "var" / "key"
    create_key_file(path, b"content")
    assert path.read_bytes() == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_an_existing_file_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"first")
    create_key_file(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_that_leads_nowhere_is_not_written_through(tmp_path: Path) -> None:
    path, other = tmp_path / "key", tmp_path / "other"
    path.symlink_to(other)
    create_key_file(path, b"content")
    assert not other.exists()


def test_a_write_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        create_key_file(tmp_path / "key", b"content")
    assert list(tmp_path.iterdir()) == []


def test_many_that_start_at_once_use_one_secret_key(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: development_secret_key(path), range(32)))
    assert len(keys) == 1
    assert len(keys.pop()) >= 64
    assert list(tmp_path.iterdir()) == [path]
