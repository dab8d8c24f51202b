"""A worker and a backup are told to stop in the middle of each kind of work: nothing is lost, nothing done twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from core.strict_json import JsonObject
from federations.models import AgentRun, McpServer, StoredPlan, SyncJob
from peers.models import Dispatch, HandlerEvent, OutboundCallback
from tests.contract.peer_hubs import ROOT, Hub, template
from tests.sandbox_server import REGION, ROLE_ARN, RunningSandbox

pytestmark = pytest.mark.timeout(600)
WORKER = "worker-sync,handlers,peers,sweep,agents"
ANSWER_SECONDS, AGENT_SECONDS, HANDLER_SECONDS = 4.0, 600.0, 6.0
PREPARE = """
from core.actors import Actor
from federations.models import Federation
from federations.services.federations import create_federation
from federations.services.run import run_sync
from federations.services.start import start_sync
from federations.services.stored_plans.make import create_plan
by = Actor(id="1", name="staff")
config = {config}
for number in range(2):
    create_federation(provider_type="aws_agentcore", display_name=f"Cloud {{number}}", description=None, tags=[],
                      provider_config=config, by=by)
first, second = Federation.objects.order_by("display_name")
run_sync(start_sync(first, by=by).id)
create_plan(second, by=by)
"""
# The agent works from its task id on; the account is slow from then on.
WORK = """
import time
from datetime import timedelta
from unittest import mock
from django.contrib.sessions.models import Session
from django.utils import timezone
from core.actors import Actor
from core.jobs.queue import enqueue
from core.notifications.events import NewEvent, record
from core.notifications.models import Rule
from core.notifications.rules import make_secret
from core.store.unit_of_work import unit_of_work
from federations.models import A2aAgent, AgentRun, Federation, JobTrigger, StoredPlan
from federations.services.runs.make import Work, make_run
from federations.services.start import start_sync
from federations.services.stored_plans import apply
from peers.models import HandlerEvent, OutboundCallback, Peer, ReceivedDispatch
from peers.protocol import DelegationScope
from peers.services.catalog.intents import create_intent
from peers.services.outbox.dispatch import create_dispatch
from sandbox.client import SandboxClient
by, now, url = Actor(id="1", name="staff"), timezone.now(), "{url}"
old = [Session(session_key=str(number), session_data="", expire_date=now - timedelta(1)) for number in range(60_000)]
Session.objects.bulk_create(old, batch_size=5000)
make_run(A2aAgent.objects.get(), Work("add 2 and 40"), by=by)
while not AgentRun.objects.exclude(task_id="").exists():
    time.sleep(0.1)
SandboxClient("{cloud}").latency(10_000)
start_sync(Federation.objects.get(display_name="Cloud 0"), by=by, queued=True)
plan = StoredPlan.objects.get()
# The worker reads the account, which is slow by now.
with mock.patch.object(apply, "check_account"):
    apply.start_apply(plan, digest=plan.digest, by=by, queued=True, trigger=JobTrigger.MANUAL)
peer = Peer.objects.create(server_url=url, did="did:web:x", state="approved")
event = HandlerEvent.objects.create(handler="tests.contract.slow_handlers.SlowAgents", source_id="1",
                                    kind="federation_received", dispatch_id="d", due_at=now)
enqueue("peers.run_event", event.pk)
create_dispatch(intent_id="i", target_server=url, by=by)
received = ReceivedDispatch.objects.create(
    peer=peer, dispatch_id="r", body_digest="0" * 64, intent=create_intent(title="T", state={{}}, by=by), accepted=True,
    envelope={{}}, scope=DelegationScope().to_dict(), policy={{}}, callback_url=url + "/callback")
callback = OutboundCallback.objects.create(received=received, peer=peer, event_type="state_delta", body="{{}}",
                                           idempotency_key="k", due_at=now)
enqueue("peers.deliver_callback", callback.pk)
rule = Rule.objects.create(name="Chat", target="webhook", url=url + "/hook", kinds=["beat.silent"], digest_minutes=0)
make_secret(rule)
with unit_of_work(with_accounts=True):
    record(NewEvent("beat.silent", "key", "The sweeps had stopped"))
enqueue("fedhub.prune")
"""
PATHS = ("/api/v1/federation/receive", "/callback", "/hook")
TAKEN = """
SELECT (SELECT sum(attempts) FROM peers_dispatch) + (SELECT sum(attempts) FROM peers_outboundcallback)
    + (SELECT sum(attempts) FROM notifications_delivery)
