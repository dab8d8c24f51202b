"""The Celery application of a hub whose worker of the queue `agents` can be killed at named points; celery loads it."""

from __future__ import annotations

import django

django.setup()

from fedhub.celery import app  # noqa: E402 - after the set-up
from tests.kills.run_points import install  # noqa: E402

install()
# With the default, the worker waits so long for a killed child's message that it takes no other meanwhile.
app.conf.worker_lost_wait = 0.5

__all__ = ["app"]
