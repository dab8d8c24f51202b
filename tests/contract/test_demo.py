"""The demo as people start it: `python -m fedhub.demo`, with all its processes, twice over the same data."""

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
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from fedhub.sandbox.client import SandboxClient

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 100
STOP_SECONDS = 10
SERVICES = ("fedhub.sandbox", "granian", " worker ", " beat ")

# Starting the demo takes seconds of processor time, so the tests share one folder and go through its life in order.
pytestmark = pytest.mark.timeout(300)


class Demo:
    """The demo on ports and in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hub_port, self.sandbox_port = free_port(), free_port()
        self.output = folder / "demo.out"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Start the runner without a terminal and without standard input."""
        variables = {
            "FEDHUB_VAR_DIR": str(self.folder / "var"),
            "FEDHUB_PORT": str(self.hub_port),
            "FEDHUB_SANDBOX_PORT": str(self.sandbox_port),
            # Another account's settings must not lead the demo out of this machine.
            "AWS_PROFILE": "production",
        }
        foreign = ("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "FEDHUB_SERVER_URL", "SEARCH_PATH")
        environ = {name: value for name, value in os.environ.items() if name not in foreign}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fedhub.demo"],
                cwd=ROOT,
                env=environ | variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return self.process

    def start_and_wait_for_box(self) -> str:
        """Start it and return the box once it is printed."""
        process = self.start()
        deadline = time.monotonic() + START_SECONDS
        while "Ctrl-C" not in self.text():
            assert process.poll() is None, self.text()
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.1)
        return self.text()

    def text(self) -> str:
        """Return what it has printed."""
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
        """Kill whatever is left of it."""
        for pid in self.commands():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    """One demo for all tests here; whatever a failed test leaves of it is killed."""
    with tempfile.TemporaryDirectory(prefix="fedhub-demo-") as folder:
        running = Demo(Path(folder))
        yield running
        running.kill_all()


def said(box: str, label: str) -> str:
    """Return what the box says beside `label`."""
    match = re.search(rf"│ +{label} +(.*?) +│", box)
    assert match, box
    return match[1]


def issue_token(demo: Demo) -> str:
    """Issue a token as the box tells: with the environment file and manage.py."""
    environ_file = demo.folder / "var" / "demo" / "env"
    command = (
        f". {shlex.quote(str(environ_file))} && "
        f"{sys.executable} manage.py issue_token --user admin --scopes 'federations-read federations-write'"
    )
    environ = os.environ | {"FEDHUB_VAR_DIR": str(demo.folder / "var"), "DJANGO_SETTINGS_MODULE": "fedhub.settings"}
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


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


def api_of(demo: Demo) -> httpx.Client:
    """Return a client of the demo's API with a token."""
    headers = {"Authorization": f"Bearer {issue_token(demo)}"}
    return httpx.Client(base_url=f"http://127.0.0.1:{demo.hub_port}/api/v1/", headers=headers, timeout=60)


def test_demo_syncs_in_its_worker_stops_on_sigterm_and_keeps_its_data(demo: Demo) -> None:
    box = demo.start_and_wait_for_box()
    federation_id = said(box, "Federation").split()[-1]
    password = said(box, "Password")
    with api_of(demo) as client, SandboxClient(f"http://127.0.0.1:{demo.sandbox_port}") as cloud:
        summary = sync_in_worker(client, federation_id)["summary"]
        assert isinstance(summary, dict)
        # The seeds hold one broken MCP server and one runtime that speaks neither protocol.
        assert (summary["createdMcpServers"], summary["createdAgents"], summary["errors"]) == (5, 5, 1)
        cloud.patch("weather_forecast_mcp")
        cloud.remove("code_review_a2a")
        summary = sync_in_worker(client, federation_id)["summary"]
        assert isinstance(summary, dict)
        assert (summary["updatedMcpServers"], summary["deletedAgents"]) == (1, 1)
    assert (demo.folder / "var" / "demo" / "password").stat().st_mode & 0o777 == 0o600
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
    # The sandbox came back as it was left, or these would be undone.
    assert (summary["unchangedMcpServers"], summary["unchangedAgents"]) == (5, 4)
    assert (
        sum(
            summary[f"{action}{kind}"]
            for action in ("created", "updated", "deleted")
            for kind in ("McpServers", "Agents")
        )
        == 0
    )


def test_busy_port_is_named_with_what_to_set_instead(demo: Demo) -> None:
    second = Demo(demo.folder)
    second.output = demo.folder / "second.out"
    second.hub_port = demo.hub_port
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            # Fails where the demo itself holds the port, which will do as well.
            listener.bind(("127.0.0.1", demo.hub_port))
            listener.listen()
        assert second.start().wait(timeout=60) == 1
    assert f"Port {demo.hub_port} is in use. Set FEDHUB_PORT to another: FEDHUB_PORT=" in second.text()


def test_child_that_dies_stops_the_others_and_is_named(demo: Demo) -> None:
    if not demo.commands():
        demo.start_and_wait_for_box()
    assert demo.process is not None
    sandbox = next(pid for pid, command in demo.commands().items() if "fedhub.sandbox" in command)
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
