"""The command verify_log: recompute the federation log, and compare it with the checkpoints that peers hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console

from core.console import make_console, make_progress
from peers.models import Peer, PeerState
from peers.protocol.log_verification import Held, LogFault, LogFaultError
from peers.services.outbox.log_exchange import exchange_checkpoints
from peers.services.trust.log_checkpoints import genuine_own, held_by_peers
from peers.services.trust.log_reading import count_entries, verify_own_log


class Command(BaseCommand):
    """The command that verifies this hub's federation log.

    It exits with 1 at the first fault and names the position and what was found.
    """

    help = (
        "Verify the federation log: find an entry that was changed, removed, moved or added, and an end that was cut "
        "off, up to the last checkpoint that a peer holds."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare where the peers' checkpoints come from."""
        parser.add_argument("--fetch", action="store_true", help="first ask each approved peer what it holds")
        parser.add_argument(
            "--peer-checkpoints",
            metavar="FILE",
            type=Path,
            help="compare with the checkpoints in this file too, one JSON object a line",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify the log with a progress bar and print the result."""
        console = make_console(self.stdout)
        if options["fetch"]:
            _fetch(console)
        held = held_by_peers()
        if options["peer_checkpoints"]:
            held += _read(options["peer_checkpoints"])
        try:
            with make_progress(console) as progress:
                task = progress.add_task("verifying", total=count_entries())
                verified = verify_own_log(held=held, progress=lambda count: progress.advance(task, count))
        except LogFaultError as exc:
            console.print(f"Position {exc.position}: {exc.fault}.", style="red")
            console.print(f"  {exc.detail}")
            if exc.fault in (LogFault.FORK, LogFault.TRUNCATED):
                console.print("  The log was rewritten, or the hub was restored from a backup.")
                console.print("  After a restore, begin another log: the button is on the page Journal of the admin.")
            raise CommandError("The federation log does not verify.") from exc
        console.print(f"{verified.entries} entries and {verified.checkpoints} checkpoints verify.", style="green")
        if verified.pruned:
            console.print(f"The entries up to position {verified.pruned} are pruned, as the log says")
        if verified.last:
            console.print(f"Last entry: position {verified.last.position}, sealed {verified.last.at}")
        for start in verified.starts:
            console.print(f"Position {start.position}: {start.actor or 'the hub'} began another log.", style="yellow")
            console.print(f"  {start.text}")
        if lost := [found.checkpoint.position for found in verified.lost]:
            text = f"{len(lost)} checkpoints that peers hold are of the lost end of an earlier log"
            console.print(f"{text}, up to position {max(lost)}.", style="yellow")
        text = f"{verified.held} checkpoints that peers hold agree with the log"
        if verified.earlier:
            text += f"; {verified.earlier} are of the pruned part and were not compared"
        console.print(text if verified.held else "No peer's checkpoint was compared: a cut-off end stays unseen")


def _fetch(console: Console) -> None:
    for peer in Peer.objects.filter(state=PeerState.APPROVED):
        console.print(f"{peer.server_url}: {exchange_checkpoints(peer.pk, now=timezone.now())}")


def _read(path: Path) -> list[Held]:
    """Return the checkpoints of this hub's log in a file; raise CommandError for a line that is none."""
    held = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise CommandError(f"{path} cannot be read: {exc}") from exc
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            checkpoint = genuine_own(json.loads(line))
        except (ValueError, RecursionError):
            checkpoint = None
        if checkpoint is None:
            raise CommandError(f"{path}, line {number}: not a checkpoint that this hub signed")
        held.append(Held(checkpoint, f"{path}, line {number},"))
    return held
