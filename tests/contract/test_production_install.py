"""README's deployment in a new folder: no package of tests or sandbox is installed, and every program works."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import pytest

from federations.services.federations import create_federation
from federations.services.start import start_sync
from tests.contract.test_demo import free_port

ROOT = Path(__file__).resolve().parents[2]
# Top-level entries that a deployment does not need.
LEFT_OUT = {"sandbox", "tests", "benchmarks", "docs", ".ci", ".github"}
# Modules of each dependency group of pyproject.toml, and the folders that are left out.
MISSING = (
    "moto", "pytest", "hypothesis", "playwright", "openintent", "secantus", "schemathesis", "mypy",
    "mypy_django_plugin", "importlinter", "codespell_lib", "sandbox", "tests", "benchmarks",
)  # fmt: skip
# Present beside the lock's packages, because they install these.
INSTALLERS = {"pip", "setuptools", "uv"}
UNREACHABLE = r"(?i)name resolution|dns error|error sending request|establish a new connection|network is unreachable"
# Run in the installation; the modules are named by the imports above.
QUEUE_A_JOB = f"""
from django.utils import timezone
from core.actors import SCHEDULE
from federations.models import SyncJob
from {create_federation.__module__} import create_federation
from {start_sync.__module__} import start_sync
federation = create_federation(
    provider_type="aws_agentcore", display_name="Prod", description=None, tags=[], by=SCHEDULE,
    provider_config={{"region": "us-east-1", "assumeRoleArn": "arn:aws:iam::123456789012:role/fedhub-discovery"}},
)
start_sync(federation, by=SCHEDULE, queued=True)
SyncJob.objects.update(due_at=timezone.now())
"""
START_SECONDS = 60
STOP_SECONDS = 30
# Alone the test takes half a minute; a busy machine needs far longer to install and to start.
pytestmark = pytest.mark.timeout(400)


class Installation:
    """A folder with the product's files, an environment of its own, and production settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.database = folder / "var" / "fedhub.sqlite3"
        # Without this machine's variables: they may name a database, or hold AWS credentials.
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "FEDHUB_SERVER_URL": "https://hub.example.com",
            "ALLOWED_HOSTS": "hub.example.com",
            "FEDHUB_TRUSTED_PROXIES": "127.0.0.1",
            "SECRET_KEY": secrets.token_hex(64),
            "FEDHUB_SECRETS_KEY": secrets.token_urlsafe(32),
            "FEDHUB_ASSUMABLE_ROLES": "arn:aws:iam::*:role/fedhub-*",
            "FEDHUB_SWEEP_SECONDS": "1",
            "FEDHUB_WORKER_PROCESSES": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def run(self, *command: str) -> str:
        """Run a command in the folder; return what it prints."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{shlex.join(command)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, name: str, command: str) -> Iterator[None]:
        """Run a server; fail if it ends early or does not end at SIGTERM."""
        log = self.log(name)
        with log.open("wb") as output:
            process = subprocess.Popen(
                shlex.split(command),
                cwd=self.folder, env=self.environ, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        try:
            yield
            assert process.poll() is None, log.read_text()
            process.terminate()
            process.wait(STOP_SECONDS)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def log(self, name: str) -> Path:
        """Return the log file of the program `name`."""
        return self.folder / f"{name}.log"

    def get(self, path: str) -> httpx.Response | None:
        """Ask the web server as its TLS proxy does; None while it does not answer."""
        forwarded = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"}
        headers = {"Host": "hub.example.com"} | forwarded
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, trust_env=False, timeout=20)
        except httpx.TransportError:
            return None

    def job(self) -> tuple[str, str]:
        """Return status and error of the one job."""
        with closing(sqlite3.connect(self.database)) as connection:
            found: tuple[str, str] = connection.execute("SELECT status, error FROM federations_syncjob").fetchone()
        return found


def copy_product(folder: Path) -> None:
    """Copy the files that git tracks or would add, except those that a deployment does not need."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0"):
        path = Path(name)
        if name and path.parts[0] not in LEFT_OUT and (ROOT / path).is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, folder / path)


