"""A throw-away MongoDB server: SecantusDB, which speaks MongoDB's protocol and has transactions."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from pymongo import monitoring

from tests.stores.servers import MissingServerError, Server

START_SECONDS = 30
SOCKET_SECONDS = 40
# mongod's transactionLifetimeLimitSeconds, shorter: how long a killed process's transaction keeps others out. mongod
# looks for such by itself; SecantusDB 0.7 only when another transaction goes on, so a plain write would wait for ever.
LIFETIME_SECONDS = 5
_WRITES = {"insert", "update", "findAndModify"}
# Two faults of SecantusDB 0.7 are mended here. It looks at each of the last 10,000 replies before each write, which
# makes a long run five times slower; a client repeats a write at once, so the last 100 replies are enough. And its
# search for forgotten transactions waits for one that is busy, while this one may wait for a write that waits for a
# forgotten one.
# The program prints its address once it listens, and goes away with whoever started it: their end of the pipe closes.
PROGRAM = """
import sys, threading
from secantus import SecantusDBServer, transactions
from secantus.transactions import TransactionRegistry, TxnState
transactions._RETRYABLE_RECORD_MAX = 100
def end_idle(registry):
    cutoff, ended = registry._time() - registry._lifetime, 0
    for each in registry._txns.values():
        if each.last_use < cutoff and each.mutex.acquire(blocking=False):
            try:
                if each.state is TxnState.IN_PROGRESS:
                    registry._rollback_quietly(each)
                    each.state = TxnState.ABORTED
                    ended += 1
            finally:
                each.mutex.release()
    return ended
TransactionRegistry._prune_locked = end_idle
server = SecantusDBServer(
    storage_path=sys.argv[1], cache_size="256M", oplog_max_entries=1000, transaction_lifetime_seconds=LIFETIME_SECONDS
)
server.start()
print(server.uri, flush=True)
def end_forgotten_transactions(is_over=threading.Event()):
    while not is_over.wait(1):
        server.transactions.prune_expired()
threading.Thread(target=end_forgotten_transactions, daemon=True).start()
sys.stdin.read()
server.stop()
""".replace("LIFETIME_SECONDS", str(LIFETIME_SECONDS))


class WrittenCollections(monitoring.CommandListener):
    """Remembers into which collections this process writes, in all threads."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def take(self) -> set[str]:
        """Return the names of the collections with writes since the last call."""
        taken, self._names = self._names, set()
        return taken

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Remember the collection of a command that adds or changes documents."""
        if event.command_name in _WRITES:
            self._names.add(str(event.command[event.command_name]))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Do nothing."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Do nothing."""


WRITTEN = WrittenCollections()


def start() -> Server:
    """Start a server with nothing in it; raises MissingServerError where SecantusDB is not installed."""
    if importlib.util.find_spec("secantus") is None:
        raise MissingServerError("No SecantusDB found. Install the development dependencies: make install")
    folder = Path(tempfile.mkdtemp(prefix="fedhub-mongodb-"))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, folder / "data"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # Ctrl-C is for the tests: they still need the server to clean up.
            start_new_session=True,
        )
    assert process.stdout is not None
    uri = process.stdout.readline().strip()
    if not uri:
        log_end = (folder / "log").read_text(encoding="utf-8", errors="replace")[-2000:]
        _stop(process, folder)
        raise RuntimeError(f"SecantusDB did not start; its log ends:\n{log_end}")
    # A server that no longer answers fails its tests, and does not hold them for ever.
    return Server(f"{uri}fedhub?socketTimeoutMS={SOCKET_SECONDS * 1000}", partial(_stop, process, folder))


def _stop(process: subprocess.Popen[str], folder: Path) -> None:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    try:
        process.wait(timeout=START_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
    shutil.rmtree(folder, ignore_errors=True)
