"""Spans by OpenTelemetry's SDK, sent to a collector as OTLP over HTTP. No other module imports the SDK."""

from __future__ import annotations

import os
import re
import socket
from types import TracebackType

from django.conf import settings
from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from core.log_ids import log_ids
from core.tracing import TRACEPARENT, Attributes, Kind

SEND_SECONDS = 5
"""How long one request to the collector may take, and how long a process that ends waits for it."""
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_KINDS = {
    "internal": trace.SpanKind.INTERNAL,
    "server": trace.SpanKind.SERVER,
    "client": trace.SpanKind.CLIENT,
    "consumer": trace.SpanKind.CONSUMER,
}


class OtlpTracing:
    """The traces of this process; see `core.tracing.Tracing`."""

    def __init__(self, process: str) -> None:
        """Start the thread that sends."""
        # The share follows from the trace's id, so that all hubs with one share keep the same traces. What a caller
        # says about keeping is ignored: anybody can send the header.
        sampler = TraceIdRatioBased(settings.FEDHUB_OTEL_PERCENT / 100)
        self._provider = TracerProvider(
            resource=_resource(process),
            sampler=ParentBased(sampler, remote_parent_sampled=sampler, remote_parent_not_sampled=sampler),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(
            endpoint=f"{settings.FEDHUB_OTEL_ENDPOINT}/v1/traces",
            headers=dict(_pairs(settings.FEDHUB_OTEL_HEADERS)) or None,
            timeout=SEND_SECONDS,
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("fedhub")
        self._propagator = TraceContextTextMapPropagator()

    def span(self, name: str, kind: Kind, attributes: Attributes, traceparent: str) -> _Block:
        """Return the block of a new span, below the caller's span or below that of this thread."""
        parent = None
        if _TRACEPARENT.fullmatch(traceparent):
            parent = self._propagator.extract({TRACEPARENT: traceparent}, context.Context())
        return _Block(self._tracer, name, kind, attributes, parent)

    def describe(self, attributes: Attributes, name: str) -> None:
        """Add attributes to the current span, and rename it."""
        found = trace.get_current_span()
        found.set_attributes(attributes)
        if name:
            found.update_name(name)

    def event(self, name: str) -> None:
        """Add an event to the current span."""
        trace.get_current_span().add_event(name)

    def headers(self) -> dict[str, str]:
        """Return `traceparent` alone."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return {name: value for name, value in carrier.items() if name == TRACEPARENT}

    def trace_id(self) -> str:
        """Return the id of the current trace, or an empty text."""
        found = trace.get_current_span().get_span_context()
        return trace.format_trace_id(found.trace_id) if found.is_valid else ""

    def stop(self) -> None:
        """Send the rest, and end the thread."""
        self._provider.shutdown()


class _Block:
    """A span that is the current one while its block runs."""

    def __init__(
        self, tracer: trace.Tracer, name: str, kind: Kind, attributes: Attributes, parent: context.Context | None
    ) -> None:
        self._tracer = tracer
        self._begin = (name, parent, _KINDS[kind], attributes)

    def __enter__(self) -> None:
        name, parent, kind, attributes = self._begin
        self._span = self._tracer.start_span(name, context=parent, kind=kind, attributes=attributes)
        self._token = context.attach(trace.set_span_in_context(self._span))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._span.set_attributes({f"fedhub.{name}": value for name, value in log_ids().items() if value})
        if kind is not None:
            # The text of an error may quote what somebody sent.
            self._span.set_attribute("error.type", kind.__name__)
            self._span.set_status(trace.StatusCode.ERROR)
        self._span.end()
        context.detach(self._token)


def _resource(process: str) -> Resource:
    own = Resource(
        {
            "service.name": "fedhub",
            "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
            "fedhub.process": process,
            "fedhub.server_url": settings.FEDHUB_SERVER_URL,
        }
    )
    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win.
    return own.merge(OTELResourceDetector().detect())


def _pairs(text: str) -> list[tuple[str, str]]:
    """Return the pairs of `name=value,name=value`."""
    return [(name.strip(), value.strip()) for name, _, value in (item.partition("=") for item in text.split(","))]
