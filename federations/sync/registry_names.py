"""The names of MCP servers in registries: reverse DNS below the hub's host, as the registry of MCP asks for.

Source: server.json of the MCP registry, `name`: `namespace/name`, at most 200 characters.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

REGISTRY_NAME = re.compile(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+")
MAX_NAME = 200
_PART = re.compile(r"[a-zA-Z0-9._-]+")
_ADDRESS = re.compile(r"[0-9.]+|.*:.*")


def namespace_of(server_url: str) -> str:
    """Return the namespace of a hub: its host in reverse DNS, `org.example.hub` for `https://hub.example.org`.

    A port of the URL is a part of the namespace, because two hubs may share a host.
    """
    parts = urlsplit(server_url)
    host = parts.hostname or "localhost"
    labels = [re.sub(r"[.:]", "-", host)] if _ADDRESS.fullmatch(host) else host.split(".")[::-1]
    return ".".join([*labels, *([f"port-{parts.port}"] if parts.port else [])])


def is_registry_name(name: str) -> bool:
    """Tell whether `name` has the form of a name in a registry."""
    return len(name) <= MAX_NAME and bool(REGISTRY_NAME.fullmatch(name))


def registry_name(namespace: str, server_name: str, path: str) -> str:
    """Return the name under which a hub shows a server to other registries.

    A server of another registry keeps its name. A name that a registry cannot have gives way to the path's last part.
    """
    if is_registry_name(server_name):
        return server_name
    own = f"{namespace}/{server_name}"
    return own if is_registry_name(own) else f"{namespace}/{path.rsplit('/', 1)[-1]}"


def local_names(namespace: str, name: str) -> tuple[str, str]:
    """Return the server name, and the end of the path, of the server that may be shown under `name`.

    Both are empty for a name that no server of the hub can have.
    """
    if not is_registry_name(name):
        return "", ""
    own = name.removeprefix(f"{namespace}/")
    return (own, f"/{own}") if own != name and _PART.fullmatch(own) else (name, "")
