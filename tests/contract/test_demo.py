"""The demo as `make demo` starts it, with all its processes, twice with the same data."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from sandbox.client import SandboxClient
from tests.contract.demo_staff import Staff
from tests.contract.file_modes import open_paths

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 100
# A loaded machine may take this long; an idle one stops within ten seconds.
STOP_SECONDS = 40
SERVICES = ("-m sandbox --port", "granian", " worker ", " beat ")

# The start of the demo takes seconds of CPU time, so the tests share one demo and run in this order.
pytestmark = [pytest.mark.timeout(300), pytest.mark.in_order]


class Demo:
    """A demo with its own ports and its own folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hub_port, self.sandbox_port, self.partner_port = free_port(), free_port(), free_port()
        self.output = folder / "demo.out"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Start the runner without a terminal and without standard input."""
        variables = {
            "FEDHUB_VAR_DIR": str(self.folder / "var"),
            "FEDHUB_PORT": str(self.hub_port),
            "FEDHUB_SANDBOX_PORT": str(self.sandbox_port),
            "FEDHUB_PARTNER_PORT": str(self.partner_port),
            # The developer's AWS profile must not direct the demo to AWS.
            "AWS_PROFILE": "production",
        }
        foreign = ("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "FEDHUB_SERVER_URL", "SEARCH_PATH")
        environ = {name: value for name, value in os.environ.items() if name not in foreign}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sandbox.demo"],
                cwd=ROOT,
                env=environ | variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return self.process

    def start_and_wait_for_box(self) -> str:
        """Start the demo and return the box once it is printed."""
        process = self.start()
        deadline = time.monotonic() + START_SECONDS
        while "Ctrl-C" not in self.text():
            assert process.poll() is None, self.text()
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.1)
        return self.text()

    def text(self) -> str:
        """Return the output so far."""
        return self.output.read_text(encoding="utf-8")

    def commands(self) -> dict[int, str]:
        """Return the command line of every process that has this folder in its environment, by process id."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with suppress(OSError):
                if str(self.folder / "var").encode() in (entry / "environ").read_bytes():
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return {pid: command for pid, command in found.items() if command}

    def wait_until_gone(self, seconds: float) -> None:
        """Wait until no process of the demo is left."""
        deadline = time.monotonic() + seconds
        while commands := self.commands():
            assert time.monotonic() < deadline, commands
            time.sleep(0.1)

    def kill_all(self) -> None:
        """Kill the processes that still run."""
        for pid in self.commands():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    """One demo for all tests of this module; the processes that a failed test leaves are killed."""
    with tempfile.TemporaryDirectory(prefix="fedhub-demo-") as folder:
        running = Demo(Path(folder))
        yield running
        running.kill_all()


def said(box: str, label: str) -> str:
    """Return the value of `label` in the box."""
    match = re.search(rf"│ +{label} +(.*?) +│", box)
    assert match, box
    return match[1]


def manage(demo: Demo, *arguments: str, hub: str = "") -> str:
    """Run manage.py with the environment file of the hub or of its `partner`; return its output."""
    environ_file = demo.folder / "var" / hub / "demo" / "env"
    command = f". {shlex.quote(str(environ_file))} && {shlex.join([sys.executable, 'manage.py', *arguments])}"
    foreign = ("FEDHUB_VAR_DIR", "FEDHUB_SERVER_URL", "DATABASE_URL", "SEARCH_PATH")
    environ = {name: value for name, value in os.environ.items() if name not in foreign}
    environ["DJANGO_SETTINGS_MODULE"] = "fedhub.settings"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def issue_token(demo: Demo, scopes: str, *, hub: str = "") -> str:
    """Issue a token for the API of the hub or of its partner."""
    return manage(demo, "issue_token", "--user", "admin", "--scopes", scopes, hub=hub).splitlines()[-1]


def sync_in_worker(client: httpx.Client, federation_id: str) -> dict[str, object]:
    """Queue a sync and return the finished job."""
    accepted = client.post(f"federations/{federation_id}/sync", json={}, headers={"Prefer": "respond-async"})
    assert accepted.status_code == 202, accepted.text
    deadline = time.monotonic() + 60
    while True:
        job: dict[str, object] = client.get(f"federations/{federation_id}/jobs/{accepted.json()['id']}").json()
        if job["status"] in ("success", "failed"):
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.2)


def api_of(demo: Demo, scopes: str = "federations-read federations-write", *, hub: str = "") -> httpx.Client:
    """Return a client of a hub's API with a token."""
    headers = {"Authorization": f"Bearer {issue_token(demo, scopes, hub=hub)}"}
    port = demo.partner_port if hub else demo.hub_port
    return httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1/", headers=headers, timeout=60)


def dispatch(client: httpx.Client, staff: Staff, *, target: str, agent_id: str) -> str:
    """Dispatch an intent to an agent of the other hub, and return the page that staff see once it is completed."""
    asked = {
        "intent_id": "i-1",
        "intent_title": "Add up the claims: 2 and 40",
        "target_server": target,
        "agent_id": agent_id,
    }
    answer = client.post("federation/dispatch", json=asked)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "accepted"
    path = f"/admin/peers/dispatch/{answer.json()['dispatch_id']}/change/"
    deadline = time.monotonic() + 60
    while "State Completed" not in (seen := staff.see(path)):
        assert time.monotonic() < deadline, seen
        time.sleep(0.3)
    return seen


def visible_agents(url: str) -> list[str]:
    """Return the ids of the agents that a hub shows to unknown callers."""
    found = httpx.get(f"{url}/api/v1/federation/agents", timeout=20).json()["agents"]
    return [agent["agent_id"] for agent in found]


