"""This hub's own key: rotate-key."""

from __future__ import annotations

from argparse import ArgumentParser

from django.core.management.base import OutputWrapper

from peers.management.peer_verbs.output import say
from peers.management.peer_verbs.verb import SHELL, Options, Verb
from peers.services.trust.rotation import announce_key, fingerprint_of, switch_key


def rotate_key(stdout: OutputWrapper, options: Options) -> None:
    """Announce the next key of this hub; with --switch make this hub sign with the announced key."""
    if options["switch"]:
        say(stdout, f"This hub signs with {fingerprint_of(switch_key(by=SHELL))}", style="green")
        return
    say(stdout, f"Announced: {fingerprint_of(announce_key(by=SHELL))}")
    say(stdout, "Tell the fingerprint to your peers' staff. When they have approved it: peer rotate-key --switch")


def _add_switch(parser: ArgumentParser) -> None:
    parser.add_argument("--switch", action="store_true", help="after your peers have approved the announced key")


VERBS = (Verb("rotate-key", "announce this hub's next key; with --switch sign with it", rotate_key, _add_switch),)
