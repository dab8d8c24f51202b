"""The Celery task of signing in."""

from __future__ import annotations

from celery import shared_task

from core.people.sessions import forget_sessions


@shared_task(name="people.forget")
def forget() -> None:
    """Delete the sessions whose time is over."""
    forget_sessions()
