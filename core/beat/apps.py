"""The Django app of the beat's lease."""

from __future__ import annotations

from django.apps import AppConfig


class BeatConfig(AppConfig):
    """The configuration of the app, whose table names the beat that acts."""

    name = "core.beat"
    label = "beat"
    default_auto_field = "django.db.models.BigAutoField"
