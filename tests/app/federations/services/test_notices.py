"""The events of federations that people are notified of, each recorded once, and found again by the sweep if lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from core.notifications.models import Event
from core.notifications.sweep import LOOK_BACK, find_missed
from federations.models import Federation, SyncJob
from federations.runs.progress import NewEvent
from federations.runs.states import EventKind
from federations.services import jobs
from federations.services.notices import PLAN_HELD, SYNC_FAILED, SYNC_RECOVERED, WORK_WAITING, note_sync_end
from federations.services.runs.make import Work, make_run
from federations.services.runs.write import write_run
from federations.services.start import start_sync
from tests.app.federations.services.plan_steps import ANN, MANY, hold, sync
from tests.conftest import MakeAgent
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_index(settings: Settings, tmp_path: Path) -> None:
    settings.SEARCH_PATH = str(tmp_path / "search.sqlite3")


@pytest.fixture
def federation() -> Federation:
    return Federation.objects.create(display_name="Payments", provider_config={"region": "us-east-1"})


def fail(federation: Federation, error: str) -> None:
    with provider(MemoryProvider()):
        job = start_sync(federation, by=ANN, queued=True)
    jobs.fail(jobs.take(job.id), error)


def told() -> list[tuple[str, str]]:
    return list(Event.objects.order_by("pk").values_list("kind", "text"))


def lose_and_find() -> None:
    """Lose the newest event, and let the sweep find it."""
    lost = Event.objects.order_by("pk").last()
    assert lost is not None
    lost.delete()
    for _ in range(2):
        find_missed(timezone.now() - LOOK_BACK)
    found = Event.objects.order_by("pk").last()
    assert found is not None
    columns = ("kind", "key", "text", "federation_id", "page", "object_id")
    assert [getattr(found, name) for name in columns] == [getattr(lost, name) for name in columns]


def test_only_the_edges_between_failing_and_working_syncs_are_told(federation: Federation) -> None:
    sync(federation, *MANY)
    assert told() == []
    fail(federation, "AccessDenied")
    fail(federation, "AccessDenied again")
    failed = (SYNC_FAILED, "The sync of Payments failed: AccessDenied")
    assert told() == [failed]
    sync(federation, *MANY)
    sync(federation, *MANY)
    recovered = (SYNC_RECOVERED, "The syncs of Payments work again")
    assert told() == [failed, recovered]
    lose_and_find()
    fail(federation, "Throttled")
    lose_and_find()
    assert [kind for kind, _ in told()] == [SYNC_FAILED, SYNC_RECOVERED, SYNC_FAILED]


def test_a_failure_that_is_not_stored_is_not_told(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(*args: Any, **kwargs: Any) -> None:
        note_sync_end(*args, **kwargs)
        raise RuntimeError("the worker breaks off")

    with monkeypatch.context() as patched, pytest.raises(RuntimeError):
        patched.setattr(jobs, "note_sync_end", break_off)
        fail(federation, "AccessDenied")
    assert told() == []
    assert SyncJob.objects.get().status == "syncing"


def test_a_held_plan_is_told_once(federation: Federation) -> None:
    sync(federation, *MANY)
    plan = hold(federation, *MANY[:5])
    hold(federation, *MANY[:5])
    ((kind, text),) = told()
    assert (kind, text) == (PLAN_HELD, f"A sync of Payments is held: {plan.held_message}")
    lose_and_find()


def test_work_that_waits_for_a_person_is_told_each_time(federation: Federation, make_agent: MakeAgent) -> None:
    agent = make_agent(federation)
    run = make_run(agent, Work("Is refund 7 suspicious?", needs_approval=True), by=ANN)
    write_run(run.id, events=[NewEvent(EventKind.APPROVED, {})], state="queued")
    write_run(run.id, events=[NewEvent(EventKind.WORKING, {})], state="running")
    asked = NewEvent(EventKind.INPUT_REQUIRED, {"question": "The secret account?", "state": "input-required"})
    write_run(run.id, events=[asked], state="input_required", question="The secret account?")
    assert told() == [
        (WORK_WAITING, f"Work for {agent.name} waits for an approval"),
        (WORK_WAITING, f"{agent.name} asks for an answer"),
    ]
    lose_and_find()
