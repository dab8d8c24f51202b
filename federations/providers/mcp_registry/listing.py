"""The requests to a registry: the list of servers, page by page, and one whole entry."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import quote, urlencode

from core.net.client import Answer, Blocked, Network, TransportError, send
from federations.providers.agentcore.bounds import clean_error
from federations.providers.agentcore.lenient_json import parse_document
from federations.providers.agentcore.retry import retry_after_seconds
from federations.providers.base import ProviderError
from federations.sync.registry_server import MalformedEntryError, RegistryEntry, read_entry
from federations.sync.resources import JsonObject

PAGE = 100
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
MAX_CURSOR = 2_000
_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds on a registry: bytes of an answer; bytes, pages and servers of its list; seconds of the whole list.

    `total_bytes` bounds all pages together, which the hub holds in memory. `wait_seconds` bounds how long one request
    waits in all where the registry asks for a pause; `seconds` after the first request no request waits.
    """

    answer_bytes: int = 8 * 1024 * 1024
    total_bytes: int = 128 * 1024 * 1024
    pages: int = 400
    servers: int = 20_000
    seconds: float = 600.0
    request_seconds: float = 30.0
    wait_seconds: float = 60.0


@dataclass(slots=True)
class RegistryDoor:
    """The requests to the registry at `url`, with `token` as bearer.

    An address in `allowed_networks` may be private. `is_internal` tells, from the first request on, whether it is: a
    name that later leads into a private network does not change this.
    """

    url: str
    token: str = field(default="", repr=False)
    allowed_networks: Sequence[Network] = ()
    limits: Limits = field(default_factory=Limits)
    is_internal: bool | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def remote_networks(self) -> Sequence[Network]:
        """Return the networks in which the servers of the registry may be: a public registry names public ones."""
        return self.allowed_networks if self.is_internal else ()

    def get(self, path: str) -> Answer:
        """Return the answer to a request of any status; raise TransportError.

        A request that the registry refuses for a while (Retry-After) is repeated after the pause that it asks for, as
        long as the pauses are within the limits.
        """
        left = self.limits.wait_seconds
        while True:
            answer = self._ask(path)
            pause = retry_after_seconds(answer.headers.get("retry-after", ""), datetime.now(UTC))
            is_over = time.monotonic() - self.began >= self.limits.seconds
            if answer.status not in _BUSY or is_over or not 0 < pause <= left:
                return answer
            left -= pause
            time.sleep(pause)

    def _ask(self, path: str) -> Answer:
        if self.is_internal is not None or not self.allowed_networks:
            return self._send(path, self.remote_networks)
        try:
            answer, self.is_internal = self._send(path, ()), False
        except Blocked:
            answer, self.is_internal = self._send(path, self.allowed_networks), True
        return answer

    def _send(self, path: str, networks: Sequence[Network]) -> Answer:
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return send(
            "GET",
            f"{self.url}/v0.1/{path}",
            headers=headers,
            allowed_networks=networks,
            timeout_seconds=self.limits.request_seconds,
            max_bytes=self.limits.answer_bytes,
        )


def list_servers(door: RegistryDoor, on_page: Callable[[int], None] = lambda count: None) -> list[RegistryEntry]:
    """Return the newest version of each server of the registry, also of deleted ones, sorted by name.

    `on_page` gets the number of servers so far. Raises ProviderError for a list that is not complete.
    """
    began = datetime.now(UTC) - _CLOCK_SKEW
    found: dict[str, RegistryEntry] = {}
    pages = 0
    for entries in _pages(door, {"version": "latest"}):
        pages += 1
        _merge(found, entries)
        if len(found) > door.limits.servers:
            raise _failure(door, f"it has more than {door.limits.servers} servers", permanent=True)
        on_page(len(found))
    if pages > 1:
        # A server that changed meanwhile may have moved between two pages. A registry without the parameter refuses it.
        since = began.isoformat(timespec="seconds").replace("+00:00", "Z")
        for entries in _pages(door, {"version": "latest", "updated_since": since}, is_optional=True):
            _merge(found, entries)
    return sorted(found.values(), key=lambda entry: entry.name)


