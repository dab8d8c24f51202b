"""The Django app of the project, which registers the system checks."""

from __future__ import annotations

from django.apps import AppConfig


class FedhubConfig(AppConfig):
    """The configuration of the app; it registers the system checks of the settings when Django starts."""

    name = "fedhub"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from fedhub import checks, deploy_checks  # noqa: F401 (registers them)
