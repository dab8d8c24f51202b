"""The Django app of retention."""

from __future__ import annotations

from django.apps import AppConfig


class RetentionConfig(AppConfig):
    """The configuration of the app, whose tables hold the numbers of rows by day and the lease of the prune."""

    name = "core.retention"
    label = "retention"
    default_auto_field = "django.db.models.BigAutoField"
