"""Parallel test processes have separate files; a process that a test starts uses the files of the test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings

ROOT = Path(__file__).resolve().parents[4]


def var_dir_of_child(**variables: str) -> str:
    """Return where a child process with the tests' settings keeps its files."""
    program = "from tests.settings import VAR_DIR; print(VAR_DIR)"
    environ = os.environ | variables
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_process_started_by_a_test_shares_its_files() -> None:
    assert var_dir_of_child() == str(settings.VAR_DIR)


def test_another_test_worker_has_files_of_its_own() -> None:
    assert var_dir_of_child(PYTEST_XDIST_WORKER="gw77") != str(settings.VAR_DIR)
