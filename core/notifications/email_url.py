"""The setting FEDHUB_EMAIL_URL, turned into Django's settings of a mail server."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

TIMEOUT_SECONDS = 10
PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}


def email_settings(url: str) -> dict[str, Any]:
    """Return Django's settings `EMAIL_…` for a mail server; raises ValueError without a word of a password.

    `smtp://user:password@host:587` uses STARTTLS, `smtps://` TLS from the start, and `smtp+plain://` no encryption, for
    a server on the same machine. An empty URL stands for no mail server.
    """
    if not url:
        return {"EMAIL_HOST": ""}
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise ValueError("it is not a URL") from exc
    if parts.scheme not in PORTS or not parts.hostname or port == 0 or parts.path.strip("/") or parts.query:
        raise ValueError("use smtp://user:password@host:587, smtps:// or smtp+plain://")
    if bool(parts.username) != bool(parts.password):
        raise ValueError("it has a user without a password, or a password without a user")
    if parts.scheme == "smtp+plain" and parts.password:
        raise ValueError("smtp+plain:// would send the password without encryption")
    return {
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port or PORTS[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp",
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_TIMEOUT": TIMEOUT_SECONDS,
    }
