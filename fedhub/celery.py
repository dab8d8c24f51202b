"""The Celery application; its settings are the settings of fedhub.settings that begin with CELERY_."""

from __future__ import annotations

import atexit
import gc
import logging.config
import os
from contextlib import AbstractContextManager
from typing import Any

from celery import Celery
from celery.signals import (
    setup_logging,
    task_postrun,
    task_prerun,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
)
from django.conf import settings
from kombu.transport import TRANSPORT_ALIASES

from core import environment
from core.log_ids import name_ids
from core.tracing import TRACEPARENT, span, start_tracing, stop_tracing

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fedhub.settings")
# Kombu's own file transport fails when its files are deleted, and a half-written message stops its worker.
TRANSPORT_ALIASES["filesystem"] = "core.jobs.file_broker:Transport"
# The id that each of these tasks gets as its argument, for its log lines.
TASK_IDS = {
    "federations.run_job": "job_id",
    "peers.deliver_dispatch": "dispatch_id",
    "peers.deliver_callback": "callback_id",
    "peers.run_event": "event_id",
}

# The open spans, by the ids of the tasks.
_spans: dict[str, AbstractContextManager[object]] = {}

# Without this a process that ends searches all its objects for garbage, which takes one or two seconds.
atexit.register(gc.freeze)

app = Celery("fedhub")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@task_prerun.connect
def name_task(task_id: str = "", task: Any = None, args: Any = (), **_: Any) -> None:
    """Name the row that the task works on in each log line of the task, and begin the task's span."""
    id_name = TASK_IDS.get(getattr(task, "name", ""))
    name_ids(**({id_name: str(args[0])} if id_name and args else {}))
    headers = task.request.headers or {}
    _spans[task_id] = found = span(task.name, "consumer", traceparent=str(headers.get(TRACEPARENT, "")))
    found.__enter__()


@task_postrun.connect
def forget_task(task_id: str = "", retval: Any = None, **_: Any) -> None:
    """End the span of the task that has ended, and remove the task's ids."""
    error = retval if isinstance(retval, BaseException) else None
    if found := _spans.pop(task_id, None):
        found.__exit__(type(error) if error else None, error, None)
    name_ids()


@worker_process_init.connect
def start_traces(**_: Any) -> None:
    """Let each process of the worker send its spans."""
    start_tracing("worker")


@worker_init.connect
def keep_figures_of_worker(**_: Any) -> None:
    """Let the processes of the worker store what they count."""
    from core.figures.keeping import keep_figures

    keep_figures()


@worker_process_shutdown.connect
def store_last_figures(**_: Any) -> None:
    """Store what a process of the worker has counted since its thread stored last, and send its last spans."""
    from core.figures.keeping import store_figures

    store_figures()
    stop_tracing()


def log_as_the_web(**_: Any) -> None:
    """Give the worker and the beat the log of the web processes instead of Celery's own."""
    logging.config.dictConfig(settings.LOGGING)


# The settings cannot be read yet, and a signal with a receiver replaces Celery's own log.
if environment.text("FEDHUB_LOG_FORMAT") == "json":
    setup_logging.connect(log_as_the_web)
