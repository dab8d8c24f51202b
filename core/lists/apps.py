"""The Django app of what people keep about the lists of the admin."""

from __future__ import annotations

from django.apps import AppConfig


class ListsConfig(AppConfig):
    """The configuration of the app, whose tables hold each person's saved views and hidden columns."""

    name = "core.lists"
    label = "lists"
    default_auto_field = "django.db.models.BigAutoField"
