"""Decisions about a peer: add, approve, reject, suspend, resume, retire, repropose."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial

from django.core.management.base import CommandError, OutputWrapper
from django.utils import timezone

from peers.management.peer_verbs.lookups import peer_of
from peers.management.peer_verbs.output import STYLE_OF_STATE, say
from peers.management.peer_verbs.verb import SHELL, Options, Verb, add_comparison, add_url, add_url_and_reason
from peers.models import Peer, PeerState, Relationship
from peers.services.trust import keys, peers
from peers.services.trust.peer_documents import refresh_documents

DECISIONS: dict[str, Callable[..., object]] = {
    "reject": peers.reject_peer,
    "suspend": peers.suspend_peer,
    "resume": peers.resume_peer,
    "retire": peers.retire_peer,
    "repropose": peers.repropose_peer,
}
"""The decisions that need a peer and a reason alone."""


def add(stdout: OutputWrapper, options: Options) -> None:
    """Store a peer as proposed; with --approve also approve the peer, with the given or fetched key."""
    if options["approve"] and not (options["public_key"] or options["fingerprint"] or options["without_key"]):
        raise CommandError("--approve needs --public-key, --fingerprint or --without-key: what did you compare?")
    named = {name: options[name] for name in ("did", "public_key", "relationship", "notes")}
    peer = peers.add_peer(options["url"], by=SHELL, **named)
    say(stdout, f"{peer.server_url} is proposed.")
    if not options["approve"]:
        return
    if options["public_key"]:
        options["fingerprint"] = keys.read_key(options["public_key"]).fingerprint
    elif options["fingerprint"]:
        refresh_documents(peer, by=SHELL, now=timezone.now())
    _approve(stdout, peer, options)


def approve(stdout: OutputWrapper, options: Options) -> None:
    """Approve a proposed peer with the compared key, or without a key."""
    if bool(options["fingerprint"]) == bool(options["without_key"]):
        raise CommandError("Give --fingerprint as the peer's staff told you, or --without-key if the peer has no key.")
    _approve(stdout, peer_of(options), options)


def decide(service: Callable[..., object], stdout: OutputWrapper, options: Options) -> None:
    """Decide about a peer with one of `DECISIONS`."""
    peer = peer_of(options)
    service(peer, reason=options["reason"], by=SHELL)
    say(stdout, f"{peer.server_url} is {peer.state}.", style=STYLE_OF_STATE[PeerState(peer.state)])


def _approve(stdout: OutputWrapper, peer: Peer, options: Options) -> None:
    peers.approve_peer(
        peer,
        key_fingerprint=options["fingerprint"],
        by=SHELL,
        reason=options["reason"],
        review_by=options["review_by"],
    )
    say(stdout, f"{peer.server_url} is approved.", style="green")


def _add_arguments_of_add(parser: ArgumentParser) -> None:
    parser.add_argument("--url", default="", help="the peer's base URL; optional if --did is given")
    parser.add_argument("--did", default="", help="its did:web")
    parser.add_argument("--public-key", default="", metavar="BASE64", help="its Ed25519 key, as its staff told you")
    parser.add_argument("--relationship", choices=Relationship.values, default=Relationship.PEER.value)
    parser.add_argument("--notes", default="")
    parser.add_argument("--approve", action="store_true", help="pin --public-key, or the key of --fingerprint")
    add_comparison(parser)


def _add_arguments_of_approve(parser: ArgumentParser) -> None:
    add_url(parser)
    add_comparison(parser)


VERBS = (
    Verb("add", "store a peer as proposed; with --approve decide at once", add, _add_arguments_of_add),
    Verb("approve", "approve a proposed peer and pin the compared key", approve, _add_arguments_of_approve),
    *(
        Verb(name, f"{name} a peer", partial(decide, service), add_url_and_reason)
        for name, service in DECISIONS.items()
    ),
)
