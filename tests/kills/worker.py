"""The Celery application of a hub whose worker can be killed at named points: what celery loads."""

from __future__ import annotations

import django

django.setup()

from fedhub.celery import app  # noqa: E402 - after the set-up
from tests.kills.points import install  # noqa: E402

install("worker")
# By default the one message of a killed child is waited for so long that no other is taken meanwhile.
app.conf.worker_lost_wait = 0.5

__all__ = ["app"]
