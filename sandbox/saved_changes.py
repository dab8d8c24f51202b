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

    The options of the sandbox determine the seeds and the ids, so the same changes in the same order give the same
    runtimes. Only the `lastUpdatedAt` of a changed runtime is newer.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, method: str, key: str, body: JsonObject) -> None:
        """Append one change: the HTTP method, the runtime's `key` and the `body` of the admin API's request."""
        with open(self._path, "a", encoding="utf-8", opener=create_private_file) as lines:
            lines.write(json.dumps({"method": method, "key": key, "body": body}) + "\n")

    def replay(self, change: Callable[[str, str, JsonObject], object]) -> None:
        """Call `change` for every saved change; skip a cut-off line, and a change that the new seeds do not allow."""
        if not self._path.exists():
            return
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
                change(entry["method"], entry["key"], entry["body"])
            except (ValueError, InvalidSpecError, UnknownRuntimeError):
                continue
