"""Strict readers of environment variables: a value that does not fit stops the start with the variable's name."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off", ""})

_secrets: dict[str, str] = {}
# The values of `hide_also`, whose names are not those of variables.
_parts: dict[str, str] = {}


def text(name: str, default: str = "") -> str:
    """Return the variable, or `default`, without surrounding white space."""
    return os.environ.get(name, default).strip()


def secret(name: str) -> str:
    """Return the variable NAME; without it the content of the file that NAME_FILE names; without both an empty text.

    Raises ImproperlyConfigured if both variables are set or the file cannot be read.
    """
    value, path = text(name), text(f"{name}_FILE")
    if value and path:
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE, not both.")
    if path:
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except OSError as exc:
            raise ImproperlyConfigured(
                f"{name}_FILE names {path}, a file that cannot be read: {exc.strerror}."
            ) from exc
    _secrets[name] = value
    return value


def hide_also(name: str, value: str) -> None:
    """Treat `value` as a secret too: it is a part of another secret, or comes from a file that the secret names."""
    _parts[name] = value


def secret_names() -> frozenset[str]:
    """Return the names of the variables that `secret` has read."""
    return frozenset(_secrets)


def secret_values() -> frozenset[str]:
    """Return the values that must not be shown: each secret, its items, and the password of one that is an address."""
    return frozenset(
        value
        for secret in (*_secrets.values(), *_parts.values())
        for value in (secret, *listed(secret), *_passwords(secret))
        if value
    )


def _passwords(address: str) -> tuple[str, ...]:
    try:
        password = urlsplit(address).password or ""
    except ValueError:
        return ()
    return password, unquote(password)


def boolean(name: str, *, default: bool) -> bool:
    """Return the variable as a truth value; raises ImproperlyConfigured for a word that is neither true nor false."""
    value = os.environ.get(name)
    if value is None:
        return default
    word = value.strip().lower()
    if word not in TRUE_WORDS | FALSE_WORDS:
        raise ImproperlyConfigured(f"{name} is {value!r}; use true or false.")
    return word in TRUE_WORDS


def integer(name: str, *, default: int, minimum: int, maximum: int) -> int:
    """Return the variable as a whole number from `minimum` to `maximum`; raises ImproperlyConfigured otherwise."""
    value = text(name)
    if not value:
        return default
    if not value.isascii() or not value.isdigit() or not minimum <= int(value) <= maximum:
        raise ImproperlyConfigured(f"{name} is {value!r}; use a whole number from {minimum} to {maximum}.")
    return int(value)


def address(name: str, *, may_have_path: bool = False) -> str:
    """Return the variable, an http(s) URL, or an empty text; raises ImproperlyConfigured otherwise.

    The URL has no query, and no path unless `may_have_path`.
    """
    value = text(name).rstrip("/")
    try:
        parts = urlsplit(value)
        is_server = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        is_server = is_server and not parts.query and (may_have_path or not parts.path)
    except ValueError:
        is_server = False
    if value and not is_server:
        raise ImproperlyConfigured(f"{name} is {value!r}; use scheme, host and port, e.g. https://search.example.com.")
    return value


def words(name: str, default: str = "") -> list[str]:
    """Return the items of a comma-separated variable, without empty ones."""
    return listed(os.environ.get(name, default))


def listed(value: str) -> list[str]:
    """Return the items of a comma-separated text, without empty ones."""
    return [item.strip() for item in value.split(",") if item.strip()]


def choice(name: str, default: str, choices: Sequence[str]) -> str:
    """Return the variable, which must be one of `choices`; raises ImproperlyConfigured otherwise."""
    value = text(name) or default
    if value not in choices:
        raise ImproperlyConfigured(f"{name} is {value!r}; use one of {', '.join(choices)}.")
    return value


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Return a comma-separated variable as networks, e.g. `127.0.0.0/8`; raises ImproperlyConfigured otherwise."""
    try:
        return [ip_network(word) for word in words(name)]
    except ValueError as exc:
        raise ImproperlyConfigured(f"{name} is not a list of networks: {exc}.") from exc


def json_sections(name: str, sections: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the variable, a JSON object of objects whose names are among `sections`; {} if the variable is not set.

    Raises ImproperlyConfigured for any other value.
    """
    try:
        value = json.loads(text(name) or "{}")
    except ValueError as exc:
        raise ImproperlyConfigured(f"{name} is not JSON: {exc}.") from exc
    is_known = isinstance(value, dict) and all(key in sections for key in value)
    if not is_known or not all(isinstance(section, dict) for section in value.values()):
        raise ImproperlyConfigured(f"{name} must be a JSON object of objects named {', '.join(sections)}.")
    return dict(value)
