"""Keys and tokens of a peer: fetch, approve-key, revoke-key, outbound-key, token."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser

from django.core.management.base import OutputWrapper
from django.utils import timezone

from core.console import make_console
from peers.management.peer_verbs.lookups import key_of, peer_of
from peers.management.peer_verbs.output import key_table, say
from peers.management.peer_verbs.verb import SHELL, Options, Verb, add_url, add_url_and_reason
from peers.services.trust import keys, peers
from peers.services.trust.peer_documents import refresh_documents
from peers.services.trust.peer_tokens import issue_peer_token


def fetch(stdout: OutputWrapper, options: Options) -> None:
    """Fetch the peer's manifest and DID document, and print the keys in both; the hub trusts none of these keys yet."""
    findings = refresh_documents(peer_of(options), by=SHELL, now=timezone.now())
    console = make_console(stdout)
    console.print(key_table(findings.keys))
    for key in findings.withdrawn:
        console.print(f"{key.fingerprint} is {key.get_withdrawal_display()} by the peer.", style="red")
    console.print(f"{len(findings.new_keys)} of them new. The hub trusts no new key until you approve it.")


def approve_key(stdout: OutputWrapper, options: Options) -> None:
    """Pin a changed key of an approved peer."""
    key = key_of(options)
    keys.approve_key(key, overlap_days=options["overlap_days"], by=SHELL, reason=options["reason"])
    say(stdout, f"Approved: {key.fingerprint}", style="green")


def revoke_key(stdout: OutputWrapper, options: Options) -> None:
    """End the trust in a key at once."""
    key = key_of(options)
    keys.revoke_key(key, by=SHELL, reason=options["reason"])
    say(stdout, f"Revoked: {key.fingerprint}", style="red")


def outbound_key(stdout: OutputWrapper, options: Options) -> None:
    """Store the API key that this hub sends to the peer; an empty key removes the stored one."""
    peer = peer_of(options)
    # Not an argument: the process list and the shell's history show arguments.
    raw = getpass.getpass("Key: ") if sys.stdin.isatty() else sys.stdin.readline()
    peers.set_outbound_key(peer, raw, by=SHELL)
    say(stdout, f"The outbound key of {peer.server_url} is {'set' if raw.strip() else 'removed'}.")


def token(stdout: OutputWrapper, options: Options) -> None:
    """Issue a peer-bound token; print how to use the token, and then the token on a line of its own, the last line."""
    peer, days = peer_of(options), options["days"]
    issued = issue_peer_token(peer, days=days, by=SHELL)
    say(stdout, f"A token of {peer.server_url} for receive alone, valid for {days} days.")
    say(stdout, "It is shown once and not stored. The peer sends it with each request in one of these headers:")
    say(stdout, "  X-API-Key: TOKEN")
    say(stdout, "  Authorization: Bearer TOKEN")
    # Not by the console, which folds long lines.
    stdout.write(issued, ending="\n")


def _add_fingerprint(parser: ArgumentParser) -> None:
    add_url_and_reason(parser)
    parser.add_argument("--fingerprint", required=True)


def _add_arguments_of_approve_key(parser: ArgumentParser) -> None:
    _add_fingerprint(parser)
    parser.add_argument("--overlap-days", type=int, default=7, help="how long older keys stay valid")


def _add_arguments_of_token(parser: ArgumentParser) -> None:
    add_url(parser)
    parser.add_argument("--days", type=int, default=30, help="how long it is valid (default: %(default)s)")


VERBS = (
    Verb("fetch", "fetch manifest and DID document, and show the keys", fetch, add_url),
    Verb("approve-key", "approve a key of a peer", approve_key, _add_arguments_of_approve_key),
    Verb("revoke-key", "revoke a key of a peer", revoke_key, _add_fingerprint),
    Verb("outbound-key", "set the key sent to the peer; read from standard input", outbound_key, add_url),
    Verb("token", "issue a token that is bound to an approved peer", token, _add_arguments_of_token),
)
