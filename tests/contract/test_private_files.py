"""Only the hub's own user can open the files of its processes, with any umask and in a folder that is there already."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import pytest

from sandbox.loopback_port import listen
from tests.contract.file_modes import open_paths

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = ("DATABASE_URL", "MONGODB_URI", "CELERY_BROKER_URL", "FEDHUB_SERVER_URL", "SEARCH_PATH", "FEDHUB_KEY_PATH")
SENDS_A_TASK = "from fedhub.celery import app; app.send_task('federations.sweep')"
SEARCHES = "from federations.services.index import update_index; update_index('')"
MAKES_KEYS = (
    "from django.conf import settings; from core.oidc.signing_key import load_or_create;"
    "from peers.services.trust.identity import hub_identity;"
    "load_or_create(settings.FEDHUB_OIDC_KEY_PATH); hub_identity()"
)

pytestmark = pytest.mark.timeout(120)


def environment(folder: Path, **variables: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return own | {"DJANGO_SETTINGS_MODULE": "fedhub.settings", "FEDHUB_VAR_DIR": str(folder)} | variables


def run(arguments: Sequence[str], variables: Mapping[str, str]) -> None:
    subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=dict(variables),
        umask=0o022,
        check=True,
        capture_output=True,
        timeout=60,
    )


@pytest.fixture(params=["new", "found"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder that does not exist, or that another program has made with what an old hub left in it."""
    path = tmp_path / "var"
    if request.param == "found":
        (path / "broker" / "queue").mkdir(parents=True)
        (path / "log").mkdir()
        (path / "static").mkdir()
        for name in ("fedhub.sqlite3", "hub.pid", "log/web.log", "static/app.css"):
            (path / name).touch()
            (path / name).chmod(0o644)
        for made in (path, path / "broker", path / "broker" / "queue", path / "log", path / "static"):
            made.chmod(0o755)
    return path


@pytest.mark.parametrize("folder", ["found"], indirect=True)
def test_the_commands_and_the_web_process_make_private_files(folder: Path) -> None:
    variables = environment(folder)
    for arguments in (["migrate", "--verbosity=0"], ["collectstatic", "--no-input", "--verbosity=0"]):
        run(["manage.py", *arguments], variables)
    assert (folder / "static" / "fedhub" / "admin.css.gz").exists()
    for code in (SENDS_A_TASK, SEARCHES, MAKES_KEYS):
        run(["manage.py", "shell", "-c", code], variables)
    port = free_port()
    web = subprocess.Popen(
        [sys.executable, "-m", "granian", "--interface", "asgi", "--port", str(port), "fedhub.asgi:application"],
        cwd=ROOT,
        env=variables | {"FEDHUB_SERVER_URL": f"http://127.0.0.1:{port}"},
        umask=0o022,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/healthz")
        # The health check opens no database; this does.
        httpx.get(f"http://127.0.0.1:{port}/api/v1/federation/agents", timeout=20)
        names = {path.name for path in folder.iterdir()}
        assert {"fedhub.sqlite3", "fedhub.sqlite3-wal", "search.sqlite3", "hub_key", "oidc_key.pem", "static"} <= names
        assert list((folder / "broker" / "queue").rglob("*.msg"))
        assert open_paths(folder) == []
    finally:
        web.terminate()
        web.wait()


@pytest.mark.parametrize("folder", ["new"], indirect=True)
def test_a_worker_and_a_beat_make_private_files(folder: Path) -> None:
    variables = environment(folder)
    run(["manage.py", "migrate", "--verbosity=0"], variables)
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "fedhub", "worker", "--beat", "-c", "1", "--without-gossip",
         "--without-mingle", "--without-heartbeat", "--pidfile", str(folder / "worker.pid")],
        cwd=ROOT, env=variables | {"FEDHUB_SWEEP_SECONDS": "1"}, umask=0o022,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not (folder / "broker" / "taken").exists() or not (folder / "worker.pid").exists():
            assert time.monotonic() < deadline and worker.poll() is None
            time.sleep(0.1)
        assert open_paths(folder) == []
    finally:
        worker.terminate()
        worker.wait()


@pytest.mark.parametrize("folder", ["found"], indirect=True)
def test_another_user_reads_neither_a_session_nor_a_key(folder: Path, tmp_path: Path) -> None:
    setpriv = shutil.which("setpriv")
    if os.geteuid() or not setpriv:
        pytest.skip("Only root can become another user.")
    variables = environment(folder)
    run(["manage.py", "migrate", "--verbosity=0"], variables)
    for parent in (tmp_path, *tmp_path.parents):
        # The folders of pytest are private themselves, which would hide an open file.
        if parent.stat().st_uid == 0 and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    for name in ("fedhub.sqlite3", "secret_key", "."):
        reads = ["ls" if name == "." else "cat", str(folder / name)]
        command = [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", *reads]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode != 0 and b"Permission denied" in done.stderr
        assert done.stdout == b""


def test_files_elsewhere_are_private_and_their_folder_is_left_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o755)
    paths = {
        "DATABASE_URL": elsewhere / "hub.sqlite3",
        "SEARCH_PATH": elsewhere / "index.sqlite3",
        "FEDHUB_KEY_PATH": elsewhere / "hub_key",
        "FEDHUB_OIDC_KEY_PATH": elsewhere / "oidc_key.pem",
    }
    old, foreign = paths["DATABASE_URL"], elsewhere / "another program's"
    for path in (old, foreign):
        path.touch()
        path.chmod(0o644)
    named = {name: str(path) for name, path in paths.items()} | {"DATABASE_URL": f"sqlite:///{old}"}
    variables = environment(tmp_path / "var", **named)
    run(["manage.py", "migrate", "--verbosity=0"], variables)
    for code in (SEARCHES, MAKES_KEYS):
        run(["manage.py", "shell", "-c", code], variables)
    assert all(path.exists() for path in paths.values())
    assert open_paths(elsewhere) == ["-rw-r--r-- another program's", "drwxr-xr-x ."]
    assert open_paths(tmp_path / "var") == []


def free_port() -> int:
    with listen(0) as listener:
        return int(listener.getsockname()[1])


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            if httpx.get(url, timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.2)
