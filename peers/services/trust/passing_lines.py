"""Journal lines about messages that change nothing: refused messages, and copies that got the stored answer again.

Theory of operation
-------------------
A sender may send such messages without end, and some need no proof. So their lines are bounded, and no request waits
for them. A request only puts its line into the memory of its process, under a mutex for a few instructions; a thread of
the process reads the messages and writes the lines of all requests together, every second. The sealer then seals them
like all lines.

The bound holds for windows of a minute, in each process. A source (a proven peer, or an address) has
FEDHUB_REFUSAL_LINES lines for each reason, and all sources together have ALL_LINES times that. Each further message is
counted, and the end of the window writes one line with the number for each source and reason. Beyond MOST_SOURCES
sources and reasons in one window, further ones share one number for each reason. So no message is left out of the
numbers, and a flood costs a fixed number of lines.

A process that is killed loses the lines of its last second and the numbers of its last minute. The messages of those
lines have changed nothing, and their senders have lines of their own.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connections

from peers.models import Dispatch, JournalEntry, JournalKind, Peer
from peers.services.trust.journal import new_line

WINDOW_SECONDS = 60.0
STORE_SECONDS = 1.0
ALL_LINES = 5
MOST_SOURCES = 20
MOST_WAITING = 500
COPY = "copy"
NOT_PROVED = "the sender is not proved"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a line is written, and about whose message: the lines of one cause are bounded together.

    `reason` is the class of the refusal, or COPY. `source` is the URL of a proven peer, else the network address; it is
    "" in the number of all further sources.
    """

    kind: JournalKind
    reason: str
    source: str
    is_proven: bool


@dataclass(frozen=True, slots=True)
class About:
    """What is known of one message. The `claimed_url` of a message without a proof is what the message says.

    `agent_id` is the agent that it wanted, "" where no agent was looked for.
    """

    dispatch_id: str = ""
    agent_id: str = ""
    digest: str = ""
    claimed_url: str = ""


@dataclass(slots=True)
class Window:
    """What may be written within one window, and what is counted; `now` is monotonic, in seconds."""

    limit: int
    started: float = 0.0
    singles: int = 0
    taken: dict[Cause, int] = field(default_factory=dict)
    counted: dict[Cause, int] = field(default_factory=dict)

    def take(self, cause: Cause) -> bool:
        """Tell whether one more message of this cause gets a line of its own; count it if not."""
        if cause not in self.taken and len(self.taken) >= MOST_SOURCES:
            cause = replace(cause, source="", is_proven=False)
        elif self.taken.setdefault(cause, 0) < self.limit and self.singles < ALL_LINES * self.limit:
            self.taken[cause] += 1
            self.singles += 1
            return True
        self.counted[cause] = self.counted.get(cause, 0) + 1
        return False


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that waits; `describe` is called when it is written, because it reads a message that proves nothing."""

    entry: JournalEntry
    is_proven: bool = True
    describe: Callable[[], About] = About


_lock = threading.Lock()
_window = Window(limit=0)
_waiting: list[_Line] = []
_is_kept = False
_thread_of = 0


def keep_lines() -> None:
    """Let this process and those that it forks write their lines every second, once there are any."""
    global _is_kept
    _is_kept = True


def see_copy(peer: Peer, dispatch_id: str, digest: str) -> None:
    """Let the journal tell that a proven peer sent a stored message again, and got the stored answer."""
    see(Cause(JournalKind.COPY, COPY, peer.server_url, is_proven=True), lambda: About(dispatch_id, digest=digest))


def see(cause: Cause, describe: Callable[[], About], *, now: float | None = None) -> None:
    """Let the journal tell of a message; `describe` is called later, and only if the message gets its own line."""
    moment = time.monotonic() if now is None else now
    with _lock:
        _begin_window(moment)
        if _window.take(cause):
            url = cause.source if cause.is_proven else ""
            _waiting.append(_Line(new_line(cause.kind, text_of(cause), peer_url=url), cause.is_proven, describe))
    _see_to_thread()


def text_of(cause: Cause, further: int = 0) -> str:
    """Return the text of a line about one message, or about a number of further ones."""
    if cause.kind == JournalKind.COPY:
        return f"{further} further copies in a minute" if further else "A copy came, and got the stored answer again"
    what = f"Refused {further} further messages in a minute" if further else "Refused"
    if cause.is_proven:
        return f"{what}: {cause.reason}"
    return f"{what}: {cause.reason}; {NOT_PROVED}; from {cause.source or 'further addresses'}"


def write_lines(*, now: float | None = None) -> int:
    """Write the lines that wait, and the numbers of a window that is over; return the number of lines.

    Lines that the database does not take wait for the next call.
    """
    moment = time.monotonic() if now is None else now
    with _lock:
        _begin_window(moment)
        waiting, _waiting[:] = list(_waiting), []
    try:
        _describe(waiting)
        JournalEntry.objects.bulk_create([line.entry for line in waiting])
    except DatabaseError as exc:
        logger.warning("%d lines of the journal could not be written, and are kept: %s", len(waiting), exc)
        with _lock:
            _waiting[:0] = waiting[: MOST_WAITING - len(_waiting)]
        return 0
    return len(waiting)


def forget_all() -> None:
    """Forget the lines and numbers of this process, as a new process does."""
    global _window, _lock
    _lock = threading.Lock()
    _window = Window(limit=0)
    _waiting.clear()


def _begin_window(now: float) -> None:
    """Begin another window if the current one is over, and turn its numbers into lines; the caller has the mutex."""
    global _window
    if _window.started and now < _window.started + WINDOW_SECONDS:
        return
    for cause, number in _window.counted.items():
        source = cause.source if cause.is_proven else ""
        _waiting.append(_Line(new_line(cause.kind, text_of(cause, number), peer_url=source)))
    _window = Window(settings.FEDHUB_REFUSAL_LINES, started=now)


def _describe(waiting: list[_Line]) -> None:
    """Give each line the dispatch and the digest of its message, and the URL of the known peer that it names."""
    abouts = [line.describe() for line in waiting]
    for line, about in zip(waiting, abouts, strict=True):
        line.entry.dispatch_id, line.entry.digest = about.dispatch_id, about.digest
        if about.agent_id and line.is_proven:
            line.entry.text = f"{line.entry.text}; agent {about.agent_id}"
    unnamed = [(line.entry, about) for line, about in zip(waiting, abouts, strict=True) if not line.is_proven]
    claimed = {about.claimed_url for _, about in unnamed if about.claimed_url}
    known = set(Peer.objects.filter(server_url__in=claimed).values_list("server_url", flat=True)) if claimed else set()
    # A callback names no sender, only the dispatch.
    ids = {about.dispatch_id for _, about in unnamed if about.dispatch_id and not about.claimed_url}
    targets = dict(Dispatch.objects.filter(pk__in=ids).values_list("pk", "target_server")) if ids else {}
    for entry, about in unnamed:
        entry.peer_url = about.claimed_url if about.claimed_url in known else targets.get(about.dispatch_id, "")


def _see_to_thread() -> None:
    global _thread_of
    if _is_kept and _thread_of != os.getpid():
        _thread_of = os.getpid()
        threading.Thread(target=_write_for_ever, name="journal", daemon=True).start()


def _write_for_ever() -> None:
    while True:
        time.sleep(STORE_SECONDS)
        close_old_connections()
        write_lines()
        connections.close_all()


os.register_at_fork(after_in_child=forget_all)
