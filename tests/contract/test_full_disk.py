"""The disk of a hub is full: nothing is half written, callers and staff get a clear answer, and the work goes on later.

A full disk is a limit of the size of files (RLIMIT_FSIZE), which needs no root: each write of the hub's processes to a
file fails, also to the log, and the test takes the limit away again.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pytest_httpserver import HTTPServer

from federations.models import Federation, McpServer, SyncJob
from peers.models import Dispatch, ReceivedDispatch
from tests.contract.peer_hubs import ROOT, Hub, template
from tests.sandbox_server import REGION, ROLE_ARN, RunningSandbox

pytestmark = pytest.mark.timeout(300)
PASSWORD = "a-password-of-the-test"
PREPARE = """
from django.contrib.auth.models import User
from core.actors import Actor
from core.tokens.services import issue_token
from federations.services.federations import create_federation
from peers.models import Peer
from peers.services.outbox.dispatch import create_dispatch
from peers.services.trust.peer_tokens import issue_peer_token
root = User.objects.create_superuser("root", password="{password}")
by = Actor(id=str(root.pk), name="root")
create_federation(provider_type="aws_agentcore", display_name="Cloud", description=None, tags=[],
                  provider_config={config}, by=by)
# The first dispatch shows that the worker works.
peer = Peer.objects.create(server_url="{url}", did="did:web:x", state="approved")
create_dispatch(intent_id="i", target_server="{url}", by=by)
scopes = ["federations-read", "federations-write"]
out = [issue_token("root", scopes=scopes, days=1), issue_peer_token(peer, days=1, by=by)]
"""
WORK = """
from core.actors import Actor
from federations.models import Federation
from federations.services.start import start_sync
from peers.services.outbox.dispatch import create_dispatch
by = Actor(id="1", name="staff")
create_dispatch(intent_id="i", target_server="{url}", by=by)
start_sync(Federation.objects.get(), by=by, queued=True)
"""
SMALL_BACKUP = """
import django, resource, sys
from django.core.management import execute_from_command_line
django.setup()
resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))
execute_from_command_line(["manage.py", "backup", sys.argv[1]])
"""
UNTAKEN = "the work is not taken up"


@pytest.fixture
def hub(tmp_path: Path, hub_rows: None, sandbox: RunningSandbox) -> Iterator[Hub]:
    sandbox.admin.add("weather_forecast_mcp")
    made = Hub("hub", tmp_path / "hub", extra={**sandbox.environment, "DEBUG": "false", "ALLOWED_HOSTS": "127.0.0.1",
        "SECRET_KEY": "s" * 50, "FEDHUB_SECRETS_KEY": "k" * 50, "FEDHUB_BACKUP_PASSPHRASE": PASSWORD})  # fmt: skip
    made.create(template(tmp_path / "template"))
    try:
        yield made
    finally:
        made.kill()
        sandbox.admin.remove("weather_forecast_mcp")


def limit_files(hub: Hub, most_bytes: int) -> None:
    """Let no process of the hub write behind the first `most_bytes` of a file."""
    groups = {process.pid for process in hub.processes.values()}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and _group(int(entry.name)) in groups:
            resource.prlimit(int(entry.name), resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def sign_in(hub: Hub) -> httpx.Response:
    """Sign in to the admin, which stores a session."""
    with httpx.Client(base_url=hub.url, timeout=60) as client:
        client.get("/admin/login/")
        token = next(value for name, value in client.cookies.items() if name.startswith("csrftoken"))
        form = {"username": "root", "password": PASSWORD, "csrfmiddlewaretoken": token}
        return client.post("/admin/login/", data=form, headers={"Referer": f"{hub.url}/admin/login/"})


def make_federation(hub: Hub, token: str) -> httpx.Response:
    config = {"region": REGION, "assumeRoleArn": ROLE_ARN}
    body = {"providerType": "aws_agentcore", "displayName": "Another", "providerConfig": config}
    return httpx.post(
        f"{hub.url}/api/v1/federations", json=body, headers={"Authorization": f"Bearer {token}"}, timeout=60
    )


def receive(hub: Hub, peer_url: str, token: str) -> httpx.Response:
    envelope = {"dispatch_id": "d-1", "source_server": peer_url, "target_server": hub.url, "intent_id": "i-1",
                "intent_title": "Sum up", "intent_description": "", "intent_state": {}}  # fmt: skip
    return httpx.post(f"{hub.url}/api/v1/federation/receive", json=envelope, headers={"X-API-Key": token}, timeout=60)


def back_up(hub: Hub, path: Path) -> subprocess.CompletedProcess[str]:
    """Make a backup in a process that may write no more than a few bytes."""
    command = [sys.executable, "-c", SMALL_BACKUP, str(path)]
    return subprocess.run(command, cwd=ROOT, env=hub.environ, capture_output=True, text=True, check=False)


def test_a_full_disk_stores_nothing_by_halves_and_the_work_goes_on_when_there_is_room(
    hub: Hub, httpserver: HTTPServer, tmp_path: Path
) -> None:
    httpserver.expect_request("/api/v1/federation/receive").respond_with_json({"accepted": True})
    url = httpserver.url_for("").rstrip("/")
    config = {"region": REGION, "assumeRoleArn": ROLE_ARN}
    token, peer_token = hub.do(PREPARE.format(password=PASSWORD, config=config, url=url))
    hub.start("web", "worker", "beat")
    jobs, sent, received = hub.stored(SyncJob), hub.stored(Dispatch), hub.stored(ReceivedDispatch)
    hub.wait(lambda: sent.filter(status="accepted").exists(), UNTAKEN)

    limit_files(hub, 0)
    hub.do(WORK.format(url=url))
    refused = [make_federation(hub, token), receive(hub, url, peer_token), sign_in(hub)]
    backup = back_up(hub, tmp_path / "hub.fedhub")

    assert [(answer.status_code, answer.headers["Retry-After"]) for answer in refused] == [(503, "5")] * 3
    assert "its disk is full" in refused[2].text
    assert httpx.get(f"{hub.url}/healthz", timeout=60).status_code == 200
    assert (backup.returncode, "The backup could not be made" in backup.stderr) == (1, True)
    assert "File too large" in backup.stderr
    assert not [path for path in tmp_path.iterdir() if "fedhub" in path.name]
    assert (hub.stored(Federation).count(), received.count(), len(httpserver.log)) == (1, 0, 1)
    assert (jobs.get().status, sent.filter(status="pending").count()) == ("pending", 1)
    assert not list(hub.folder.rglob(".*.msg"))

    limit_files(hub, resource.RLIM_INFINITY)
    assert receive(hub, url, peer_token).status_code == 200
    assert make_federation(hub, token).status_code == 201
    assert sign_in(hub).status_code == 302
    hub.wait(lambda: jobs.filter(status="success").exists(), UNTAKEN)
    hub.wait(lambda: sent.filter(status="accepted").count() == 2, UNTAKEN)
    assert (hub.stored(McpServer).count(), received.count(), len(httpserver.log)) == (1, 1, 2)
    assert httpx.get(f"{hub.url}/readyz", timeout=60).status_code == 200
