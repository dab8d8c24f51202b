"""What an agent says about its work, in one form for both protocol versions. A provider makes these values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.strict_json import JsonObject


class AgentState(StrEnum):
    """The states of an A2A task (TaskState), with the names of A2A 0.3; `message` for an answer without a task."""

    SUBMITTED = "submitted"
    WORKING = "working"
    INPUT_REQUIRED = "input-required"
    AUTH_REQUIRED = "auth-required"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    REJECTED = "rejected"
    MESSAGE = "message"


ASKS = frozenset({AgentState.INPUT_REQUIRED, AgentState.AUTH_REQUIRED})
"""The states in which the agent waits for an answer."""

FINAL = frozenset(
    {AgentState.COMPLETED, AgentState.FAILED, AgentState.CANCELED, AgentState.REJECTED, AgentState.MESSAGE}
)
"""The states after which the agent does nothing more."""


@dataclass(frozen=True, slots=True)
class ArtifactUpdate:
    """An artifact, or a chunk of one.

    `parts` are parts in the JSON form of A2A 1.0: an object with `text`, `data`, `raw` (base64) or `url`, and perhaps
    `filename` and `mediaType`. With `append` the parts continue the artifact; `is_last` is false for a chunk that
    another chunk follows.
    """

    artifact_id: str
    name: str
    parts: tuple[JsonObject, ...]
    append: bool = False
    is_last: bool = True


@dataclass(frozen=True, slots=True)
class AgentUpdate:
    """One answer or one event of a stream.

    `task_id` and `context_id` are empty where the agent names none. `state` is None for an update without a status.
    `message` has the parts of the status message or of the answer. With `is_whole` the update is the whole task, whose
    `artifacts` are all that there are. `metadata` are the metadata objects of task, message and artifacts, in which
    agents report usage. `seen_messages` are the ids of the messages that the task knows.
    """

    task_id: str = ""
    context_id: str = ""
    state: AgentState | None = None
    message: tuple[JsonObject, ...] = ()
    artifacts: tuple[ArtifactUpdate, ...] = ()
    metadata: tuple[JsonObject, ...] = ()
    is_whole: bool = False
    seen_messages: frozenset[str] = frozenset()
