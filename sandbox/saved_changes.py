"""Changes of runtimes in a file, so that a sandbox that starts again has the runtimes that it had, ids and versions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from sandbox.runtime_registry import UnknownRuntimeError
from sandbox.runtime_specs import InvalidSpecError, JsonObject


class Journal:
    """One line of JSON for each change that was made through the admin API.

    Seeds and ids follow from the options alone, so the same changes in the same order give the same runtimes; only
    `lastUpdatedAt` is newer, as after any deployment.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, method: str, key: str, body: JsonObject) -> None:
        """Append a change that was made."""
        with self._path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"method": method, "key": key, "body": body}) + "\n")

    def replay(self, change: Callable[[str, str, JsonObject], object]) -> None:
        """Make every noted change again; one that other seeds no longer allow, or that is cut off, is left out."""
        if not self._path.exists():
            return
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
                change(entry["method"], entry["key"], entry["body"])
            except (ValueError, InvalidSpecError, UnknownRuntimeError):
                continue
