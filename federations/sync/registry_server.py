"""What the hub reads from one entry of another registry.

Sources: the OpenAPI description of the MCP registry (`ServerResponse`), and the schema of `server.json`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from federations.sync.registry_names import is_registry_name
from federations.sync.resources import JsonObject

OWN_META = "io.fedhub.registry/server"
"""The key under which a hub tells what it knows of a server."""
_OFFICIAL = "io.modelcontextprotocol.registry/official"
STATUSES = ("active", "deprecated", "deleted")
MAX_VERSION = 255
MAX_URL = 1024
MAX_TITLE = 200
MAX_DESCRIPTION = 10_000


class MalformedEntryError(Exception):
    """Raised for an entry that names no server: the text is the reason."""


@dataclass(frozen=True, slots=True)
class RegistryEntry:
    """One server in a registry. `version` is empty where none can be read, and a text of any length is cut.

    `remote_url` is its first address for streamable HTTP, or empty. `facts` are those of a hub under its own key of
    `_meta`, empty in the entries of other registries.
    """

    name: str
    version: str
    status: str
    updated_at: datetime
    is_latest: bool
    description: str
    title: str
    remote_url: str
    facts: JsonObject


def read_entry(found: object) -> RegistryEntry:
    """Read an entry of a list. Raise MalformedEntryError without a valid name.

    Absence means deletion, so an entry without a readable version is an entry too, as is one with an unknown status.
    """
    entry = _object(found)
    server, meta = _object(entry.get("server")), _object(entry.get("_meta"))
    official = _object(meta.get(_OFFICIAL))
    name, version = _text(server, "name"), _text(server, "version")
    if not is_registry_name(name):
        raise MalformedEntryError(f"{name[:80] or 'an entry'} is no name of a server")
    status = official.get("status")
    return RegistryEntry(
        name=name,
        version=version if len(version) <= MAX_VERSION else "",
        status=str(status) if status in STATUSES else "active",
        updated_at=_time(official.get("updatedAt")) or _time(official.get("publishedAt")) or _NEVER,
        is_latest=official.get("isLatest") is not False,
        description=_text(server, "description")[:MAX_DESCRIPTION],
        title=_text(server, "title")[:MAX_TITLE],
        remote_url=_remote_url(server.get("remotes")),
        facts=_object(meta.get(OWN_META)),
    )


_NEVER = datetime(2000, 1, 1, tzinfo=UTC)


def _remote_url(remotes: object) -> str:
    """Return the first address without variables; a remote of the older transport SSE is none."""
    for each in remotes if isinstance(remotes, list) else []:
        remote = _object(each)
        url = _text(remote, "url")
        is_plain = url.startswith(("https://", "http://")) and "{" not in url and len(url) <= MAX_URL
        if remote.get("type") == "streamable-http" and is_plain and not any(map(str.isspace, url)):
            return url
    return ""


def _time(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    # MongoDB stores milliseconds.
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _text(found: JsonObject, key: str) -> str:
    value = found.get(key)
    return value if isinstance(value, str) else ""
