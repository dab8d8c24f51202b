"""What each agent of the sandbox received and did, for tests and benchmarks: messages, and tasks with their times."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from threading import Lock

from core.strict_json import Json, JsonObject

_MAX_ENTRIES = 10_000


class AgentLog:
    """The messages and tasks of every agent, by runtime id. It outlasts a restart of the agent."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._messages: dict[str, list[JsonObject]] = defaultdict(list)
        self._tasks: dict[str, dict[str, JsonObject]] = defaultdict(dict)

    def message(self, runtime_id: str, message_id: str, context_id: str, task_id: str) -> None:
        """Note a message that the agent began to work on."""
        with self._lock:
            entries = self._messages[runtime_id]
            entries.append({"id": message_id, "contextId": context_id, "taskId": task_id, "at": _now()})
            del entries[:-_MAX_ENTRIES]

    def started(self, runtime_id: str, task_id: str, context_id: str) -> None:
        """Note the start of a task; a task that continues after an answer keeps its start."""
        with self._lock:
            fresh: JsonObject = {"id": task_id, "contextId": context_id, "startedAt": _now()}
            task = self._tasks[runtime_id].setdefault(task_id, fresh)
            task |= {"endedAt": None, "state": "working"}

    def ended(self, runtime_id: str, task_id: str, state: str) -> None:
        """Note the end of a task, or that it asks."""
        with self._lock:
            task = self._tasks[runtime_id].get(task_id)
            if task is not None:
                task |= {"endedAt": _now(), "state": state}
                if state == "canceled":
                    task["cancelledAt"] = task["endedAt"]

    def to_dict(self, runtime_id: str) -> JsonObject:
        """Return `{"messages": […], "tasks": […]}` of one agent, oldest first."""
        with self._lock:
            messages: list[Json] = [dict(entry) for entry in self._messages[runtime_id]]
            tasks: list[Json] = [dict(entry) for entry in self._tasks[runtime_id].values()]
            return {"messages": messages, "tasks": tasks}


def _now() -> str:
    return datetime.now(UTC).isoformat()
