"""enqueue sends registered names after the commit, and a broker that is down does not fail the caller."""

from __future__ import annotations

import ast
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from celery import current_app
from django.conf import LazySettings, settings
from django.utils import timezone

from core.jobs.queue import enqueue, enqueue_again
from core.store.unit_of_work import unit_of_work

SENDERS = {"enqueue", "enqueue_again"}
ROOT = Path(__file__).resolve().parents[4]
QUEUE_FOLDER = Path(settings.BROKER_DIR) / "queue"


@pytest.fixture(autouse=True)
def empty_queue() -> Iterator[None]:
    """Empty the queue before and after each test."""
    _empty()
    yield
    _empty()


def _empty() -> None:
    for path in QUEUE_FOLDER.rglob("*.msg"):
        path.unlink()


def enqueued_names(source: str) -> list[str | None]:
    """Return the first argument of every call of a function that sends a task; None for one that is not a literal."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    named = [call for call in calls if getattr(call.func, "id", getattr(call.func, "attr", "")) in SENDERS]
    return [_literal(call.args[0]) if call.args else None for call in named]


def _literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def test_every_enqueued_name_in_the_source_is_a_registered_task() -> None:
    current_app.loader.import_default_modules()
    found = {
        (path.relative_to(ROOT), name)
        for package in ("core", "fedhub", "federations", "peers", "sandbox")
        for path in (ROOT / package).rglob("*.py")
        for name in enqueued_names(path.read_text(encoding="utf-8"))
    }
    assert {name for _, name in found} >= {
        "federations.run_job",
        "federations.sweep",
        "peers.deliver_dispatch",
        "peers.deliver_callback",
        "peers.run_event",
        "peers.sweep",
    }
    assert [entry for entry in found if entry[1] not in current_app.tasks] == []


def test_the_source_check_sees_names_that_are_not_literals_and_calls_by_attribute() -> None:
    assert enqueued_names('enqueue("a.b", 1)\nqueue.enqueue("c.d")\nenqueue_again(name)\nother("e.f")') == [
        "a.b",
        "c.d",
        None,
    ]


def test_every_name_in_the_beat_schedule_is_a_registered_task() -> None:
    current_app.loader.import_default_modules()
    names = {entry["task"] for entry in current_app.conf.beat_schedule.values()}
    assert names >= {"federations.sweep", "peers.sweep"}
    assert names <= set(current_app.tasks)


def test_every_task_has_a_route_to_a_queue_that_workers_serve() -> None:
    current_app.loader.import_default_modules()
    ours = {name for name in current_app.tasks if not name.startswith("celery.")}
    assert ours == set(settings.CELERY_TASK_ROUTES)
    queues = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()}
    assert queues <= set(settings.FEDHUB_QUEUES)
    assert settings.CELERY_TASK_DEFAULT_QUEUE in settings.FEDHUB_QUEUES


def test_work_that_takes_long_shares_no_queue_with_work_that_must_not_wait() -> None:
    queues = {name: route["queue"] for name, route in settings.CELERY_TASK_ROUTES.items()}
    long = {queues[name] for name in ("federations.run_job", "peers.run_event",
                                      "peers.refresh_peer_keys", "peers.pin_provisionally")}  # fmt: skip
    urgent = {queues[name] for name in ("peers.deliver_dispatch", "peers.deliver_callback")}
    assert long.isdisjoint(urgent)
    for name in ("federations.sweep", "peers.sweep", "peers.refresh_keys"):
        assert queues[name] == "sweep"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("name", "queue"), [("federations.run_job", "sync"), ("peers.deliver_callback", "peers"),
                                             ("peers.run_event", "handlers"), ("peers.sweep", "sweep")])  # fmt: skip
def test_a_message_waits_in_the_queue_of_its_task(name: str, queue: str) -> None:
    enqueue(name, *(["0" * 24] if name != "peers.sweep" else []))
    assert [path.parent.name for path in QUEUE_FOLDER.rglob("*.msg")] == [queue]


@pytest.mark.parametrize(("sweep_seconds", "lifetime"), [(1, 4), (30, 120), (60, 120), (3600, 3600)])
def test_a_nudge_of_a_sweep_expires(settings: LazySettings, sweep_seconds: int, lifetime: int) -> None:
    settings.FEDHUB_SWEEP_SECONDS = sweep_seconds
    before = timezone.now()
    assert enqueue_again("peers.run_event", "0" * 24)
    (path,) = QUEUE_FOLDER.rglob("*.msg")
    expires = datetime.fromisoformat(json.loads(path.read_text(encoding="utf-8"))["headers"]["expires"])
    assert 0 <= (expires - before).total_seconds() - lifetime < 10


def test_a_worker_without_a_choice_serves_every_queue() -> None:
    assert set(current_app.amqp.queues.consume_from) == set(settings.FEDHUB_QUEUES)


@pytest.mark.django_db(transaction=True)
def test_message_is_sent_after_the_commit_and_not_before() -> None:
    with unit_of_work():
        enqueue("federations.run_job", "6b02726b642be7ec934a7624")
        assert list(QUEUE_FOLDER.rglob("*.msg")) == []
    assert len(list(QUEUE_FOLDER.rglob("*.msg"))) == 1


@pytest.mark.django_db(transaction=True)
def test_message_of_an_undone_transaction_is_never_sent() -> None:
    with pytest.raises(ZeroDivisionError), unit_of_work():
        enqueue("federations.run_job", "6b02726b642be7ec934a7624")
        raise ZeroDivisionError
    assert list(QUEUE_FOLDER.rglob("*.msg")) == []


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_broker_that_is_down_is_a_warning_and_not_an_error(scheme: str, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        # Bound but not listening: every connection is refused.
        broker = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        program = (
            "import django, time; django.setup()\n"
            "from core.jobs.queue import enqueue\n"
            "started_at = time.monotonic(); enqueue('federations.sweep'); print(time.monotonic() - started_at)"
        )
        environ = os.environ | {
            "DJANGO_SETTINGS_MODULE": "fedhub.settings",
            "FEDHUB_VAR_DIR": str(tmp_path),
            "CELERY_BROKER_URL": broker,
        }
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "The broker did not take federations.sweep" in done.stderr
    assert float(done.stdout) < 10
