"""A message broker made of files in one folder, for a hub on one machine.

Kombu has such a transport. This one differs where kombu's does not withstand what happens to folders:
- a message appears and is taken by rename, so no reader sees half of one and no two workers take the same one;
- no exchange table is kept in a file, and folders are made again when they are gone: all may be deleted at any time;
- a file that holds no message is put aside and logged, and does not stop the worker.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from queue import Empty
from typing import Any
from uuid import uuid4

from kombu.transport import filesystem
from kombu.utils.json import dumps, loads

LONGEST_WAIT_SECONDS = 0.5

logger = logging.getLogger(__name__)


class Channel(filesystem.Channel):
    """Messages as files `<nanoseconds>_<random>.<queue>.msg`, oldest first."""

    def _queue_bind(self, exchange: str, routing_key: str | None, pattern: str | None, queue: str | None) -> None:
        """Keep no table: `_lookup` needs none."""

    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> list[str]:
        """Return the queue that a direct exchange's routing key names; nobody listens to any other exchange."""
        return [routing_key] if not exchange or self.typeof(exchange).type == "direct" else []

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]  # its bases disagree
        folder = Path(self.data_folder_out)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{time.time_ns():020d}_{uuid4().hex}.{queue}.msg"
        draft = folder / f".{name}"
        draft.write_text(dumps(payload), encoding="utf-8")
        draft.rename(folder / name)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        taken_folder = Path(self.processed_folder)
        taken_folder.mkdir(parents=True, exist_ok=True)
        for path in self._messages(queue):
            taken = taken_folder / path.name
            try:
                path.rename(taken)
                text = taken.read_text(encoding="utf-8")
                taken.unlink()
            except FileNotFoundError:
                continue  # another worker was first
            try:
                return loads(text)
            except ValueError:
                logger.warning("Left out %s, which holds no message.", path.name)
        raise Empty

    def _size(self, queue: str) -> int:
        return len(self._messages(queue))

    def _messages(self, queue: str) -> list[Path]:
        return sorted(Path(self.data_folder_in).glob(f"[!.]*.{queue}.msg"))


class Transport(filesystem.Transport):
    """Kombu's file transport with the channel above."""

    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:  # type: ignore[override]
        """Deliver a message, or raise TimeoutError after half a second at most; Celery asks again at once.

        Only in between does it look whether it was told to stop, and it would wait for two seconds.
        """
        super().drain_events(connection, timeout=None if timeout is None else min(timeout, LONGEST_WAIT_SECONDS))
