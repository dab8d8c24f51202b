"""The file of changes of runtimes, from which a restarted sandbox gets the same runtimes, ids and versions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from core.private_files import create_private_file
from core.strict_json import JsonObject
from sandbox.runtime_registry import UnknownRuntimeError
from sandbox.runtime_specs import InvalidSpecError


class SavedChanges:
    """A file with one line of JSON for each change that the admin API made.

    The options determine seeds and ids, so the same changes in the same order give the same runtimes. Only
    `lastUpdatedAt` is newer.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, method: str, key: str, body: JsonObject) -> None:
        """Append one change."""
        with open(self._path, "a", encoding="utf-8", opener=create_private_file) as lines:
            lines.write(json.dumps({"method": method, "key": key, "body": body}) + "\n")

    def replay(self, change: Callable[[str, str, JsonObject], object]) -> None:
        """Call `change` for every saved change; skip a change that other seeds no longer allow, or a cut-off line."""
        if not self._path.exists():
            return
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
                change(entry["method"], entry["key"], entry["body"])
            except (ValueError, InvalidSpecError, UnknownRuntimeError):
                continue
