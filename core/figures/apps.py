"""The Django app of the figures."""

from __future__ import annotations

from django.apps import AppConfig


class FiguresConfig(AppConfig):
    """The configuration of the app, whose table holds the counts of all processes."""

    name = "core.figures"
    label = "figures"
    default_auto_field = "django.db.models.BigAutoField"
