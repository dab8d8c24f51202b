"""The Django app of the programs that call the hub."""

from __future__ import annotations

from django.apps import AppConfig


class ProgramsConfig(AppConfig):
    """The configuration of the app, which registers the system checks of the issuers of JWTs."""

    name = "core.programs"
    label = "programs"

    def ready(self) -> None:
        from core.programs import checks  # noqa: F401 (registers them)
