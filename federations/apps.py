"""The federations app."""

from __future__ import annotations

from django.apps import AppConfig


class FederationsConfig(AppConfig):
    """Registers the registry's changes with the audit log."""

    name = "federations"
    verbose_name = "Registry"
    default_auto_field = "django.db.models.BigAutoField"
