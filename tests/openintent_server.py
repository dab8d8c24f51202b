"""The OpenIntent server of PyPI, unmodified, in a process of its own, with the endpoint for callbacks that it leaves to
the application.

It takes no loopback name nor 127.0.0.1 as a target, so whoever is to be reached by it listens on another address of
127.0.0.0/8.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
from openintent.federation.security import ServerIdentity

START_SECONDS = 30.0
API_KEY = "key-of-the-openintent-server"
CALLBACK_PATH = "/callbacks"
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(slots=True)
class OpenIntentProcess:
    """A server that answers once the block is entered; `peers` are the URLs it trusts, `folder` holds its files."""

    url: str
    peers: Sequence[str]
    folder: Path
    identity: Any = field(init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.identity = ServerIdentity.generate(self.url)
        self.identity.save_key(str(self.folder / "key"))
        (self.folder / "peers.json").write_text(json.dumps(list(self.peers)), encoding="utf-8")
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.openintent_server", self.url, str(self.folder)],
                cwd=_ROOT,
                env={name: value for name, value in os.environ.items() if not name.startswith("OPENINTENT_")},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait(self._process)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid if self._process else 0

    @property
    def log(self) -> Path:
        """Return the file that the process writes to."""
        return self.folder / "openintent.log"

    @property
    def callbacks(self) -> list[dict[str, Any]]:
        """Return the bodies that came to the callback URL, in their order."""
        path = self.folder / "callbacks.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def status(self) -> dict[str, Any]:
        """Return what it says about its federation."""
        answer = httpx.get(f"{self.url}/api/v1/federation/status", headers={"X-API-Key": API_KEY})
        return dict(answer.raise_for_status().json())

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.status()
            except httpx.HTTPError as exc:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"no OpenIntent server: {self.log.read_text(encoding='utf-8')}") from exc
                time.sleep(0.05)
            else:
                return


def serve(url: str, folder: Path) -> None:
    """Run the server with federation configured as its documentation says."""
    import uvicorn
    from fastapi import Request
    from openintent.server import OpenIntentServer
    from openintent.server.federation import configure_federation

    place = urlsplit(url)
    host, port = place.hostname or "", place.port or 0
    server = OpenIntentServer(
        host=host, port=port, database_url=f"sqlite:///{folder / 'openintent.db'}", api_keys={API_KEY}
    )
    configure_federation(
        url,
        peers=json.loads((folder / "peers.json").read_text(encoding="utf-8")),
        identity=ServerIdentity.from_key_file(url, str(folder / "key")),
    )

    async def keep(request: Request) -> Mapping[str, bool]:
        with (folder / "callbacks.jsonl").open("ab") as file:
            file.write(await request.body() + b"\n")
        return {"ok": True}

    # Where annotations are strings, the framework looks their names up in the module.
    keep.__annotations__ = {"request": Request}
    server.app.post(CALLBACK_PATH)(keep)
    # As its own run(), but without a line for each request.
    uvicorn.run(server.app, host=host, port=port, log_level="warning")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    serve(arguments.url, arguments.folder)
