"""Every block of README.md runs as it stands; only ports, keys and paths are those of the test's own demo."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from nacl.signing import SigningKey

from tests.contract.test_demo import ROOT, Demo, free_port

BLOCKS = re.findall(r"(?ms)^```\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"))
STOPS_AFTER_SECONDS = 20


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    """One running demo whose folder looks like a clone of the project."""
    with tempfile.TemporaryDirectory(prefix="fedhub-readme-") as name:
        folder = Path(name)
        for path in ROOT.iterdir():
            if path.name != "var":
                (folder / path.name).symlink_to(path)
        running = Demo(folder)
        running.start_and_wait_for_box()
        yield running
        running.kill_all()


def run(demo: Demo, block: str) -> str:
    """Run a block in the demo's folder with the demo's ports; return its output."""
    block = block.replace("127.0.0.1:8000", f"127.0.0.1:{demo.hub_port}")
    block = block.replace("127.0.0.1:8001", f"127.0.0.1:{demo.partner_port}")
    environ = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "VIRTUAL_ENV")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=demo.folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fingerprint(demo: Demo, hub: str, of: str) -> str:
    """Return the fingerprint under which a hub of the demo knows another one."""
    shown = run(demo, f". {hub}/demo/env; COLUMNS=200 .venv/bin/python manage.py peer show {of}")
    match = re.search(r"(?:[0-9a-f]{4} ){15}[0-9a-f]{4}", shown)
    assert match, shown
    return match[0]


def test_there_are_five_blocks() -> None:
    assert [block.split(maxsplit=1)[0] for block in BLOCKS] == ["make", ".", "here()", ".venv/bin/python", "make"]


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    targets = re.findall(r"(?m)^make (\S+)", BLOCKS[0])
    assert targets == ["demo", "test"]
    done = subprocess.run(["make", "-n", *targets], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_block_of_the_api_runs_as_it_stands(demo: Demo) -> None:
    output = run(demo, BLOCKS[1])
    jobs = json.loads(output.strip().splitlines()[-1])["jobs"]
    counters = jobs[0]["summary"]
    assert counters["updatedMcpServers"] + counters["updatedAgents"] == 1
    assert counters["deletedMcpServers"] + counters["deletedAgents"] == 1


def test_the_block_of_peers_runs_as_it_stands(demo: Demo) -> None:
    here, there = f"http://127.0.0.1:{demo.hub_port}", f"http://127.0.0.1:{demo.partner_port}"
    block = BLOCKS[2].replace("ITS KEY", fingerprint(demo, "var", there))
    output = run(demo, block.replace("OUR KEY", fingerprint(demo, "var/partner", here)))
    assert '"message":"Dispatch initiated"' in output.replace(": ", ":")
    assert '"enabled"' in output


def test_the_block_of_a_hub_elsewhere_runs_as_it_stands(demo: Demo) -> None:
    key = base64.b64encode(bytes(SigningKey.generate().verify_key)).decode()
    output = run(demo, ". var/demo/env\n" + BLOCKS[3].replace("ITS KEY IN BASE64", key))
    assert "https://hub.example.com is approved" in output
    assert re.search(r"(?m)^fedhub_peer_", output)
    assert "https://hub.example.com is suspended" in output


def test_the_block_of_the_deployment_runs_as_it_stands(tmp_path: Path) -> None:
    """All but the install: `test_production_install` does that."""
    port = free_port()
    for name in ("secret_key", "secrets_key"):
        (tmp_path / name).write_text("k9" * 32)
    lines = BLOCKS[4].replace("/run/secrets", str(tmp_path)).splitlines()
    assert lines.pop(0).startswith("make install-production")
    prepare = [line for line in lines if "granian" not in line and "celery" not in line]
    servers = [line.split("#")[0].strip() for line in lines if line not in prepare]
    assert len(servers) == 3
    servers[0] += f" --host 127.0.0.1 --port {port}"
    environ = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    environ |= {"FEDHUB_VAR_DIR": str(tmp_path / "var")}
    script = "\n".join([*prepare, *(f"{server} & echo started $!" for server in servers), "wait"])
    with (tmp_path / "out").open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-euc", f"trap 'kill $(jobs -p)' TERM\n{script}"],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        assert is_healthy(port, process), (tmp_path / "out").read_text()
    finally:
        process.terminate()
        process.wait(timeout=STOPS_AFTER_SECONDS)


def is_healthy(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Tell whether the hub answers its health check within a minute, before its process ends."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/healthz", headers={"Host": "hub.example.com"}, timeout=5)
        except httpx.TransportError:
            time.sleep(0.2)
            continue
        if answer.status_code == 200:
            return True
        time.sleep(0.2)
    return False
