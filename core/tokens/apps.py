"""The Django app of access tokens."""

from __future__ import annotations

from django.apps import AppConfig


class TokensConfig(AppConfig):
    """The configuration of the app, which registers the description of authentication for the API's schema."""

    name = "core.tokens"
    label = "tokens"

    def ready(self) -> None:
        from core.api import schema  # noqa: F401 (registers the description of the authentication)
