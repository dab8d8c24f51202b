"""The system check of the mail settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps.config import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def check_mail_sender(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Require a sender beside a mail server: many servers refuse mails of Django's default sender."""
    if not settings.EMAIL_HOST or "@" in settings.DEFAULT_FROM_EMAIL:
        return []
    return [
        Error(
            "FEDHUB_EMAIL_URL names a mail server, but FEDHUB_EMAIL_FROM is not an address.",
            hint="Set FEDHUB_EMAIL_FROM to the sender of the hub's mails, for example fedhub@example.com",
            id="notifications.E001",
        )
    ]