def test_demo_syncs_in_its_worker_stops_on_sigterm_and_keeps_its_data(demo: Demo) -> None:
    box = demo.start_and_wait_for_box()
    federation_id = said(box, "Federation").split()[-1]
    password = said(box, "Password")
    with api_of(demo) as client, SandboxClient(f"http://127.0.0.1:{demo.sandbox_port}") as cloud:
        job = sync_in_worker(client, federation_id)
        summary = job["summary"]
        assert isinstance(summary, dict)
        # The seeds hold an MCP server with an imperfect tool, one in CREATE_FAILED and a runtime of protocol HTTP.
        assert (summary["createdMcpServers"], summary["createdAgents"], summary["errors"]) == (5, 5, 0)
        assert job["status"] == "success"
        cloud.patch("weather_forecast_mcp")
        cloud.remove("code_review_a2a")
        summary = sync_in_worker(client, federation_id)["summary"]
        assert isinstance(summary, dict)
        assert (summary["updatedMcpServers"], summary["deletedAgents"]) == (1, 1)
    assert (demo.folder / "var" / "demo" / "password").stat().st_mode & 0o777 == 0o600
    assert open_paths(demo.folder / "var") == []
    assert demo.process is not None
    demo.process.terminate()
    assert demo.process.wait(timeout=STOP_SECONDS) == 0
    assert demo.commands() == {}

    box = demo.start_and_wait_for_box()
    assert said(box, "Password") == password
    assert said(box, "Federation").split()[-1] == federation_id
    with api_of(demo) as client:
        summary = sync_in_worker(client, federation_id)["summary"]
    assert isinstance(summary, dict)
    # The sandbox made its saved changes again, so nothing has changed.
    assert (summary["unchangedMcpServers"], summary["unchangedAgents"]) == (5, 4)
    assert (
        sum(
            summary[f"{action}{kind}"]
            for action in ("created", "updated", "deleted")
            for kind in ("McpServers", "Agents")
        )
        == 0
    )


def test_staff_of_both_hubs_approve_each_other_and_their_agents_work_for_each_other(demo: Demo) -> None:
    hub_url, partner_url = f"http://127.0.0.1:{demo.hub_port}", f"http://127.0.0.1:{demo.partner_port}"
    box = demo.text() if demo.commands() else demo.start_and_wait_for_box()
    scopes = "peers-read peers-write"
    with ExitStack() as stack:
        staff = stack.enter_context(Staff(hub_url, password=said(box, "Password")))
        password = said(box, "Partner").split()[-1]
        partner_staff = stack.enter_context(Staff(partner_url, password=password, cookies=staff.client.cookies))
        hub = stack.enter_context(api_of(demo, scopes))
        partner = stack.enter_context(api_of(demo, scopes, hub="partner"))

        # One hub is approved in the admin, the other in the shell, both with the fingerprints in the box.
        approval = f"/admin/peers/peer/{staff.id_of('peer', partner_url)}/approve/"
        assert "is approved" in staff.post(approval, fingerprint=said(box, "its key"), compared="on")
        told = manage(demo, "peer", "approve", hub_url, "--fingerprint", said(box, "our key"), hub="partner")
        assert f"{hub_url} is approved" in told

        # This agent is private until staff change its visibility.
        assert visible_agents(hub_url) == []
        agent = staff.id_of("discoveredagent", "contract-analysis-a2a")
        assert "1 agent public" in staff.confirm(f"/admin/peers/discoveredagent/{agent}/make-public/")
        assert visible_agents(hub_url) == ["contract-analysis-a2a"]

        for client, sender, target, agent_id in (
            (hub, staff, partner_url, "pharmacy-fraud-a2a"),
            (partner, partner_staff, hub_url, "contract-analysis-a2a"),
        ):
            seen = dispatch(client, sender, target=target, agent_id=agent_id)
            assert "The sum is 42." in seen
            assert "The agent works" in seen
            assert "The agent gives the artifact" in seen
            assert "signature verified" in seen
        for client in (hub, partner):
            status = client.get("federation/status").json()
            counters = ("enabled", "peer_count", "active_dispatches", "total_dispatches", "total_received")
            assert [status[name] for name in counters] == [True, 1, 0, 1, 1]


def test_busy_port_is_named_with_what_to_set_instead(demo: Demo) -> None:
    second = Demo(demo.folder)
    second.output = demo.folder / "second.out"
    second.hub_port = demo.hub_port
    second.partner_port = demo.partner_port
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            # This fails if the demo itself listens on the port, which has the same effect.
            listener.bind(("127.0.0.1", demo.hub_port))
            listener.listen()
        assert second.start().wait(timeout=60) == 1
    assert f"Port {demo.hub_port} is in use. Set FEDHUB_PORT to another: FEDHUB_PORT=" in second.text()


def test_child_that_dies_stops_the_others_and_is_named(demo: Demo) -> None:
    if not demo.commands():
        demo.start_and_wait_for_box()
    assert demo.process is not None
    sandbox = next(pid for pid, command in demo.commands().items() if "-m sandbox --port" in command)
    os.kill(sandbox, signal.SIGKILL)
    assert demo.process.wait(timeout=STOP_SECONDS) == 1
    assert "sandbox stopped (signal 9)" in demo.text()
    assert demo.commands() == {}


def test_nothing_is_left_where_the_runner_is_killed(demo: Demo) -> None:
    demo.start_and_wait_for_box()
    commands = " ".join(demo.commands().values())
    assert [service for service in SERVICES if service not in commands] == []
    assert demo.process is not None
    demo.process.kill()
    demo.process.wait()
    demo.wait_until_gone(15)
