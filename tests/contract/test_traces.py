"""Traces arrive at a collector of OTLP: whole, joined across processes and hubs, and without a secret."""

from __future__ import annotations

import asyncio
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import pytest
from celery import current_app
from django.conf import LazySettings
from django.contrib.auth.models import User
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pytest_httpserver import HTTPServer

from core.actors import actor_of
from core.net.client import send
from core.tracing import span, start_tracing, stop_tracing, trace_headers
from federations.models import Federation
from federations.services.start import start_sync
from federations.tasks import run_job
from fedhub.asgi_front import Front
from fedhub.logs import JsonFormatter
from fedhub.wsgi import application
from fedhub.wsgi_bridge import Answer
from sandbox.client import SandboxClient

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "a-secret-of-the-test"
CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
OFF = """
import sys
from django.conf import settings
settings.configure(FEDHUB_OTEL_ENDPOINT="")
from core.tracing import span, start_tracing, trace_headers
start_tracing("web")
with span("a") as first, span("b") as second:
    assert first is second is None and trace_headers() == {}
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""


@dataclass(frozen=True, slots=True)
class Received:
    """A span that the collector got."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    is_error: bool


class Collector:
    """A collector of OTLP over HTTP, which reads the messages by the definitions of OpenTelemetry."""

    def __init__(self, server: HTTPServer) -> None:
        self.server = server
        server.expect_request("/otlp/v1/traces", "POST").respond_with_data(b"", content_type="application/x-protobuf")

    def spans(self) -> list[Received]:
        """Return all spans, after this process has sent them."""
        stop_tracing()
        found = []
        for request, _ in self.server.log:
            if request.path == "/otlp/v1/traces":
                assert request.headers["X-Key"] == "k-1"
                message = ExportTraceServiceRequest.FromString(request.get_data())
                found += [span for each in message.resource_spans for part in each.scope_spans for span in part.spans]
        return [
            Received(
                each.name,
                each.trace_id.hex(),
                each.span_id.hex(),
                each.parent_span_id.hex(),
                {one.key: one.value.string_value or one.value.int_value for one in each.attributes},
                each.status.code == 2,
            )
            for each in found
        ]


@pytest.fixture
def collector(httpserver: HTTPServer, settings: LazySettings) -> Iterator[Collector]:
    settings.FEDHUB_OTEL_ENDPOINT = httpserver.url_for("/otlp")
    settings.FEDHUB_OTEL_HEADERS = "x-key = k-1"
    made = Collector(httpserver)
    start_tracing("web")
    yield made
    stop_tracing()


def get(path: str, *headers: tuple[bytes, bytes]) -> int:
    """Send a request through the front to Django; return the status."""
    answers: list[Any] = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"token=" + SECRET.encode(),
        "headers": [(b"host", b"testserver"), *headers],
        "http_version": "1.1",
        "client": ("127.0.0.1", 9),
        "scheme": "http",
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def keep(message: Any) -> None:
        answers.append(message)

    front = Front(application, lambda path, status: Answer(status, [], b""), 5, 1000, 1)
    asyncio.run(front(scope, receive, keep))
    return int(answers[0]["status"])


def test_a_sync_and_its_calls_are_one_trace_from_the_request_to_the_worker(
    collector: Collector, cloud: SandboxClient, federation: Federation, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.add("weather_forecast_mcp")
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **options: sent.append(options))
    with span("a request", "server"):
        job = start_sync(federation, by=actor_of(owner), queued=True)
    run_job.apply(args=(job.id,), headers=sent[0]["headers"])

    spans = collector.spans()

    by_name = {each.name: each for each in spans}
    assert len({each.trace_id for each in spans}) == 1
    parents = {each.span_id: each.name for each in spans}
    way = {each.name: parents.get(each.parent_id, "") for each in spans}
    assert way["federations.run_job"] == "a request"
    assert way["sync"] == "federations.run_job"
    assert {way[name] for name in ("sync discover", "sync apply", "sync index")} == {"sync"}
    assert by_name["sync"].attributes["fedhub.federation_id"] == federation.id
    assert by_name["federations.run_job"].attributes["fedhub.job_id"] == job.id
    assert by_name["sync discover"].attributes["fedhub.findings"] == 1
    calls = [each for each in spans if each.name.endswith(".ListAgentRuntimes")]
    assert [each.attributes["http.response.status_code"] for each in calls] == [200]
    assert [each.attributes["server.address"] for each in spans if each.name == "POST"]


def test_a_trace_of_a_peer_goes_on_here_and_at_the_next_hub(collector: Collector, httpserver: HTTPServer) -> None:
    httpserver.expect_request(f"/{SECRET}").respond_with_data("", status=503)
    networks = [ip_network("127.0.0.0/8"), ip_network("::1")]
    assert get("/api/v1/agents/nobody", (b"traceparent", CALLER.encode())) == 401
    get("/healthz", (b"traceparent", b"00-" + SECRET.encode()))
    with pytest.raises(ValueError, match=SECRET), span("a failure", attributes={"fedhub.number": 1}):
        send("POST", httpserver.url_for(f"/{SECRET}?{SECRET}"), body=SECRET.encode(), allowed_networks=networks)
        mine = trace_headers()["traceparent"]
        line = JsonFormatter().format(logging.makeLogRecord({"msg": "a line"}))
        raise ValueError(SECRET)

    spans = {each.name: each for each in collector.spans()}

    taken, begun = ([each for name, each in spans.items() if part in name] for part in ("agents", "healthz"))
    assert [(each.trace_id, each.parent_id) for each in taken] == [(CALLER[3:35], CALLER[36:52])]
    assert "nobody" not in str(taken)
    assert taken[0].attributes["http.response.status_code"] == 401
    assert re.fullmatch("[0-9a-f]{32}", str(taken[0].attributes["fedhub.request_id"]))
    assert [each.parent_id for each in begun] == [""]
    failed, call = spans["a failure"], spans["POST"]
    assert (failed.is_error, failed.attributes["error.type"], failed.attributes["fedhub.number"]) == (
        True, "ValueError", 1,
    )  # fmt: skip
    assert (call.parent_id, call.attributes["http.response.status_code"]) == (failed.span_id, 503)
    (given,) = [each.headers["traceparent"] for each, _ in httpserver.log if each.path == f"/{SECRET}"]
    assert given[:52] == f"00-{failed.trace_id}-{call.span_id}"
    assert mine[:52] == f"00-{failed.trace_id}-{failed.span_id}"
    assert f'"trace_id": "{failed.trace_id}"' in line
    assert SECRET not in str(spans)


def test_a_hub_without_the_setting_loads_nothing_and_measures_nothing() -> None:
    subprocess.run([sys.executable, "-c", OFF], check=True, timeout=30)
