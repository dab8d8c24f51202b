"""JSON lines of the log: their ids, no secrets; and which ids of requests are taken."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client

from core import environment
from core.log_ids import REQUEST_ID, about, name_ids
from fedhub.celery import TASK_IDS, app, forget_task, name_task
from fedhub.logs import JsonFormatter
from fedhub.request_ids import take_request_ids


def line_of(message: str, *args: object, **extra: str) -> dict[str, Any]:
    """Return the line of a message as its readers parse it."""
    record = logging.LogRecord("hub", logging.WARNING, "file.py", 1, message, args, sys.exc_info())
    record.__dict__.update(extra)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_line_names_the_work_that_it_is_about() -> None:
    with about(request_id="a" * 32), about(run_id="b"):
        line = line_of("Run %s\nforged", "b")
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "WARNING", "logger": "hub", "message": "Run b\nforged", "request_id": "a" * 32, "run_id": "b",
    }  # fmt: skip
    assert line_of("x", request_id="c")["request_id"] == "c"
    assert "request_id" not in line_of("x")


def test_secrets_are_stars_in_the_message_and_in_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SECRET", "correct-horse")
    monkeypatch.setattr(environment, "_secrets", {})
    environment.secret("SOME_SECRET")
    try:
        raise ValueError("correct-horse in redis://hub:battery@db/0")
    except ValueError:
        line = line_of("Authorization: Bearer staple.staple, X-API-Key: staple")
    text = json.dumps(line)
    assert "ValueError" in line["error"]
    assert not [word for word in ("correct-horse", "battery", "staple") if word in text]


def test_each_task_about_one_row_names_it_while_it_runs() -> None:
    app.loader.import_default_modules()
    assert set(TASK_IDS) <= set(app.tasks)
    name_task(task=app.tasks["federations.run_job"], args=["d" * 24])
    assert line_of("x")["job_id"] == "d" * 24
    name_task(task=app.tasks["peers.sweep"], args=[])
    assert "job_id" not in line_of("x")
    name_task(task=app.tasks["peers.run_event"], args=["e"])
    forget_task()
    assert "event_id" not in line_of("x")
    name_ids()


def test_a_response_names_its_request_and_a_client_cannot_choose_the_name(client: Client) -> None:
    given = "chosen-by-client"
    answer = client.get("/healthz", headers={"X-Request-ID": given})
    assert len(answer.headers["X-Request-ID"]) == 32


@pytest.mark.parametrize(
    ("address", "sent", "is_taken"),
    [
        ("10.0.0.5", [b"7b9d-4c1f.A_1"], True),
        ("10.0.0.6", [b"7b9d-4c1f.A_1"], False),
        ("10.0.0.5", [b"short"], False),
        ("10.0.0.5", [b"7b9d4c1f\nforged"], False),
        ("10.0.0.5", [b"x" * 65], False),
        ("10.0.0.5", [b"7b9d4c1f", b"8b9d4c1f"], False),
        ("10.0.0.5", [], False),
    ],
)
def test_only_a_trusted_proxy_names_requests_in_a_plain_form(address: str, sent: list[bytes], is_taken: bool) -> None:
    seen: list[str] = []

    async def hub(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope[REQUEST_ID])

    scope = {
        "type": "http",
        "client": (address, 9),
        "headers": [(b"x-request-id", value) for value in sent],
        REQUEST_ID: "not the client's to set",
    }
    asyncio.run(take_request_ids(hub, [ip_network("10.0.0.5")])(scope, None, None))
    assert (seen == [value.decode() for value in sent]) is is_taken
    assert is_taken or len(seen[0]) == 32
