"""The fold of an agent's updates into the events and the outcome of one run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from core.strict_json import Json, JsonObject
from federations.runs.answer import Answer, line_of, other_parts, text_of
from federations.runs.bounds import PAYLOAD_BYTES, clean_name, compact, cut_text
from federations.runs.states import EventKind, RunState
from federations.runs.updates import ASKS, FINAL, AgentState, AgentUpdate, ArtifactUpdate
from federations.runs.usage import reported_usage

_ID_CHARACTERS = 200


class ForeignUpdateError(Exception):
    """Raised for an update about another task or context than the run's own. The text of the error is the reason."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to store. `is_partial` marks a chunk of an artifact, which the next chunk replaces."""

    kind: EventKind
    payload: JsonObject
    is_partial: bool = False

    @property
    def key(self) -> tuple[EventKind, str]:
        """Return what a later event must have in common with a partial one to replace it."""
        return self.kind, str(self.payload.get("id", ""))


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a run: its state, and the reason where it is not `completed`."""

    state: RunState
    error: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What one update means for the run.

    `question` is the agent's question, or None. `ending` is None while the agent works or waits. `reported` are the
    figures of usage in the update.
    """

    events: tuple[NewEvent, ...] = ()
    question: str | None = None
    ending: Ending | None = None
    reported: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Progress:
    """The state of one run while its agent works.

    `artifact_digests` and `message_digest` are those of the events that are stored, so that a repeated update gives no
    event; a driver that continues the run of a dead one reads them from the rows.
    """

    context_id: str
    task_id: str = ""
    answer: Answer = field(default_factory=Answer)
    artifact_digests: dict[str, str] = field(default_factory=dict)
    message_digest: str = ""
    is_working: bool = False

    def take(self, update: AgentUpdate) -> Step:
        """Fold an update. Raise ForeignUpdateError for another task or context, AnswerTooLargeError over a bound."""
        self._check_ids(update)
        if update.is_whole:
            self.answer.keep_only(artifact.artifact_id for artifact in update.artifacts)
        events = [*self._begin(update), *self._artifact_events(update)]
        question = ending = None
        if update.state in ASKS:
            question = text_of(update.message)
        elif update.state in FINAL:
            ending = self._ending(update)
        else:
            events += self._message_events(update)
        return Step(tuple(events), question, ending, reported_usage(update.metadata))

    def knows_artifact(self, payload: JsonObject) -> None:
        """Take a stored event of an artifact."""
        digest = str(payload.get("digest", "")).removeprefix("sha256:")
        self.artifact_digests[str(payload.get("id"))] = f"{payload.get('name')} {digest}"

    def knows_message(self, payload: JsonObject) -> None:
        """Take a stored event of a message."""
        self.message_digest = _message_digest(payload)

    def _check_ids(self, update: AgentUpdate) -> None:
        if update.context_id and update.context_id != self.context_id:
            raise ForeignUpdateError("the agent answered in another context than that of the run")
        if not update.task_id:
            return
        if len(update.task_id) > _ID_CHARACTERS or clean_name(update.task_id) != update.task_id:
            raise ForeignUpdateError("the agent's task id is malformed")
        if self.task_id and update.task_id != self.task_id:
            raise ForeignUpdateError("the agent answered about another task than that of the run")

    def _begin(self, update: AgentUpdate) -> Iterator[NewEvent]:
        if update.task_id:
            self.task_id = update.task_id
        if update.task_id and not self.is_working:
            self.is_working = True
            yield NewEvent(EventKind.WORKING, {"taskId": update.task_id})

    def _artifact_events(self, update: AgentUpdate) -> Iterator[NewEvent]:
        for artifact in update.artifacts:
            kept = self.answer.take(artifact)
            digest = f"{kept.name} {kept.digest}"
            if self.artifact_digests.get(kept.artifact_id) != digest:
                self.artifact_digests[kept.artifact_id] = digest
                is_partial = not artifact.is_last
                yield NewEvent(EventKind.ARTIFACT, {**kept.to_dict(), "digest": f"sha256:{kept.digest}"}, is_partial)

    def _message_events(self, update: AgentUpdate) -> Iterator[NewEvent]:
        if not update.message:
            return
        payload = _message_payload(update)
        digest = _message_digest(payload)
        if digest != self.message_digest:
            self.message_digest = digest
            yield NewEvent(EventKind.MESSAGE, payload)

    def _ending(self, update: AgentUpdate) -> Ending:
        if update.state in (AgentState.COMPLETED, AgentState.MESSAGE):
            if not self.answer.text or update.message:
                self.answer.text = text_of(update.message)
            if update.state is AgentState.MESSAGE and (parts := other_parts(update.message)):
                self.answer.take(_message_artifact(parts))
            return Ending(RunState.COMPLETED)
        said = line_of(update.message)
        if update.state is AgentState.CANCELED:
            return Ending(RunState.CANCELLED, said or "the agent cancelled the task")
        verb = "rejected the task" if update.state is AgentState.REJECTED else "failed"
        return Ending(RunState.FAILED, f"the agent {verb}: {said}" if said else f"the agent {verb}")


def _message_digest(payload: JsonObject) -> str:
    return hashlib.sha256(compact(payload)).hexdigest()


def _message_artifact(parts: list[Json]) -> ArtifactUpdate:
    """Return the parts of an answer without a task, beside its texts, as an artifact."""
    return ArtifactUpdate("message", "", tuple(part for part in parts if isinstance(part, dict)))


def _message_payload(update: AgentUpdate) -> JsonObject:
    payload: JsonObject = {"text": cut_text(text_of(update.message))}
    if parts := other_parts(update.message):
        fuller: JsonObject = {**payload, "parts": parts}
        if len(compact(fuller)) <= PAYLOAD_BYTES:
            return fuller
        content = compact(parts)
        return {**payload, "size": len(content), "digest": f"sha256:{hashlib.sha256(content).hexdigest()}"}
    return payload
