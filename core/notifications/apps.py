"""The Django app of notifications."""

from __future__ import annotations

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """The configuration of the app, which declares the hub's own kinds of events."""

    name = "core.notifications"
    label = "notifications"
    verbose_name = "Notifications"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from auditlog.registry import auditlog

        from core.notifications import checks  # noqa: F401 (registers them)
        from core.notifications.events import register_kind
        from core.notifications.models import Rule
        from core.notifications.of_the_hub import KINDS

        for kind in KINDS:
            register_kind(kind)
        # Neither the secrets nor the columns that change with each digest.
        auditlog.register(
            Rule,
            include_fields=[
                *("name", "target", "user", "group", "url"),
                *("kinds", "federations", "peers", "digest_minutes", "paused_at"),
            ],
        )
