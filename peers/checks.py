"""System checks of the settings that the protocol between hubs needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps.config import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from core.ciphers import secrets_keys
from peers.services.inbox.handler_classes import HandlerImportError, import_handler

MIN_KEY_CHARS = 43
"""32 random bytes in base64."""


@register(Tags.security)
def check_secrets_key(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report a missing or short FEDHUB_SECRETS_KEY, because encryption of peers' keys with it would protect nothing."""
    keys = secrets_keys()
    if not settings.FEDHUB_ENABLED or settings.DEBUG or (keys and all(len(key) >= MIN_KEY_CHARS for key in keys)):
        return []
    return [
        Error(
            f"FEDHUB_SECRETS_KEY is not set or shorter than {MIN_KEY_CHARS} characters.",
            hint="Make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
            id="fedhub.E010",
        )
    ]


@register()
def check_handlers(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report handler classes that cannot be imported, because their events wait and are given up after some hours."""
    found: list[CheckMessage] = []
    for path in settings.FEDHUB_HANDLERS:
        try:
            import_handler(path)
        except HandlerImportError as exc:
            hint = "Give the dotted path of a class on the Python path, such as peers.handlers.A2aAgents."
            found.append(Error(f"FEDHUB_HANDLERS: {exc}", hint=hint, id="fedhub.E012"))
    return found
