"""Journal lines about messages that change nothing: refused messages, and copies that got the stored answer again.

Theory of operation
-------------------
A sender may send such messages without end, and some need no proof. So their lines are bounded, and no request waits
for them. A request only puts its line into the memory of its process, under a mutex for a few instructions; a thread of
the process reads the messages and writes the lines of all requests together, every second. The sealer then seals them
like all lines.

The bound holds for windows of a minute, in each process. A source (a proven peer, or an address) has
FEDHUB_REFUSAL_LINES lines for each reason, and all sources together have ALL_LINES times that. Each further message is
counted, and the end of the window writes one line with the number for each source and reason. So is each further
report of a peer that staff stopped, on a dispatch of which a line of the window tells it. Beyond MOST_SOURCES sources
and reasons in one window, further ones share one number for each reason. So no message is left out of the numbers, and
a flood costs a fixed number of lines.

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

from core.store.unit_of_work import unit_of_work
from peers.models import Dispatch, JournalEntry, JournalKind, KeyState, Peer, PeerKey
from peers.services.trust.journal import new_line
from peers.services.trust.notices import NOT_PROVED, note_refusals
from peers.services.trust.proofs import NotTrustedError

WINDOW_SECONDS = 60.0
STORE_SECONDS = 1.0
ALL_LINES = 5
MOST_SOURCES = 20
MOST_WAITING = 500
COPY = "copy"
REFUSED_STOPPED = NotTrustedError.__name__

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

    `agent_id` is the agent that it wanted, "" where no agent was looked for, and `agent_is` what this hub knows of the
    agent. `is_report` tells a report on a dispatch from work. `shown_key` is the key in its header, which anybody can
    show.
    """

    dispatch_id: str = ""
    agent_id: str = ""
    agent_is: str = ""
    digest: str = ""
    claimed_url: str = ""
    is_report: bool = False
    shown_key: str = ""


@dataclass(slots=True)
class Window:
    """What may be written within one window, and what is counted; `now` is monotonic, in seconds."""

    limit: int
    started: float = 0.0
    singles: int = 0
    taken: dict[Cause, int] = field(default_factory=dict)
    counted: dict[Cause, int] = field(default_factory=dict)
    told: set[tuple[Cause, str]] = field(default_factory=set)

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
    """A line that waits; `describe` is called when it is written, because it reads a message that proves nothing.

    `cause` is None for a line that has the number of a window.
    """

    entry: JournalEntry
    is_proven: bool = True
    describe: Callable[[], About] = About
    cause: Cause | None = None


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
            line = new_line(cause.kind, text_of(cause), peer_url=url)
            _waiting.append(_Line(line, cause.is_proven, describe, cause))
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
        described, counted = _told_once([(line, line.describe()) for line in waiting])
        _describe(described)
        JournalEntry.objects.bulk_create([line.entry for line, _ in described])
    except DatabaseError as exc:
        logger.warning("%d lines of the journal could not be written, and are kept: %s", len(waiting), exc)
        with _lock:
            _waiting[:0] = waiting[: MOST_WAITING - len(_waiting)]
        return 0
    with _lock:
        _window.told |= {(line.cause, about.dispatch_id) for line, about in described if line.cause and about.is_report}
        for cause in counted:
            _window.counted[cause] = _window.counted.get(cause, 0) + 1
    _tell_people([line for line, _ in described])
    return len(described)


def _tell_people(lines: list[_Line]) -> None:
    """Record events about the refused messages of proven peers; the lines are written, so a failure is only logged."""
    refused = [line.entry for line in lines if line.cause and line.is_proven and line.cause.kind == JournalKind.REFUSED]
    try:
        if refused:
            with unit_of_work():
                note_refusals(refused)
    except DatabaseError as exc:
        logger.warning("The events about %d refused messages could not be recorded: %s", len(refused), exc)


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


def _told_once(lines: list[tuple[_Line, About]]) -> tuple[list[tuple[_Line, About]], list[Cause]]:
    """Return the lines without refused reports of which a line of the window tells already; and the causes of those.

    A peer that is suspended while it works reports on its work again and again. One line for each dispatch says it, and
    the further reports are only counted. Any other refused message keeps a line of its own, with its digest.
    """
    kept, counted, told = [], [], set(_window.told)
    for line, about in lines:
        cause = line.cause
        if cause is not None and about.is_report and cause.is_proven and cause.reason.startswith(REFUSED_STOPPED):
            if (cause, about.dispatch_id) in told:
                counted.append(cause)
                continue
            told.add((cause, about.dispatch_id))
        kept.append((line, about))
    return kept, counted


def _describe(described: list[tuple[_Line, About]]) -> None:
    """Give each line the dispatch and the digest of its message, and the URL of the known peer that it names."""
    for line, about in described:
        line.entry.dispatch_id, line.entry.digest = about.dispatch_id, about.digest
    unnamed = [(line.entry, about) for line, about in described if not line.is_proven]
    claimed = {about.claimed_url for _, about in unnamed if about.claimed_url}
    known = set(Peer.objects.filter(server_url__in=claimed).values_list("server_url", flat=True)) if claimed else set()
    # A callback names no sender, only the dispatch.
    ids = {about.dispatch_id for _, about in unnamed if about.dispatch_id and not about.claimed_url}
    targets = dict(Dispatch.objects.filter(pk__in=ids).values_list("pk", "target_server")) if ids else {}
    for entry, about in unnamed:
        entry.peer_url = about.claimed_url if about.claimed_url in known else targets.get(about.dispatch_id, "")
    keys = _known_keys([about.shown_key for line, about in described if line.entry.kind == JournalKind.REFUSED])
    for line, about in described:
        if line.cause is not None and line.cause.kind == JournalKind.REFUSED:
            # Not added to the text of before: a line that the database did not take is described again.
            line.entry.text = text_of(line.cause) + _further(line, about, keys)


def _known_keys(shown: list[str]) -> dict[tuple[str, str], PeerKey]:
    """Return those of the shown keys that peers have, by the peer's URL and the key."""
    rows = PeerKey.objects.filter(public_key__in={*shown} - {""}).select_related("peer") if any(shown) else []
    return {(row.peer.server_url, row.public_key): row for row in rows}


def _further(line: _Line, about: About, keys: dict[tuple[str, str], PeerKey]) -> str:
    """Return what the text of a line says further: of the message, its agent, and the key that it shows.

    The agent stands last, because its id may have any sign.
    """
    text = "; a report" if about.is_report else ""
    key = keys.get((line.entry.peer_url, about.shown_key))
    if key is not None and not line.is_proven:
        is_over = key.valid_until is not None and key.valid_until <= line.entry.at
        state = "ended" if is_over and key.state != KeyState.REVOKED else key.state
        text += f"; key {key.fingerprint[:19]} ({state})"
    if about.agent_id and line.is_proven:
        text += f"; agent {about.agent_id}" + (f" ({about.agent_is})" if about.agent_is else "")
    return text


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
