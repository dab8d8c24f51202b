"""What an agent's updates mean for a run: events, answer, outcome, and the bounds on all of them."""

from __future__ import annotations

import json

import pytest

from core.strict_json import JsonObject
from federations.runs.answer import AnswerTooLargeError
from federations.runs.bounds import ANSWER_BYTES, ARTIFACTS, PAYLOAD_BYTES, compact
from federations.runs.progress import ForeignUpdateError, Progress, Step
from federations.runs.states import EventKind, RunState
from federations.runs.updates import AgentState, AgentUpdate, ArtifactUpdate

CONTEXT, TASK = "context-1", "task-1"


def update(state: AgentState | None = AgentState.WORKING, text: str = "", **more: object) -> AgentUpdate:
    parts = ({"text": text},) if text else ()
    return AgentUpdate(task_id=TASK, context_id=CONTEXT, state=state, message=parts, **more)  # type: ignore[arg-type]


def chunk(text: str, *, append: bool = False, is_last: bool = True, key: str = "a") -> ArtifactUpdate:
    return ArtifactUpdate(key, "report", ({"text": text},), append=append, is_last=is_last)


def kinds(step: Step) -> list[str]:
    return [event.kind.value for event in step.events]


def test_first_task_is_working_and_a_repeated_update_gives_no_event() -> None:
    progress = Progress(CONTEXT)
    assert kinds(progress.take(update(text="half"))) == ["working", "message"]
    assert kinds(progress.take(update(text="half"))) == []
    assert kinds(progress.take(update(text="done soon"))) == ["message"]
    assert progress.task_id == TASK


def test_chunks_become_one_artifact_that_a_whole_task_does_not_repeat() -> None:
    progress = Progress(CONTEXT)
    progress.take(update(artifacts=(chunk("one", is_last=False),)))
    step = progress.take(update(None, artifacts=(chunk("two", append=True),)))
    assert step.events[0].payload["parts"] == [{"text": "one"}, {"text": "two"}]
    assert [event.is_partial for event in step.events] == [False]
    whole = ArtifactUpdate("a", "report", ({"text": "one"}, {"text": "two"}))
    step = progress.take(update(AgentState.COMPLETED, "fine", artifacts=(whole,), is_whole=True))
    assert kinds(step) == []
    assert step.ending and step.ending.state is RunState.COMPLETED
    assert progress.answer.to_dict() == {
        "text": "fine",
        "artifacts": [{"id": "a", "name": "report", "parts": [{"text": "one"}, {"text": "two"}]}],
    }


def test_progress_of_another_worker_continues_from_stored_digests() -> None:
    first = Progress(CONTEXT)
    first.take(update(text="half", artifacts=(chunk("one"),)))
    second = Progress(
        CONTEXT,
        task_id=TASK,
        artifact_digests=dict(first.artifact_digests),
        message_digest=first.message_digest,
        is_working=True,
    )
    assert kinds(second.take(update(text="half", artifacts=(chunk("one"),), is_whole=True))) == []


@pytest.mark.parametrize(
    ("state", "expected", "reason"),
    [
        (AgentState.FAILED, RunState.FAILED, "the agent failed: no data"),
        (AgentState.REJECTED, RunState.FAILED, "the agent rejected the task: no data"),
        (AgentState.CANCELED, RunState.CANCELLED, "no data"),
        (AgentState.COMPLETED, RunState.COMPLETED, ""),
        (AgentState.MESSAGE, RunState.COMPLETED, ""),
    ],
)
def test_each_final_state_ends_the_run(state: AgentState, expected: RunState, reason: str) -> None:
    ending = Progress(CONTEXT).take(update(state, "no\n data")).ending
    assert ending and (ending.state, ending.error) == (expected, reason)


@pytest.mark.parametrize("state", [AgentState.INPUT_REQUIRED, AgentState.AUTH_REQUIRED])
def test_a_question_is_not_an_end(state: AgentState) -> None:
    step = Progress(CONTEXT).take(update(state, "Which year?"))
    assert (step.question, step.ending) == ("Which year?", None)


@pytest.mark.parametrize(
    "foreign",
    [
        AgentUpdate(task_id="task-2", context_id=CONTEXT),
        AgentUpdate(task_id=TASK, context_id="context-2"),
        AgentUpdate(context_id="context-2", state=AgentState.MESSAGE),
        AgentUpdate(task_id="x" * 201),
        AgentUpdate(task_id="a\nb"),
    ],
)
def test_an_update_about_something_else_is_refused(foreign: AgentUpdate) -> None:
    progress = Progress(CONTEXT)
    progress.take(update())
    with pytest.raises(ForeignUpdateError):
        progress.take(foreign)


def test_a_large_artifact_is_kept_by_size_and_digest_however_it_is_cut() -> None:
    parts: list[JsonObject] = [{"text": "x" * 30_000} for _ in range(400)]
    whole, pieces = Progress(CONTEXT), Progress(CONTEXT)
    whole.take(update(artifacts=(ArtifactUpdate("a", "big", tuple(parts)),)))
    for number, part in enumerate(parts):
        pieces.take(update(artifacts=(ArtifactUpdate("a", "big", (part,), append=number > 0),)))
    assert whole.answer.to_dict() == pieces.answer.to_dict()
    assert set(whole.answer.artifacts["a"].to_dict()) == {"id", "name", "size", "digest"}


def test_every_payload_fits_into_its_bound() -> None:
    progress = Progress(CONTEXT)
    for text in ("a" * 200_000, "\U0001f600" * 60_000, "\u00e9" * 100_000):
        for event in progress.take(update(text=text, artifacts=(chunk(text, key=text[:1]),))).events:
            assert len(compact(event.payload)) <= PAYLOAD_BYTES
    data = AgentUpdate(TASK, CONTEXT, AgentState.WORKING, ({"data": {"x": "y" * 100_000}},))
    assert "size" in progress.take(data).events[0].payload


def test_too_much_is_refused_with_a_plain_reason() -> None:
    many = tuple(chunk("x", key=str(number)) for number in range(ARTIFACTS + 1))
    with pytest.raises(AnswerTooLargeError, match="more than 1000 artifacts"):
        Progress(CONTEXT).take(update(artifacts=many))
    progress = Progress(CONTEXT)
    progress.take(update(AgentState.COMPLETED, "x" * (ANSWER_BYTES + 1)))
    with pytest.raises(AnswerTooLargeError, match="larger than 4194304 bytes"):
        progress.answer.to_dict()


def test_texts_are_clean_and_markup_stays_text() -> None:
    progress = Progress(CONTEXT)
    progress.take(update(AgentState.COMPLETED, "<b>a\x00\x1b[31m\ud800</b>\r\nnext\tcell"))
    assert progress.answer.text == "<b>a[31m</b>\nnext\tcell"
    step = Progress(CONTEXT).take(update(artifacts=(ArtifactUpdate("i\nd", "n\x07", ({"data": {"k\x00": 3.0}},)),)))
    payload = next(event.payload for event in step.events if event.kind is EventKind.ARTIFACT)
    assert json.dumps(payload["parts"]) == '[{"data": {"k": 3}}]'
    assert (payload["id"], payload["name"]) == ("i d", "n")
