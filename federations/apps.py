"""The app `federations`: the registry."""

from __future__ import annotations

from django.apps import AppConfig


class FederationsConfig(AppConfig):
    """The configuration of the app."""

    name = "federations"
    verbose_name = "Registry"
    default_auto_field = "django.db.models.BigAutoField"