"""
SESSIONS = "SELECT count(*) FROM django_session"
DELIVERIES = "SELECT state, attempts FROM notifications_delivery"


@pytest.fixture
def hub(tmp_path: Path, hub_rows: None, sandbox: RunningSandbox) -> Iterator[Hub]:
    """A hub whose cloud has a server and an agent that works longer than the test."""
    fields: JsonObject = {"worker": "streams", "workerSeconds": AGENT_SECONDS}
    sandbox.admin.add("weather_forecast_mcp")
    sandbox.admin.add("worker", "A2A", **fields)
    extra = {
        **sandbox.environment,
        "FEDHUB_HANDLERS": "tests.contract.slow_handlers.SlowAgents",
        "FEDHUB_HANDLER_SECONDS": "30",
        "FEDHUB_JOB_LEASE_SECONDS": "20",
        "SLOW_HANDLER_SECONDS": str(HANDLER_SECONDS),
        "FEDHUB_BACKUP_PASSPHRASE": "a-passphrase-of-the-test",
    }
    made = Hub("hub", tmp_path / "hub", extra=extra)
    made.create(template(tmp_path / "template"))
    try:
        yield made
    finally:
        made.kill()
        sandbox.admin.latency(0)
        for runtime in sandbox.admin.runtimes():
            sandbox.admin.remove(str(runtime["name"]))


@pytest.fixture
def receiver() -> Iterator[HTTPServer]:
    """A peer, and the receiver of a webhook, that takes its time for each request; `log` has the answered ones."""

    def slowly(request: Request) -> Response:
        time.sleep(ANSWER_SECONDS)
        return Response('{"accepted": true, "dispatch_id": "d"}', 200, content_type="application/json")

    with HTTPServer(threaded=True) as server:
        for path in PATHS:
            server.expect_request(path, "POST").respond_with_handler(slowly)
        yield server


def stop_the_backup(hub: Hub) -> None:
    """Tell a backup to stop while it writes; it leaves nothing."""
    folder = hub.folder / "backups"
    folder.mkdir()
    command = [sys.executable, "manage.py", "backup", str(folder / "hub.fedhub")]
    process = subprocess.Popen(command, cwd=ROOT, env=hub.environ, stdout=subprocess.DEVNULL)
    hub.wait(lambda: list(folder.iterdir()), "the backup writes nothing")
    process.send_signal(signal.SIGTERM)
    assert (process.wait(30), list(folder.iterdir())) == (143, [])


def test_each_kind_of_work_is_ended_or_handed_back_and_done_once(
    hub: Hub, sandbox: RunningSandbox, receiver: HTTPServer
) -> None:
    hub.do(PREPARE.format(config={"region": REGION, "assumeRoleArn": ROLE_ARN}))
    jobs, runs, events = hub.stored(SyncJob), hub.stored(AgentRun), hub.stored(HandlerEvent)
    hub.start(WORKER)
    hub.do(WORK.format(url=receiver.url_for("").rstrip("/"), cloud=sandbox.url))
    hub.wait(lambda: jobs.filter(status="syncing").count() == 2, "no sync reads", seconds=120)
    hub.wait(lambda: events.exclude(lease_token="").exists(), "no handler works", seconds=120)
    hub.wait(lambda: hub.rows(TAKEN) == [(3,)] and hub.rows(SESSIONS)[0][0] < 60_000, "nothing is sent or pruned")

    told_at = time.monotonic()
    worker = hub.processes[WORKER]
    worker.send_signal(signal.SIGTERM)
    # A machine without other work needs a fraction of this time, which is for a busy one.
    assert worker.wait(90) == 0
    print(f"the worker ended after {time.monotonic() - told_at:.1f} s")

    assert jobs.filter(status="pending", lease_token="").count() == 2
    assert [(run.state, run.lease_token) for run in runs.all()] == [("running", "")]
    assert 0 < hub.rows(SESSIONS)[0][0] < 60_000
    sandbox.admin.latency(0)
    stop_the_backup(hub)
    # The agent would work on; that the next worker cancels its task shows that this worker follows it.
    runs.update(cancel_asked_at=timezone.now(), cancel_reason="seen enough")
    hub.kill(WORKER)
    hub.start(WORKER, "beat")
    hub.wait(lambda: jobs.filter(status="success").count() == 3, "the syncs do not end", seconds=120)
    hub.wait(lambda: runs.filter(state="cancelled").exists(), "the run does not end", seconds=120)
    hub.wait(lambda: hub.rows(SESSIONS) == [(0,)], "the prune does not end", seconds=120)
    # The second federation lists the same account, whose names belong to the first.
    assert hub.stored(McpServer).count() == 1
    assert hub.stored(StoredPlan).get().status == "applied"
    assert len(sandbox.admin.agent("worker")["messages"]) == 1
    assert (runs.get().sends, (hub.folder / "handled").read_text()) == (1, "done\n")
    assert hub.stored(Dispatch).get().status == "accepted"
    assert hub.stored(OutboundCallback).get().delivered_at is not None
    assert hub.rows(DELIVERIES) == [("sent", 1)]
    assert sorted(request.path for request, _ in receiver.log) == sorted(PATHS)
