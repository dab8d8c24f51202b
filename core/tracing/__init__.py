"""Traces of what the hub does: spans of requests, tasks, syncs, runs and outbound requests, for a collector of OTLP.

Theory of operation. Code that does work says so by `span`, and adds what it learns by `describe`. Without
FEDHUB_OTEL_ENDPOINT both do nothing: no package of OpenTelemetry's SDK is imported, and `span` returns one object that
all callers share. With it `start_tracing` loads `core.tracing.exporting`, the only module that knows the SDK.

A trace goes on in another process by `trace_headers`: a message to a worker, or a request to a peer, carries the header
`traceparent` (W3C Trace Context, section 3.2). `tracestate` and `baggage` are neither taken nor given, because they may
hold anything. A span holds names, ids, numbers and statuses alone: no body, no header, no query, no path that somebody
filled in, and of an error its class without its text.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Literal, Protocol

from django.conf import settings

Kind = Literal["internal", "server", "client", "consumer"]
Attributes = Mapping[str, str | int]

TRACEPARENT = "traceparent"
"""The header that names the trace and the span of the caller."""


class Tracing(Protocol):
    """What `core.tracing.exporting` offers while traces are on."""

    def span(
        self, name: str, kind: Kind, attributes: Attributes, traceparent: str
    ) -> AbstractContextManager[object]: ...

    def describe(self, attributes: Attributes, name: str) -> None: ...

    def event(self, name: str) -> None: ...

    def headers(self) -> dict[str, str]: ...

    def trace_id(self) -> str: ...

    def stop(self) -> None: ...


class _Nothing:
    """The span of a hub without traces."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


_NOTHING = _Nothing()
_tracing: Tracing | None = None


def start_tracing(process: str) -> None:
    """Send the spans of this process, a `web` or a `worker`, to FEDHUB_OTEL_ENDPOINT, if it is set.

    Call it after a fork, because a thread sends the spans. Raises ImportError without the packages of the extra
    `tracing`.
    """
    global _tracing
    if settings.FEDHUB_OTEL_ENDPOINT and _tracing is None:
        from core.tracing.exporting import OtlpTracing

        _tracing = OtlpTracing(process)


def stop_tracing() -> None:
    """Send what is not sent yet, for a few seconds at most, and end the traces of this process."""
    global _tracing
    if _tracing is not None:
        found, _tracing = _tracing, None
        found.stop()


def span(
    name: str, kind: Kind = "internal", attributes: Attributes | None = None, *, traceparent: str = ""
) -> AbstractContextManager[object]:
    """Return the context manager that measures its block; an exception that leaves the block marks the span as failed.

    `traceparent` is the header of the caller, from another process; a malformed one begins a trace. The ids of
    `core.log_ids` become attributes too.
    """
    return _NOTHING if _tracing is None else _tracing.span(name, kind, attributes or {}, traceparent)


def describe(attributes: Attributes, *, name: str = "") -> None:
    """Add attributes to the span of the innermost block, and give it another name."""
    if _tracing is not None:
        _tracing.describe(attributes, name)


def note(event: str) -> None:
    """Add an event with the time of now to the span of the innermost block."""
    if _tracing is not None:
        _tracing.event(event)


def trace_headers() -> dict[str, str]:
    """Return the headers that let another process go on with this trace; none without traces."""
    return {} if _tracing is None else _tracing.headers()


def trace_id() -> str:
    """Return the id of the trace of this thread or asyncio task, 32 hexadecimal digits; empty without one."""
    return "" if _tracing is None else _tracing.trace_id()
