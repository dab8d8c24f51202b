"""Long syncs and slow handlers leave deliveries and sweeps at their usual times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from federations.models import SyncJob
from peers.models import Dispatch, HandlerEvent
from tests.contract.peer_hubs import Hub, template
from tests.sandbox_server import ROLE_ARN, RunningSandbox

pytestmark = pytest.mark.timeout(300)

LONG_WORK = """
from core.actors import Actor
from django.utils import timezone
from core.jobs.queue import enqueue
from federations.services.federations import create_federation
from federations.services.start import start_sync
from peers.models import HandlerEvent
by = Actor(id="1", name="staff")
config = {{"region": "us-east-1", "assumeRoleArn": "{role}"}}
for number in range(2):
    federation = create_federation(provider_type="aws_agentcore", display_name=f"Cloud {{number}}", description=None,
                                   tags=[], provider_config=config, by=by)
    start_sync(federation, by=by, queued=True)
    event = HandlerEvent.objects.create(handler="tests.contract.slow_handlers.SlowAgents", source_id=str(number),
                                        kind="federation_received", dispatch_id="d", due_at=timezone.now())
    enqueue("peers.run_event", event.pk)
"""
DISPATCHES = """
from core.actors import Actor
from peers.models import Peer
from peers.services.outbox import dispatch
by = Actor(id="1", name="staff")
Peer.objects.get_or_create(server_url="{url}", defaults={{"did": "did:web:x", "state": "approved"}})
def send():
    return [dispatch.create_dispatch(intent_id="i", target_server="{url}", by=by).pk for _ in range(3)]
nudged = send()
dispatch.enqueue = lambda *args: None
out = [nudged, send()]
"""


@pytest.fixture
def hub(tmp_path: Path, hub_rows: None, sandbox: RunningSandbox) -> Iterator[Hub]:
    """A hub with one worker for `sync` and `handlers` and one for `peers` and `sweep`, and a cloud that is slow."""
    handlers = {"FEDHUB_HANDLERS": "tests.contract.slow_handlers.SlowAgents", "FEDHUB_HANDLER_SECONDS": "60"}
    made = Hub("hub", tmp_path / "hub", extra={**sandbox.environment, **handlers})
    made.create(template(tmp_path / "template"))
    sandbox.admin.latency(30_000)
    try:
        yield made
    finally:
        made.kill()
        sandbox.admin.latency(0)


def test_two_long_syncs_and_two_slow_handlers_delay_no_delivery_and_no_sweep(hub: Hub, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/v1/federation/receive").respond_with_json({"accepted": True})
    hub.start("worker-sync,handlers", "worker-peers,sweep", "beat")
    hub.do(LONG_WORK.format(role=ROLE_ARN))
    jobs, events = hub.stored(SyncJob), hub.stored(HandlerEvent)
    hub.wait(
        lambda: jobs.exclude(status="pending").count() + events.exclude(lease_token="").count() == 4, "no long work"
    )
    nudged, swept = hub.do(DISPATCHES.format(url=httpserver.url_for("").rstrip("/")))
    rows = hub.stored(Dispatch)
    hub.wait(lambda: rows.filter(status="accepted").count() == 6, "not delivered")
    waits = {row.pk: (row.delivered_at - row.created_at).total_seconds() for row in rows.all() if row.delivered_at}
    assert max(waits[pk] for pk in nudged) < 5
    # The sweep of this hub runs each second.
    assert max(waits[pk] for pk in swept) < 8
    assert jobs.filter(finished_at=None).count() + events.filter(finished_at=None).count() == 4
    print({"nudged": [waits[pk] for pk in nudged], "swept": [waits[pk] for pk in swept]})
