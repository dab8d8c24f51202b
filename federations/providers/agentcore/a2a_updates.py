"""The translation of the A2A SDK's messages into the updates of a run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from a2a.types import a2a_pb2
from google.protobuf.json_format import Error as ProtobufError
from google.protobuf.json_format import MessageToDict

from core.strict_json import JsonObject
from federations.runs.updates import AgentState, AgentUpdate, ArtifactUpdate

_STATES = {
    a2a_pb2.TASK_STATE_SUBMITTED: AgentState.SUBMITTED,
    a2a_pb2.TASK_STATE_WORKING: AgentState.WORKING,
    a2a_pb2.TASK_STATE_INPUT_REQUIRED: AgentState.INPUT_REQUIRED,
    a2a_pb2.TASK_STATE_AUTH_REQUIRED: AgentState.AUTH_REQUIRED,
    a2a_pb2.TASK_STATE_COMPLETED: AgentState.COMPLETED,
    a2a_pb2.TASK_STATE_FAILED: AgentState.FAILED,
    a2a_pb2.TASK_STATE_CANCELED: AgentState.CANCELED,
    a2a_pb2.TASK_STATE_REJECTED: AgentState.REJECTED,
}
_PART_MEMBERS = ("text", "raw", "url", "data", "filename", "mediaType")


def task_update(task: a2a_pb2.Task) -> AgentUpdate:
    """Return the update of a whole task."""
    return AgentUpdate(
        task_id=task.id,
        context_id=task.context_id,
        state=_STATES.get(task.status.state),
        message=_parts(task.status.message.parts),
        artifacts=tuple(_artifact(artifact) for artifact in task.artifacts),
        metadata=_metadata(task, task.status.message, *task.artifacts),
        is_whole=True,
        seen_messages=frozenset(message.message_id for message in task.history),
    )


def message_update(message: a2a_pb2.Message) -> AgentUpdate:
    """Return the update of an answer without a task."""
    return AgentUpdate(
        context_id=message.context_id,
        state=AgentState.MESSAGE,
        message=_parts(message.parts),
        metadata=_metadata(message),
    )


def answer_update(answer: a2a_pb2.SendMessageResponse) -> AgentUpdate:
    """Return the update of the answer to a message. Raise ValueError for an answer without task and message."""
    if answer.HasField("task"):
        return task_update(answer.task)
    if answer.HasField("message"):
        return message_update(answer.message)
    raise ValueError("it holds neither a task nor a message")


def stream_update(event: a2a_pb2.StreamResponse) -> AgentUpdate | None:
    """Return the update of one event of a stream, or None for an event of an unknown kind."""
    kind = event.WhichOneof("payload")
    if kind == "task":
        return task_update(event.task)
    if kind == "message":
        return message_update(event.message)
    if kind == "status_update":
        changed = event.status_update
        return AgentUpdate(
            task_id=changed.task_id,
            context_id=changed.context_id,
            state=_STATES.get(changed.status.state),
            message=_parts(changed.status.message.parts),
            metadata=_metadata(changed, changed.status.message),
        )
    if kind == "artifact_update":
        added = event.artifact_update
        return AgentUpdate(
            task_id=added.task_id,
            context_id=added.context_id,
            artifacts=(_artifact(added.artifact, append=added.append, is_last=added.last_chunk or not added.append),),
            metadata=_metadata(added, added.artifact),
        )
    return None


def _artifact(artifact: a2a_pb2.Artifact, *, append: bool = False, is_last: bool = True) -> ArtifactUpdate:
    return ArtifactUpdate(
        artifact.artifact_id, artifact.name, _parts(artifact.parts), append=append, is_last=is_last
    )  # fmt: skip


def _parts(parts: Iterable[a2a_pb2.Part]) -> tuple[JsonObject, ...]:
    """Return the parts in their JSON form, without their metadata. A part with a number that is no JSON is left out."""
    found = []
    for part in parts:
        try:
            whole: dict[str, Any] = MessageToDict(part)
        except (ProtobufError, ValueError):
            continue
        found.append({name: whole[name] for name in _PART_MEMBERS if name in whole})
    return tuple(found)


def _metadata(*holders: Any) -> tuple[JsonObject, ...]:
    found = []
    for holder in holders:
        if holder.HasField("metadata"):
            try:
                found.append(MessageToDict(holder.metadata))
            except (ProtobufError, ValueError):
                continue
    return tuple(found)
