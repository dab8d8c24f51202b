"""The peers app: hubs of other organisations, and the work that goes between."""

from __future__ import annotations

from django.apps import AppConfig


class PeersConfig(AppConfig):
    """Names the app."""

    name = "peers"
    verbose_name = "Between hubs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from peers import checks  # noqa: F401 (registers them)
