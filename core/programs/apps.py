"""The Django app of the programs that call the hub."""

from __future__ import annotations

from django.apps import AppConfig


class ProgramsConfig(AppConfig):
    """The configuration of the app."""

    name = "core.programs"
    label = "programs"
