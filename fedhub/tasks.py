"""The Celery tasks of the roof, which joins the apps."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from core.jobs.queue import enqueue
from core.jobs.stopping import is_stopping
from core.retention.prune import prune
from fedhub.retention import KINDS


@shared_task(name="fedhub.prune")
def prune_old_rows() -> None:
    """Make one pass of the prune; start the next one where the pass ended before the last kind."""
    result = prune(KINDS, now=timezone.now(), stop=is_stopping)
    if result.has_turn and not result.is_complete:
        enqueue("fedhub.prune")