def whole_entry(door: RegistryDoor, entry: RegistryEntry) -> RegistryEntry:
    """Return the whole entry of a server; raise TransportError or MalformedEntryError."""
    name, version = quote(entry.name, safe=""), quote(entry.version, safe="")
    answer = door.get(f"servers/{name}/versions/{version}")
    if not answer.is_success:
        raise MalformedEntryError(f"the registry answers {answer.status} for {entry.name}")
    try:
        return read_entry(_object(answer))
    except ValueError as exc:
        raise MalformedEntryError(str(exc)) from exc


def _pages(door: RegistryDoor, query: dict[str, str], *, is_optional: bool = False) -> Iterator[list[RegistryEntry]]:
    deadline = time.monotonic() + door.limits.seconds
    cursors: set[str] = set()
    cursor, bytes_left = "", door.limits.total_bytes
    for _ in range(door.limits.pages):
        if time.monotonic() > deadline:
            raise _failure(door, f"its list takes longer than {door.limits.seconds:g} seconds")
        asked = {"limit": str(PAGE), **query, **({"cursor": cursor} if cursor else {})}
        try:
            answer = door.get(f"servers?{urlencode(asked)}")
        except TransportError as exc:
            raise _failure(door, exc.message, permanent=exc.permanent) from exc
        if is_optional and answer.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY):
            return
        bytes_left -= len(answer.body)
        if bytes_left < 0:
            raise _failure(door, f"its list is larger than {door.limits.total_bytes} bytes", permanent=True)
        page = _checked(door, answer)
        yield list(_entries(page))
        cursor = _next_cursor(door, page)
        if not cursor:
            return
        if cursor in cursors:
            raise _failure(door, "its list does not end: a cursor came again")
        cursors.add(cursor)
    raise _failure(door, f"its list has more than {door.limits.pages} pages", permanent=True)


def _next_cursor(door: RegistryDoor, page: JsonObject) -> str:
    """Return the cursor of the next page, or empty after the last one; raise ProviderError for one of another form."""
    metadata = page.get("metadata")
    following = metadata.get("nextCursor") if isinstance(metadata, dict) else None
    if not following:
        return ""
    if not isinstance(following, str) or len(following) > MAX_CURSOR:
        raise _failure(door, "its cursor is no short text")
    return following


def _checked(door: RegistryDoor, answer: Answer) -> JsonObject:
    """Return the page in an answer; raise ProviderError for an answer that is none."""
    if answer.status in _REFUSED:
        advice = "Set an access token that the registry accepts."
        raise _failure(door, f"it answers {answer.status}", permanent=True, advice=advice)
    if answer.status == HTTPStatus.NOT_FOUND:
        advice = "Give the address under which the registry has the path /v0.1/servers."
        raise _failure(door, "it answers 404", permanent=True, advice=advice)
    if not answer.is_success:
        raise _failure(door, f"it answers {answer.status}")
    try:
        page = _object(answer)
    except ValueError as exc:
        raise _failure(door, str(exc)) from exc
    if not isinstance(page.get("servers"), list):
        raise _failure(door, "its answer has no list of servers")
    return page


def _object(answer: Answer) -> JsonObject:
    """Return the JSON object in an answer; raise ValueError with the reason."""
    try:
        found = parse_document(answer.body)
    except ValueError as exc:
        media_type = answer.headers.get("content-type", "").partition(";")[0]
        raise ValueError(f"its answer is not JSON but {clean_error(media_type) or 'something else'}") from exc
    if not isinstance(found, dict):
        raise ValueError("its answer is not a JSON object")
    return found


def _entries(page: JsonObject) -> Iterator[RegistryEntry]:
    """Yield the entries of a page. One without a valid name names no server that could be stored."""
    listed = page["servers"]
    for found in listed if isinstance(listed, list) else []:
        try:
            yield read_entry(found)
        except MalformedEntryError:
            continue


def _merge(found: dict[str, RegistryEntry], entries: Sequence[RegistryEntry]) -> None:
    """Keep the newest version of each server: a registry may list all versions although one was asked for."""
    for entry in entries:
        known = found.get(entry.name)
        if known is None or (entry.is_latest, entry.updated_at) >= (known.is_latest, known.updated_at):
            found[entry.name] = entry


def _failure(door: RegistryDoor, reason: str, *, permanent: bool = False, advice: str = "") -> ProviderError:
    message = clean_error(f"Failed to list the registry at {door.url}: {reason}")
    return ProviderError(message, permanent=permanent, advice=advice)
