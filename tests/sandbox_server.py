"""Starts a sandbox in a process of its own, for tests, demos and benchmarks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from sandbox.client import SandboxClient, SandboxClientError

START_SECONDS = 30.0
ROLE_ARN = "arn:aws:iam::123456789012:role/fedhub-discovery"
REGION = "us-east-1"
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(slots=True)
class RunningSandbox:
    """A sandbox that answers. `environment` leads a hub, or boto3, to it; `admin` changes it."""

    url: str
    environment: dict[str, str]
    admin: SandboxClient
    _process: subprocess.Popen[bytes] = field(repr=False)
    _output: IO[bytes] = field(repr=False)

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    def stop(self) -> None:
        """End the process and wait for it."""
        self.admin.close()
        _end(self._process)
        self._output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def start_sandbox(**options: str | int | float | bool) -> RunningSandbox:
    """Start a sandbox on a free port and return it once it answers.

    `options` are those of the command line with underscores: `runtimes=12, healthy=True, latency_ms=50,
    hub_url="http://…", mcp=500, a2a=500, tools=10, jwt_every=4`. Raises RuntimeError with the process's output where it
    ends early.
    """
    output = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
    command = [sys.executable, "-m", "sandbox", "serve", *_arguments({"port": 0, **options})]
    process = subprocess.Popen(command, cwd=_ROOT, stdout=output, stderr=subprocess.STDOUT, env=_environment())
    try:
        text = _wait_for_banner(process, output)
        environment = dict(re.findall(r"export (\w+)=(\S+)", text))
        url = environment["AWS_ENDPOINT_URL_STS"]
        admin = SandboxClient(url)
        _wait_for_health(admin)
    except BaseException:
        _end(process)
        output.close()
        raise
    return RunningSandbox(url, environment, admin, process, output)


def _arguments(options: dict[str, str | int | float | bool]) -> list[str]:
    arguments: list[str] = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            arguments.append(flag)
        elif value is not False:
            arguments += [flag, str(value)]
    return arguments


def _environment() -> dict[str, str]:
    """Return this environment without what would lead the sandbox's own libraries astray."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DJANGO_", "MOTO_"))}


def _wait_for_banner(process: subprocess.Popen[bytes], output: IO[bytes]) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        output.seek(0)
        text = output.read().decode()
        if "AWS_DEFAULT_REGION=" in text:
            return text
        if process.poll() is not None:
            raise RuntimeError(f"the sandbox ended: {text}")
        time.sleep(0.02)
    raise RuntimeError(f"no sandbox within {START_SECONDS} s")


def _wait_for_health(admin: SandboxClient) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            admin.health()
        except SandboxClientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
