"""System checks: before the first request they name settings that do not fit together, with a remedy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps.config import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, connections

from core.private_files import is_open_to_others
from core.store.unit_of_work import REGISTRY

LOOPBACK_HOSTS = {"localhost", "127.0.0.1", "[::1]"}
PLACEHOLDERS = ("changeme", "change-me", "secret", "insecure", "example", "placeholder")


@register(Tags.security)
def check_secret_key(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse a placeholder and a short key."""
    key = settings.SECRET_KEY.lower()
    if settings.DEBUG or (len(key) >= 50 and not any(word in key for word in PLACEHOLDERS)):
        return []
    return [
        Error(
            "SECRET_KEY is a placeholder or shorter than 50 characters.",
            hint="Make a key: python -c 'import secrets; print(secrets.token_urlsafe(64))'",
            id="fedhub.E001",
        )
    ]


@register(Tags.urls)
def check_server_url(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Require an origin, because the server's URL is the issuer of its tokens; warn of http outside development."""
    parts = urlsplit(settings.FEDHUB_SERVER_URL)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query:
        return [
            Error(
                f"FEDHUB_SERVER_URL is {settings.FEDHUB_SERVER_URL!r}, which is not an http(s) origin.",
                hint="Use only scheme, host and port, for example https://hub.example.com",
                id="fedhub.E002",
            )
        ]
    if parts.scheme == "http" and not settings.DEBUG:
        return [
            Warning(
                "FEDHUB_SERVER_URL is plain http: cookies and tokens travel unprotected.",
                hint="Serve the hub behind TLS and set FEDHUB_SERVER_URL to its https address.",
                id="fedhub.W001",
            )
        ]
    return []


@register(Tags.urls)
def check_allowed_hosts(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Require hosts outside development, because without them Django refuses each request."""
    if settings.DEBUG or settings.ALLOWED_HOSTS:
        return []
    return [
        Error(
            "ALLOWED_HOSTS is empty, so every request is refused.",
            hint="Name the host of FEDHUB_SERVER_URL, for example ALLOWED_HOSTS=hub.example.com",
            id="fedhub.E003",
        )
    ]


@register(Tags.security)
def check_debug(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn of DEBUG beside public hosts: Django's error pages then show code, settings and requests."""
    others = sorted(set(settings.ALLOWED_HOSTS) - LOOPBACK_HOSTS)
    if not settings.DEBUG or not others:
        return []
    return [
        Warning(
            f"DEBUG is on, but ALLOWED_HOSTS names {', '.join(others)}: error pages would show code and settings.",
            hint="Set FEDHUB_SERVER_URL to the public URL of the hub, which turns DEBUG off.",
            id="fedhub.W003",
        )
    ]


@register(Tags.security)
def check_var_folder(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn of a var/ folder that other users of the machine can open and that the hub could not close at its start.

    At its start the hub closes the folder to others only if the user that runs the hub owns the folder.
    """
    if not is_open_to_others(settings.VAR_DIR):
        return []
    return [
        Warning(
            f"Other users of this machine can open {settings.VAR_DIR}, which holds sessions and keys.",
            hint="Set FEDHUB_VAR_DIR to a folder that the user of the hub owns and that holds only the hub's files.",
            id="fedhub.W004",
        )
    ]


@register(Tags.database)
def check_shared_state(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn of a database server beside a file broker: workers on other machines would never get a message."""
    engine = settings.DATABASES["default"]["ENGINE"]
    if engine.endswith("sqlite3") or not settings.CELERY_BROKER_URL.startswith("filesystem://"):
        return []
    return [
        Warning(
            "The database is a server, but the broker is a folder of this machine.",
            hint="With workers on several machines set CELERY_BROKER_URL to Redis or RabbitMQ.",
            id="fedhub.W002",
        )
    ]


@register(Tags.database)
def check_registry(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Require a MongoDB server that answers and has transactions: without them a part of a sync could be stored."""
    registry: Any = connections[REGISTRY]
    if REGISTRY not in (databases or ()) or registry.vendor != "mongodb":
        return []
    try:
        has_transactions = registry.has_transactions()
    except DatabaseError as exc:
        return [
            Error(
                f"The MongoDB server of MONGODB_URI cannot be used. {exc}",
                hint="Check that the server runs, that this machine reaches it, and that user and password are right.",
                id="fedhub.E004",
            )
        ]
    if has_transactions:
        return []
    return [
        Error(
            "The MongoDB server of MONGODB_URI is not a member of a replica set, so it has no transactions.",
            hint="Start mongod with --replSet rs0 and run rs.initiate() in mongosh once. One member is enough.",
            id="fedhub.E005",
        )
    ]
