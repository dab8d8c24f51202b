"""Lifecycle handlers: called at least once for each event, and never again after they have returned."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.conf import LazySettings
from django.utils import timezone

from docs.echo_agents import EchoAgents
from peers.models import HandlerEvent, HandlerEventKind, OutboundCallback
from peers.protocol import Federation, on_budget_warning, on_federation_callback, on_federation_received
from peers.services.inbox.handler_events import ReceivedCallback, ReceivedEnvelope, is_handling, queue_event, run_event
from peers.services.outbox.backoff import MAX_ATTEMPTS
from peers.services.outbox.dead_letters import retry_dead
from peers.services.outbox.sweep import sweep
from tests.app.peers.outbox.conftest import STAFF, Partner, fresh, make_due

MODULE = "tests.app.peers.outbox.test_handlers"
ENVELOPE: dict[str, Any] = {
    "dispatch_id": "d-1",
    "source_server": "https://partner.example.org",
    "target_server": "https://hub.example.org",
    "intent_id": "i-1",
    "intent_title": "Sum up",
    "intent_state": {"a": 1},
}


@Federation(server_url="https://hub.example.org")
class Recorder:
    """Records its calls, and fails as often as a test says."""

    told: ClassVar[list[tuple[str, str, int]]] = []
    failures: ClassVar[int] = 0

    @on_federation_received
    def received(self, envelope: ReceivedEnvelope) -> None:
        self.note("received", envelope)

    @on_federation_callback
    async def callback(self, callback: ReceivedCallback) -> None:
        await asyncio.sleep(0)
        self.note("callback", callback)

    @on_budget_warning
    def warned(self, warning: ReceivedCallback) -> None:
        self.note("warned", warning)

    def note(self, what: str, told: ReceivedEnvelope | ReceivedCallback) -> None:
        self.told.append((what, told.dispatch_id, told.attempt))
        if len(self.told) <= self.failures:
            raise RuntimeError("not yet")


class Listener:
    """A class without the class decorator that handles callbacks alone."""

    @on_federation_callback
    def callback(self, callback: ReceivedCallback) -> None:
        Recorder.told.append(("listener", callback.dispatch_id, callback.attempt))


@pytest.fixture(autouse=True)
def handlers(db: None, settings: LazySettings) -> None:
    """The hub is configured with both classes."""
    settings.FEDHUB_HANDLERS = [f"{MODULE}.Recorder", f"{MODULE}.Listener"]
    Recorder.told.clear()
    Recorder.failures = 0
    is_handling.cache_clear()


def queued(kind: HandlerEventKind = HandlerEventKind.FEDERATION_RECEIVED, **payload: Any) -> list[HandlerEvent]:
    """Queue one event and return its rows."""
    body = ENVELOPE if kind == HandlerEventKind.FEDERATION_RECEIVED else {"dispatch_id": "d-1", "event_type": "failed"}
    queue_event(kind, source_id="row-1", dispatch_id="d-1", payload=body | payload)
    return list(HandlerEvent.objects.order_by("handler"))


def run(event: HandlerEvent) -> HandlerEvent:
    """End the pause, run the event, and return its row."""
    make_due(event)
    run_event(event.pk)
    found: HandlerEvent = fresh(event)
    return found


def test_a_plain_method_is_called_with_the_envelope(db: None) -> None:
    (event,) = queued()
    row = run(event)
    assert Recorder.told == [("received", "d-1", 1)]
    assert (row.finished_at is None, row.due_at, row.attempts) == (False, None, 1)


def test_each_class_that_handles_a_kind_gets_its_own_event_and_coroutines_are_awaited(db: None) -> None:
    for event in queued(HandlerEventKind.FEDERATION_CALLBACK):
        run(event)
    assert sorted(Recorder.told) == [("callback", "d-1", 1), ("listener", "d-1", 1)]


def test_the_same_source_makes_one_event(db: None) -> None:
    queued()
    assert len(queued()) == 1


def test_a_handler_that_fails_is_called_again_after_a_pause_with_the_next_attempt(db: None) -> None:
    Recorder.failures = 2
    (event,) = queued()
    for attempt in (1, 2):
        with pytest.raises(RuntimeError):
            run(event)
        row = fresh(event)
        assert (row.attempts, row.last_error, row.finished_at) == (attempt, "RuntimeError: not yet", None)
        assert row.due_at > timezone.now()
        run_event(event.pk)
    assert run(event).finished_at is not None
    assert Recorder.told == [("received", "d-1", 1), ("received", "d-1", 2), ("received", "d-1", 3)]


def test_a_finished_event_never_runs_again(db: None) -> None:
    (event,) = queued()
    run(event)
    HandlerEvent.objects.update(lease_token="")
    for _ in range(3):
        sweep()
        run(event)
    assert len(Recorder.told) == 1


def test_an_event_whose_worker_died_runs_again_when_its_lease_has_lapsed(db: None) -> None:
    (event,) = queued()
    lease = timedelta(seconds=60)
    assert HandlerEvent.take(event.pk, now=timezone.now(), lease=lease, token="worker that dies")
    run_event(event.pk)
    assert Recorder.told == []
    assert run(event).finished_at is not None
    assert Recorder.told == [("received", "d-1", 2)]


def test_a_handler_that_always_fails_is_given_up_visibly(db: None) -> None:
    Recorder.failures = 1
    (event,) = queued()
    HandlerEvent.objects.update(attempts=MAX_ATTEMPTS - 1)
    with pytest.raises(RuntimeError):
        run(event)
    row = fresh(event)
    assert (row.dead_at is None, row.due_at) == (False, None)
    run_event(event.pk)
    assert len(Recorder.told) == 1


def test_a_mistyped_class_loses_no_event(settings: LazySettings) -> None:
    settings.FEDHUB_HANDLERS = [f"{MODULE}.Mistyped"]
    (event,) = queued()
    with pytest.raises(ImportError):
        run(event)
    HandlerEvent.objects.update(handler=f"{MODULE}.Recorder")
    assert run(event).finished_at is not None


@pytest.mark.parametrize("line", ["import os; os.environ['FEDHUB_TEST_IS_NOT_SET']", "raise SystemExit(3)", "("])
def test_a_module_that_raises_at_import_loses_no_event(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    (tmp_path / "broken_handlers.py").write_text(line)
    monkeypatch.syspath_prepend(tmp_path)
    settings.FEDHUB_HANDLERS = ["broken_handlers.Handler", f"{MODULE}.Recorder"]
    waiting, other = queued()

    with pytest.raises(ImportError):
        run(waiting)
    assert fresh(waiting).due_at > timezone.now()
    assert run(other).finished_at is not None

    HandlerEvent.objects.filter(pk=waiting.pk).update(handler=f"{MODULE}.Recorder", kind="budget_warning")
    assert run(waiting).finished_at is not None


def test_a_class_that_does_not_handle_a_kind_gets_no_event(settings: LazySettings) -> None:
    settings.FEDHUB_HANDLERS = [f"{MODULE}.Listener"]
    assert queued() == []


def test_the_shipped_handler_works_on_an_intent_to_its_end(partner: Partner, settings: LazySettings) -> None:
    settings.FEDHUB_HANDLERS = ["docs.echo_agents.EchoAgents"]
    received = partner.received(policy={"budget": {"max_llm_tokens": 2}})
    payload = ENVELOPE | {"agent_id": "analyst"}
    queue_event(HandlerEventKind.FEDERATION_RECEIVED, source_id=received.pk, dispatch_id="d-1", payload=payload)
    event = HandlerEvent.objects.get()
    run(event)
    # Once more, as if the worker had died before it recorded the end.
    HandlerEvent.objects.filter(pk=event.pk).update(due_at=timezone.now(), finished_at=None)
    run(event)
    for told in HandlerEvent.objects.filter(kind="budget_warning"):
        run(told)

    rows = OutboundCallback.objects.order_by("created_at")
    assert [row.event_type for row in rows] == ["state_delta", "budget_warning", "completed"]
    assert fresh(received).intent.state == {
        "phase": "draft", "status": "done", "agent": "analyst", "answer": "analyst: Sum up",
    }  # fmt: skip
    assert EchoAgents._federation_configured is True  # type: ignore[attr-defined]


def test_an_event_that_ends_its_worker_each_time_is_given_up_and_staff_can_try_it_again(db: None) -> None:
    (event,) = queued()
    HandlerEvent.objects.update(attempts=MAX_ATTEMPTS)
    row = run(event)
    assert (row.dead_at is None, row.due_at, Recorder.told) == (False, None, [])

    retry_dead(row, by=STAFF)
    assert run(event).finished_at is not None
    assert Recorder.told == [("received", "d-1", 1)]