def install(folder: Path) -> None:
    """Run `make install-production`. Without a package registry skip the test, or fail it in CI."""
    foreign = ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "VENV", "VIRTUAL_ENV", "PYTHONPATH")
    environ = {name: value for name, value in os.environ.items() if name not in foreign}
    done = subprocess.run(
        ["make", "install-production", f"PYTHON={sys.executable}"],
        cwd=folder, env=environ, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    if done.returncode and re.search(UNREACHABLE, done.stderr) and os.environ.get("FEDHUB_REQUIRE_INSTALL") != "1":
        pytest.skip(f"No package registry: the production install was NOT tested.\n{done.stderr[-500:]}")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    folder = tmp_path_factory.mktemp("production")
    copy_product(folder)
    install(folder)
    return Installation(folder)


def deployment() -> tuple[list[str], dict[str, str]]:
    """Return the commands of README's deployment that end by themselves, and its three servers by name."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"(?ms)^```\nmake install-production.*?^```", readme)
    assert block, "README has no block that begins with make install-production"
    commands = [line.split("#")[0].strip() for line in block[0].splitlines() if line.startswith(".venv/bin/")]
    servers = {"granian": "web", "celery -A fedhub worker": "worker", "celery -A fedhub beat": "beat"}
    programs = {
        name: command
        for command in commands
        for start, name in servers.items()
        if command.startswith(f".venv/bin/{start}")
    }
    assert len(programs) == len(servers)
    return [command for command in commands if command not in programs.values()], programs


def wait_for(probe: Callable[[], bool], installation: Installation) -> None:
    """Wait until `probe` returns true; fail with the ends of all logs."""
    deadline = time.monotonic() + START_SECONDS
    while not probe():
        logs = "\n".join(f"{path.name}:\n{path.read_text()[-2000:]}" for path in installation.folder.glob("*.log"))
        assert time.monotonic() < deadline, f"nothing within {START_SECONDS} s\n{logs}"
        time.sleep(0.2)


def test_no_package_of_tests_types_or_sandbox_is_installed(installation: Installation) -> None:
    script = (
        "import importlib.metadata as m, importlib.util as u, sys\n"
        "print(*(d.name.lower().replace('_', '-').replace('.', '-') for d in m.distributions()))\n"
        "print(*(name for name in sys.argv[1:] if u.find_spec(name)))"
    )
    installed, importable = installation.run(".venv/bin/python", "-c", script, *MISSING).splitlines()
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert set(installed.split()) - INSTALLERS == {line.partition("==")[0] for line in lock.split()}
    assert importable == ""


def test_web_worker_and_beat_work_with_production_settings(installation: Installation) -> None:
    steps, programs = deployment()
    for step in steps:
        installation.run(*shlex.split(step))
    installation.run(".venv/bin/python", "manage.py", "check", "--deploy", "--fail-level", "ERROR")
    installation.run(".venv/bin/python", "manage.py", "shell", "-c", QUEUE_A_JOB)
    # The job's message is lost: the beat's sweep alone tells the worker of the job.
    shutil.rmtree(installation.folder / "var" / "broker")
    programs["web"] += f" --host 127.0.0.1 --port {installation.port}"
    with ExitStack() as stack:
        for name, command in programs.items():
            stack.enter_context(installation.running(name, command))
        wait_for(
            lambda: (answer := installation.get("/readyz")) is not None and answer.status_code == 200, installation
        )
        page = installation.get("/admin/login/")
        assert page is not None
        assert page.status_code == 200
        stylesheet = re.search(r'href="(/static/[^"]+\.css[^"]*)"', page.text)
        assert stylesheet
        style = installation.get(stylesheet[1])
        assert style is not None
        assert style.status_code == 200
        wait_for(lambda: installation.job()[0] == "failed", installation)
    # Without AWS credentials the sync cannot succeed; it got as far as asking for them.
    assert "credentials" in installation.job()[1].lower()
