"""enqueue sends registered names after the commit, and a broker that is down does not fail the caller."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import current_app
from django.conf import settings

from core.jobs.queue import enqueue
from core.store.units import unit_of_work

ROOT = Path(__file__).resolve().parents[4]
QUEUE_FOLDER = Path(settings.BROKER_DIR) / "queue"


@pytest.fixture(autouse=True)
def empty_queue() -> Iterator[None]:
    """Empty the queue before and after each test."""
    _empty()
    yield
    _empty()


def _empty() -> None:
    for path in QUEUE_FOLDER.glob("*.msg"):
        path.unlink()


def enqueued_names(source: str) -> list[str | None]:
    """Return the first argument of every call of `enqueue`; None for one that is not a literal."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    named = [call for call in calls if getattr(call.func, "id", getattr(call.func, "attr", "")) == "enqueue"]
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
    assert enqueued_names('enqueue("a.b", 1)\nqueue.enqueue("c.d")\nenqueue(name)\nother("e.f")') == [
        "a.b",
        "c.d",
        None,
    ]


def test_every_name_in_the_beat_schedule_is_a_registered_task() -> None:
    current_app.loader.import_default_modules()
    names = {entry["task"] for entry in current_app.conf.beat_schedule.values()}
    assert names >= {"federations.sweep", "peers.sweep"}
    assert names <= set(current_app.tasks)


@pytest.mark.django_db(transaction=True)
def test_message_is_sent_after_the_commit_and_not_before() -> None:
    with unit_of_work():
        enqueue("federations.run_job", "6b02726b642be7ec934a7624")
        assert list(QUEUE_FOLDER.glob("*.msg")) == []
    assert len(list(QUEUE_FOLDER.glob("*.msg"))) == 1


@pytest.mark.django_db(transaction=True)
def test_message_of_an_undone_transaction_is_never_sent() -> None:
    with pytest.raises(ZeroDivisionError), unit_of_work():
        enqueue("federations.run_job", "6b02726b642be7ec934a7624")
        raise ZeroDivisionError
    assert list(QUEUE_FOLDER.glob("*.msg")) == []


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
