"""The connection of one process to a Weaviate server: REST for the schema, gRPC for everything else.

Theory of operation. The client is created on first use, and again in a forked child, because processes must not share a
gRPC channel. After that httpx and gRPC reconnect by themselves after a restart of the server, so a client that threads
use is never closed. Every call has a timeout. A gRPC call waits until its timeout for a server that is restarting
(`waitForReady`): without this option the client library retries for a minute. After a failure the next call first asks
for the server's metadata by REST, so it fails at once while the server does not listen.

A collection of an older version is treated as missing. The next write drops it, and the next sync builds its documents
again. A collection of a newer version, which a newer hub writes, and a collection of another vectorizer are errors.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

import grpc
import httpx
from weaviate import WeaviateClient
from weaviate.auth import Auth
from weaviate.collections import Collection
from weaviate.config import AdditionalConfig, GrpcConfig, Timeout
from weaviate.connect import ConnectionParams
from weaviate.exceptions import UnexpectedStatusCodeError, WeaviateBaseError

from federations.search.base import SearchError
from federations.search.weaviate_schema import create_collection, description, is_outdated

logger = logging.getLogger(__name__)

T = TypeVar("T")
Documents = Collection[dict[str, object], None]

QUERY_SECONDS = 10.0
WRITE_SECONDS = 30.0
DEFAULT_GRPC_PORT = 50051

_ERRORS = (WeaviateBaseError, httpx.HTTPError, grpc.RpcError, OSError)
# Texts in gRPC errors about a missing collection: before the first write, or while a rebuild drops it.
_MISSING_TEXTS = ("could not find class", "cannot find index for class")
# By default the channels of a process share connections, and with them a pause of up to two minutes between attempts.
_CHANNEL_OPTIONS = (
    ("grpc.service_config", json.dumps({"methodConfig": [{"name": [{}], "waitForReady": True}]})),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


@dataclass(frozen=True, slots=True)
class WeaviateServer:
    """The Weaviate server of the index, as the settings name it.

    `url` is the REST address. `grpc_url` is the gRPC address, by default the host of `url` with port 50051. An https
    address means TLS. `vectorizer` is the name of a Weaviate module that makes vectors; if it is empty, the search uses
    only keywords. Raises ValueError for an address that is not http or https.
    """

    url: str
    grpc_url: str = ""
    api_key: str = field(default="", repr=False)
    vectorizer: str = ""
    collection: str = "Fedhub"

    def __post_init__(self) -> None:
        self.connection_params()

    def connection_params(self) -> ConnectionParams:
        """Return both addresses in the form of the client library."""
        http = _split(self.url)
        rpc = _split(self.grpc_url) if self.grpc_url else http
        return ConnectionParams.from_params(
            http_host=str(http.hostname),
            http_port=http.port or _default_port(http),
            http_secure=http.scheme == "https",
            grpc_host=str(rpc.hostname),
            grpc_port=(rpc.port or _default_port(rpc)) if self.grpc_url else DEFAULT_GRPC_PORT,
            grpc_secure=rpc.scheme == "https",
        )


class WeaviateConnection:
    """The connection of one process to the server, through which WeaviateSearchIndex works on its collection.

    Every failure is raised as SearchError.
    """

    def __init__(self, server: WeaviateServer, *, query_seconds: float, write_seconds: float) -> None:
        self._server = server
        self._timeout = Timeout(init=query_seconds, query=query_seconds, insert=write_seconds)
        self._lock = threading.Lock()
        self._client: WeaviateClient | None = None
        self._process_id = 0
        self._has_failed = False
        self._is_schema_known = False
        self._clients_of_parent: list[WeaviateClient] = []

    def read(self, operation: Callable[[Documents], T], *, missing: T) -> T:
        """Call `operation` on the collection. Return `missing` if it does not exist or is of an older version."""
        return self._run(lambda client: self._read(client, operation, missing))

    def write(self, operation: Callable[[Documents], T]) -> T:
        """Call `operation` on the collection. Create the collection if it is missing or of an older version."""
        return self._run(lambda client: operation(self._writable(client)))

    def recreate(self) -> None:
        """Drop the collection, of any schema, and create an empty one."""
        self._run(self._recreate)

    def close(self) -> None:
        """Close the connection. The next call opens a new one."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None and self._process_id == os.getpid():
            client.close()

    def _run(self, operation: Callable[[WeaviateClient], T]) -> T:
        try:
            client = self._connected()
            if self._has_failed:
                client.get_meta()
            result = operation(client)
        except _ERRORS as exc:
            self._has_failed = True
            raise SearchError(f"search index {self._server.url}: {_reason(exc)}") from exc
        self._has_failed = False
        return result

    def _connected(self) -> WeaviateClient:
        with self._lock:
            if self._client is not None and self._process_id != os.getpid():
                # The parent uses the client's TLS sessions. A close or the finalizer of the client would end them.
                self._clients_of_parent.append(self._client)
                self._client = None
            if self._client is None:
                self._client = self._connect()
                self._process_id = os.getpid()
            return self._client

    def _connect(self) -> WeaviateClient:
        client = WeaviateClient(
            connection_params=self._server.connection_params(),
            auth_client_secret=Auth.api_key(self._server.api_key) if self._server.api_key else None,
            additional_config=AdditionalConfig(
                timeout=self._timeout, grpc_config=GrpcConfig(channel_options=_CHANNEL_OPTIONS)
            ),
            # The checks ask a package registry for the newest version of the client.
            skip_init_checks=True,
        )
        try:
            client.connect()
        except BaseException:
            client.close()
            raise
        return client

    def _read(self, client: WeaviateClient, operation: Callable[[Documents], T], missing: T) -> T:
        if not self._is_schema_known and not self._has_schema(client):
            return self._value_for_missing(client, missing)
        try:
            return operation(self._collection(client))
        except WeaviateBaseError as exc:
            if any(text in str(exc) for text in _MISSING_TEXTS):
                self._is_schema_known = False
                return self._value_for_missing(client, missing)
            raise

    def _value_for_missing(self, client: WeaviateClient, missing: T) -> T:
        """Return `missing`. Raise SearchError if the server is starting, since it then has no collections yet."""
        if not client.is_ready():
            raise SearchError(f"search index {self._server.url}: the server is not ready yet")
        return missing

    def _writable(self, client: WeaviateClient) -> Documents:
        """Return the collection. Create it first if it is missing: a write would let the server invent a schema."""
        found = self._description(client)
        if self._is_usable(found):
            return self._collection(client)
        if found is not None:
            logger.warning("An empty collection replaces the older version of %s", self._server.collection)
            client.collections.delete(self._server.collection)
        self._create(client)
        return self._collection(client)

    def _recreate(self, client: WeaviateClient) -> None:
        client.collections.delete(self._server.collection)
        self._create(client)

    def _create(self, client: WeaviateClient) -> None:
        try:
            create_collection(client, self._server.collection, self._server.vectorizer)
            self._is_schema_known = True
        except UnexpectedStatusCodeError as exc:
            # 422: another process created the collection first.
            if exc.status_code != httpx.codes.UNPROCESSABLE_ENTITY or not self._has_schema(client):
                raise

    def _has_schema(self, client: WeaviateClient) -> bool:
        return self._is_usable(self._description(client))

    def _description(self, client: WeaviateClient) -> str | None:
        """Return the description of the collection, or None if there is no collection."""
        try:
            return self._collection(client).config.get(simple=True).description or ""
        except UnexpectedStatusCodeError as exc:
            if exc.status_code != httpx.codes.NOT_FOUND:
                raise
            return None

    def _is_usable(self, found: str | None) -> bool:
        """Tell whether a collection of this description exists and is current.

        Raise SearchError for a newer version or another vectorizer.
        """
        if found is None or is_outdated(found, self._server.vectorizer):
            return False
        if found != description(self._server.vectorizer):
            raise SearchError(
                f"search index {self._server.url}: the collection {self._server.collection} is of a newer version or "
                "another vectorizer; run manage.py rebuild_search"
            )
        self._is_schema_known = True
        return True

    def _collection(self, client: WeaviateClient) -> Documents:
        return client.collections.use(self._server.collection)


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is not an http or https address")
    return parts


def _default_port(parts: SplitResult) -> int:
    return 443 if parts.scheme == "https" else 80


def _reason(error: BaseException) -> str:
    """Return the text of an error and of its first cause, which the client omits for a refused connection."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return " ".join(_line(each) for each in dict.fromkeys([error, cause]))


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
