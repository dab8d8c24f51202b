"""A committed migration is frozen, because databases exist that it made and that would not get its changes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = "tests/migrations.sha256"
PACKAGES = ("core", "fedhub", "federations", "peers", "sandbox")


def recorded_digests() -> dict[str, str]:
    """Return the SHA-256 of each migration in the list, by its path; the list has the format of `sha256sum`."""
    lines = (ROOT / LIST).read_text(encoding="utf-8").splitlines()
    return {path: digest for digest, path in (line.split() for line in lines)}


def present_digests() -> dict[str, str]:
    """Return the SHA-256 of each migration file, by its path."""
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("migrations/[0-9]*.py")]
    return {str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def faults(recorded: Mapping[str, str], present: Mapping[str, str]) -> list[str]:
    """Return a text for each migration that is missing, new or changed, with the command to run."""
    found = []
    for path in sorted(recorded.keys() | present.keys()):
        if path not in present:
            found.append(f"{path} is missing. Databases exist that it made: git checkout main -- {path}")
        elif path not in recorded:
            found.append(f"{path} is new. Once it is final, freeze it: sha256sum {path} >> {LIST}")
        elif recorded[path] != present[path]:
            found.append(
                f"{path} was changed. Databases exist that it made: git checkout main -- {path}, then write the "
                "change as a new migration: manage.py makemigrations"
            )
    return found


def test_every_migration_is_as_it_was_committed() -> None:
    found = faults(recorded_digests(), present_digests())
    assert not found, "\n".join(found)


def test_migrations_are_found() -> None:
    assert {"federations/migrations/0001_registry.py", "peers/migrations/0001_peers.py"} <= present_digests().keys()


def test_new_changed_and_missing_migrations_are_named_with_what_to_do() -> None:
    recorded = {"a/0001.py": "1", "a/0002.py": "2", "a/0003.py": "3"}
    missing, changed, new = faults(recorded, {"a/0001.py": "1", "a/0003.py": "4", "a/0004.py": "5"})
    assert missing.startswith("a/0002.py is missing") and "git checkout main -- a/0002.py" in missing
    assert changed.startswith("a/0003.py was changed") and "makemigrations" in changed
    assert new.startswith("a/0004.py is new") and f"sha256sum a/0004.py >> {LIST}" in new


def test_unchanged_migrations_are_no_fault() -> None:
    assert faults({"a/0001.py": "1"}, {"a/0001.py": "1"}) == []
