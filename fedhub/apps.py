"""The Django app of the project, which registers the system checks and joins the pages of the apps."""

from __future__ import annotations

from django.apps import AppConfig


class FedhubConfig(AppConfig):
    """The configuration of the app; when Django starts, it registers the system checks and the senders of runs."""

    name = "fedhub"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from federations.admin.run_givers import register_giver
        from fedhub import checks, deploy_checks  # noqa: F401 (registers them)
        from fedhub.run_givers import sender_of_run

        register_giver(sender_of_run)
