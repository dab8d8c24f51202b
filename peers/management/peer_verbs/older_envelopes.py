"""Envelopes from before a restore of this hub: allow-older."""

from __future__ import annotations

from argparse import ArgumentParser

from django.core.management.base import CommandError, OutputWrapper

from peers.management.peer_verbs.lookups import peer_of
from peers.management.peer_verbs.output import say
from peers.management.peer_verbs.verb import SHELL, Options, Verb
from peers.services.trust.restore_boundary import allow_older, held_back_peers


def allow(stdout: OutputWrapper, options: Options) -> None:
    """Take in envelopes from before the restore, of one peer or with --all of all peers."""
    if bool(options["url"]) == options["all"]:
        raise CommandError("Give the URL of one peer, or --all.")
    found = held_back_peers() if options["all"] else [peer_of(options)]
    for peer in found:
        allow_older(peer, reason=options["reason"], by=SHELL)
        say(stdout, f"{peer.server_url} may send envelopes from before the restore.", style="green")
    if not found:
        say(stdout, "No peer's envelopes are put off.")


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", nargs="?", default="", help="the peer's base URL")
    parser.add_argument("--all", action="store_true", help="all peers")
    parser.add_argument("--reason", required=True, help="the hub keeps it in the federation log")


VERBS = (Verb("allow-older", "after a restore: take in envelopes from before it", allow, _add_arguments),)
