"""The Celery task of the tokens."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from core.tokens.services import forget_old_tokens


@shared_task(name="tokens.forget")
def forget() -> None:
    """Delete codes and tokens that ended long ago."""
    forget_old_tokens(timezone.now())
