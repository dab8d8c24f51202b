"""The Celery task of the limits on guessing."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from core.signin.models import SigninRecord


@shared_task(name="signin.forget")
def forget() -> None:
    """Delete the records of failures and known addresses that have no effect any more."""
    SigninRecord.forget(timezone.now())
