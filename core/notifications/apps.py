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
        from core.activity.sources import record_changes_of, record_model
        from core.activity.words import FieldWords, number_of
        from core.notifications import checks  # noqa: F401 (registers them)
        from core.notifications.events import register_kind, titles_of_kinds
        from core.notifications.models import Delivery, Rule
        from core.notifications.of_the_hub import KINDS

        for kind in KINDS:
            register_kind(kind)
        record_changes_of(Delivery)
        # The column of the last digest changes by itself.
        record_model(
            Rule,
            ["name", "target", "user", "group", "url", "kinds", "federations", "peers", "digest_minutes", "paused_at"],
            secrets=["secret"],
            words={
                "kinds": FieldWords("Events", show=titles_of_kinds),
                "federations": FieldWords("Federations", show=number_of),
                "peers": FieldWords("Peers", show=number_of),
                "paused_at": FieldWords("Paused"),
            },
        )
