"""The Django app of the limits on guessing."""

from __future__ import annotations

from django.apps import AppConfig


class SigninConfig(AppConfig):
    """The configuration of the app, whose table holds failed attempts and known addresses."""

    name = "core.signin"
    label = "signin"
    default_auto_field = "django.db.models.BigAutoField"
