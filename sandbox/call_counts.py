"""The counts of calls, from which tests and benchmarks check how many calls the hub makes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from core.strict_json import Json, JsonObject


class CallCounts:
    """The calls that the sandbox received since the last reset; control plane and data plane count each call here.

    The counts are: calls by operation, refusals of authentication by AWS's error code, the calls of AssumeRole with
    role, ExternalId and session name, and the largest number of calls that were in progress at the same time. The
    calls of the data plane are also counted by runtime and JSON-RPC method.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._in_progress = 0
        self.reset()

    def reset(self) -> None:
        """Set all counts to 0, but the largest number of simultaneous calls to the number of calls in progress."""
        with self._lock:
            self._counts: Counter[str] = Counter()
            self._by_runtime: dict[str, Counter[str]] = defaultdict(Counter)
            self._refused: Counter[str] = Counter()
            self._roles: list[JsonObject] = []
            self._most_at_once = self._in_progress

    def count_call(self, operation: str) -> None:
        """Count one call, successful or not."""
        with self._lock:
            self._counts[operation] += 1

    def count_runtime_call(self, runtime_id: str, method: str) -> None:
        """Count one call of a runtime, successful or not, under its JSON-RPC method or `GetAgentCard`."""
        with self._lock:
            self._by_runtime[runtime_id][method] += 1

    def runtime_counts(self, runtime_id: str) -> dict[str, Json]:
        """Return the number of calls of a runtime by method."""
        with self._lock:
            return dict(sorted(self._by_runtime.get(runtime_id, {}).items()))

    def count_refusal(self, code: str) -> None:
        """Count one call that authentication refused."""
        with self._lock:
            self._refused[code] += 1

    def record_assumed_role(self, role_arn: str, external_id: str | None, session_name: str) -> None:
        """Record one call of AssumeRole."""
        with self._lock:
            self._roles.append({"roleArn": role_arn, "externalId": external_id, "roleSessionName": session_name})

    @contextmanager
    def in_progress(self) -> Iterator[Callable[[], None]]:
        """Count a call as in progress until the yielded function is called, or at the latest until the block ends."""
        with self._lock:
            self._in_progress += 1
            self._most_at_once = max(self._most_at_once, self._in_progress)
        has_ended = False

        def end() -> None:
            nonlocal has_ended
            with self._lock:
                self._in_progress -= not has_ended
            has_ended = True

        try:
            yield end
        finally:
            end()

    def to_dict(self) -> JsonObject:
        """Return the counts in the JSON form of the admin API."""
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
