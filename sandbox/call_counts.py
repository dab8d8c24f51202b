"""Counts what was asked of the sandbox, so that tests and benchmarks can hold the hub to its budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from sandbox.runtime_specs import Json, JsonObject


class Calls:
    """Calls by operation, refusals by code, and how many were under way at once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._under_way = 0
        self.reset()

    def reset(self) -> None:
        """Forget everything but the calls under way."""
        with self._lock:
            self._counts: Counter[str] = Counter()
            self._refused: Counter[str] = Counter()
            self._roles: list[JsonObject] = []
            self._most_at_once = self._under_way

    def count(self, operation: str) -> None:
        """Note one call, answered well or not."""
        with self._lock:
            self._counts[operation] += 1

    def refuse(self, code: str) -> None:
        """Note one call that authentication turned away."""
        with self._lock:
            self._refused[code] += 1

    def assumed(self, role_arn: str, external_id: str | None, session_name: str) -> None:
        """Note who assumed which role."""
        with self._lock:
            self._roles.append({"roleArn": role_arn, "externalId": external_id, "roleSessionName": session_name})

    @contextmanager
    def under_way(self) -> Iterator[Callable[[], None]]:
        """Note that a call is under way until the function given, or the context, ends it."""
        with self._lock:
            self._under_way += 1
            self._most_at_once = max(self._most_at_once, self._under_way)
        has_ended = False

        def end() -> None:
            nonlocal has_ended
            with self._lock:
                self._under_way -= not has_ended
            has_ended = True

        try:
            yield end
        finally:
            end()

    def to_dict(self) -> JsonObject:
        """Return the admin API's shape."""
        with self._lock:
            counts: dict[str, Json] = dict(sorted(self._counts.items()))
            refused: dict[str, Json] = dict(sorted(self._refused.items()))
            return {
                "total": sum(self._counts.values()),
                "counts": counts,
                "refused": refused,
                "assumedRoles": [*self._roles],
                "mostAtOnce": self._most_at_once,
            }
