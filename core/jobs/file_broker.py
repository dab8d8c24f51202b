"""A message broker of files in one folder, for a hub on one machine.

It differs from kombu's transport of the same kind in six ways:
- A message appears by a rename and is taken by a rename: a reader never sees a part of a message, and two workers
  never take the same message.
- There is no file with an exchange table, and missing folders are made again: all files may be deleted at any time.
- A file that does not hold a message is removed with a warning and does not stop the worker.
- Each queue has a folder, and a channel lists it once and takes the listed messages before it lists it again: a take
  costs the same with ten messages waiting and with 20,000, and messages of other queues cost nothing.
- A worker takes the next message when one of its processes is free, and not at the next polling interval.
- A worker runs Celery's event loop, as with Redis or RabbitMQ, so each of its processes has pipes of its own. Without
  the loop all processes read one pipe under one lock, and a process that is killed while it waits keeps that lock: the
  worker then stands still.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any
from uuid import uuid4

from kombu.transport import filesystem
from kombu.utils.json import dumps, loads

from core.private_files import create_private_file, make_private_folder

LOOK_SECONDS = 0.02
"""How long a worker waits before it looks for messages again."""
MAX_MISSES = 50
"""After so many listed messages in a row that other workers have taken, the channel lists the folder again."""

logger = logging.getLogger(__name__)


class Channel(filesystem.Channel):
    """A channel whose messages are files `<queue>/<nanoseconds>_<random>.<queue>.msg`; the oldest is taken first."""

    def _queue_bind(self, exchange: str, routing_key: str | None, pattern: str | None, queue: str | None) -> None:
        """Do nothing: `_lookup` does not need a table."""

    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> list[str]:
        """Return the queue that the routing key of a direct exchange names; another exchange has no queue."""
        return [routing_key] if not exchange or self.typeof(exchange).type == "direct" else []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._listed: dict[str, deque[str]] = {}

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]  # its base classes disagree
        folder = Path(self.data_folder_out) / queue
        make_private_folder(folder)
        name = f"{time.time_ns():020d}_{uuid4().hex}.{queue}.msg"
        draft = folder / f".{name}"
        try:
            with open(draft, "w", encoding="utf-8", opener=create_private_file) as file:
                file.write(dumps(payload))
            draft.rename(folder / name)
        except OSError:
            # A full disk takes the name of a file and not its content.
            draft.unlink(missing_ok=True)
            raise

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        taken_folder = Path(self.processed_folder)
        make_private_folder(taken_folder)
        missed = 0
        while True:
            name = self._next_name(queue)
            taken = taken_folder / name
            try:
                (self._folder(queue) / name).rename(taken)
                text = taken.read_text(encoding="utf-8")
                taken.unlink()
            except FileNotFoundError:
                missed += 1  # another worker was first
                if missed % MAX_MISSES == 0:
                    self._listed.pop(queue, None)
                continue
            try:
                return loads(text)
            except ValueError:
                logger.warning("Removed %s, which does not hold a message.", name)

    def _next_name(self, queue: str) -> str:
        """Return the oldest listed message, after a new listing if none is left; raise Empty if that finds none."""
        listed = self._listed.get(queue)
        if not listed:
            listed = self._listed[queue] = deque(sorted(self._names(queue)))
        if not listed:
            raise Empty
        return listed.popleft()

    def _size(self, queue: str) -> int:
        return len(self._names(queue))

    def _purge(self, queue: str) -> int:
        names = self._names(queue)
        for name in names:
            (self._folder(queue) / name).unlink(missing_ok=True)
        return len(names)

    def _folder(self, queue: str) -> Path:
        return Path(self.data_folder_in) / queue

    def _names(self, queue: str) -> list[str]:
        """Return the names of the whole messages of a queue, in any order."""
        try:
            with os.scandir(self._folder(queue)) as entries:
                return [entry.name for entry in entries if entry.name.endswith(".msg") and entry.name[0] != "."]
        except FileNotFoundError:
            return []


class Transport(filesystem.Transport):
    """Kombu's file transport with the channel of this module, for Celery's event loop."""

    Channel = Channel
    implements = filesystem.Transport.implements.extend(asynchronous=True)

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Let the loop deliver waiting messages each LOOK_SECONDS."""
        loop.call_repeatedly(LOOK_SECONDS, self._deliver_waiting)

    def _deliver_waiting(self) -> None:
        """Deliver messages until none waits, or until the processes of the worker are busy."""
        with suppress(Empty):
            while self.cycle:
                self.cycle.get(self._deliver)
