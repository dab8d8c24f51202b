"""Known peers: list, show."""

from __future__ import annotations

from argparse import ArgumentParser

from django.core.management.base import OutputWrapper

from core.console import make_console
from peers.management.peer_verbs.lookups import peer_of
from peers.management.peer_verbs.output import STYLE_OF_STATE, key_table, new_table
from peers.management.peer_verbs.verb import Options, Verb, add_url
from peers.models import Peer, PeerState


def list_peers(stdout: OutputWrapper, options: Options) -> None:
    """Print the peers, all or those of one state."""
    found = Peer.objects.filter(**({"state": options["state"]} if options["state"] else {}))
    rows = list(found.prefetch_related("keys"))
    console = make_console(stdout)
    if not rows:
        console.print("No peers.")
        return
    table = new_table("URL", "State", "Relationship", "Keys", "Review by", "Added")
    for peer in rows:
        cells = (peer.server_url, peer.state, peer.relationship, str(len(peer.keys.all())))
        days = (str(peer.review_by or ""), f"{peer.created_at:%Y-%m-%d}")
        table.add_row(*cells, *days, style=STYLE_OF_STATE[PeerState(peer.state)])
    console.print(table)


def show(stdout: OutputWrapper, options: Options) -> None:
    """Print one peer with its keys and decisions."""
    peer = peer_of(options)
    console = make_console(stdout)
    console.print(f"{peer.server_url} ({peer.did}) is {peer.state}.")
    console.print(key_table(peer.keys.all()))
    table = new_table("When", "From", "To", "By", "Why", "Fingerprint")
    for row in peer.decisions.all():
        when = f"{row.decided_at:%Y-%m-%d %H:%M}"
        table.add_row(when, row.from_state, row.to_state, row.actor_name, row.reason, row.fingerprint)
    console.print(table)


def _add_state(parser: ArgumentParser) -> None:
    parser.add_argument("--state", choices=PeerState.values)


VERBS = (
    Verb("list", "list peers", list_peers, _add_state),
    Verb("show", "show a peer with its keys and decisions", show, add_url),
)
