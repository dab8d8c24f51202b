"""Decide about peers from the shell."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.table import Table

from core.actors import Actor
from core.console import make_console
from core.errors import HubError, InvalidRequestError, NotFoundError
from peers.models import Peer, PeerKey, PeerState, Relationship, Visibility
from peers.services.catalog import agents
from peers.services.trust import imports, keys, peers, rotation
from peers.services.trust.documents import refresh_documents
from peers.services.trust.tokens import issue_peer_token

SHELL = Actor(id="", name="shell")
STYLE_OF_STATE = {
    PeerState.PROPOSED: "yellow",
    PeerState.APPROVED: "green",
    PeerState.SUSPENDED: "red",
    PeerState.REJECTED: "red",
    PeerState.RETIRED: "dim",
}
STYLE_OF_VERDICT = {imports.Verdict.NEW: "green", imports.Verdict.AGAIN: "yellow", imports.Verdict.REFUSED: "red"}
STYLE_OF_VISIBILITY = {Visibility.PUBLIC: "green", Visibility.UNLISTED: "yellow", Visibility.PRIVATE: "dim"}
DECISIONS: dict[str, Callable[..., None]] = {
    "reject": peers.reject_peer,
    "suspend": peers.suspend_peer,
    "resume": peers.resume_peer,
    "retire": peers.retire_peer,
    "repropose": peers.repropose_peer,
}


class Command(BaseCommand):
    """One verb for each thing that staff can do in the admin."""

    help = "Decide about peers and their keys, import and export them, and choose which agents they see."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        add = verbs.add_parser("add", help="store a peer as proposed; with --approve decide at once")
        add.add_argument("--url", default="", help="the peer's base URL; may be left out where --did is given")
        add.add_argument("--did", default="", help="its did:web")
        add.add_argument("--public-key", default="", metavar="BASE64", help="its Ed25519 key, as its people told you")
        add.add_argument("--relationship", choices=Relationship.values, default=Relationship.PEER.value)
        add.add_argument("--notes", default="")
        add.add_argument("--approve", action="store_true", help="pin --public-key, or what --fingerprint names")
        _add_comparison(add)
        approve = _with_url(verbs.add_parser("approve", help="approve a proposed peer and pin the compared key"))
        _add_comparison(approve)
        for name in DECISIONS:
            _with_reason(_with_url(verbs.add_parser(name, help=f"{name} a peer")))
        _with_url(verbs.add_parser("fetch", help="fetch manifest and DID document, and show the keys"))
        for name in ("approve-key", "revoke-key"):
            key = _with_reason(_with_url(verbs.add_parser(name, help=f"{name.split('-')[0]} a key of a peer")))
            key.add_argument("--fingerprint", required=True)
            if name == "approve-key":
                key.add_argument("--overlap-days", type=int, default=7, help="how long older keys still count")
        _with_url(verbs.add_parser("outbound-key", help="set the key sent to the peer; read from standard input"))
        token = _with_url(verbs.add_parser("token", help="issue a token that is bound to an approved peer"))
        token.add_argument("--days", type=int, default=30, help="how long it is valid (default: %(default)s)")
        listing = verbs.add_parser("list", help="list peers")
        listing.add_argument("--state", choices=PeerState.values)
        _with_url(verbs.add_parser("show", help="show a peer with its keys and decisions"))
        importing = verbs.add_parser("import", help="review a CSV or JSON file; with --store propose its rows")
        importing.add_argument("file", type=Path)
        importing.add_argument("--store", action="store_true", help="store what the review says")
        importing.add_argument("--rows", default="", help="only these, for example 1,3,5")
        exporting = verbs.add_parser("export", help="write all peers to standard output")
        exporting.add_argument("--format", choices=["csv", "json"], default="csv")
        shown = verbs.add_parser("agents", help="list this hub's agents and who sees them")
        choosing = verbs.add_parser("visibility", help="choose who sees an agent of this hub")
        choosing.add_argument("agent", metavar="PATH", help="the agent's path, or its id as peers know it")
        choosing.add_argument("visibility", choices=Visibility.values)
        rotating = verbs.add_parser("rotate-key", help="announce this hub's next key; with --switch sign with it")
        rotating.add_argument("--switch", action="store_true", help="once peers have approved the announced key")
        for verb in (shown, choosing):
            verb.add_argument("--federation", metavar="ID", help="only agents of this federation")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        """Do the verb; a refusal is an error of the command."""
        try:
            if verb in DECISIONS:
                self._decide(verb, options)
            else:
                getattr(self, f"_{verb.replace('-', '_')}")(options)
        except HubError as exc:
            raise CommandError(exc.message) from exc

    def _add(self, options: dict[str, Any]) -> None:
        if options["approve"] and not (options["public_key"] or options["fingerprint"] or options["without_key"]):
            raise CommandError("--approve needs --public-key, --fingerprint or --without-key: what did you compare?")
        named = {name: options[name] for name in ("did", "public_key", "relationship", "notes")}
        peer = peers.add_peer(options["url"], by=SHELL, **named)
        self._say(f"{peer.server_url} is proposed.")
        if not options["approve"]:
            return
        if options["public_key"]:
            options["fingerprint"] = keys.read_key(options["public_key"]).fingerprint
        elif options["fingerprint"]:
            refresh_documents(peer, by=SHELL, now=timezone.now())
        self._approve_one(peer, options)

    def _approve(self, options: dict[str, Any]) -> None:
        if bool(options["fingerprint"]) == bool(options["without_key"]):
            raise CommandError("Give --fingerprint as its people told you, or --without-key where it has none.")
        self._approve_one(_peer(options), options)

    def _approve_one(self, peer: Peer, options: dict[str, Any]) -> None:
        peers.approve_peer(
            peer,
            key_fingerprint=options["fingerprint"],
            by=SHELL,
            reason=options["reason"],
            review_by=options["review_by"],
        )
        self._say(f"{peer.server_url} is approved.", style="green")

    def _token(self, options: dict[str, Any]) -> None:
        """Print what the token is for, then the token alone on the last line."""
        peer, days = _peer(options), options["days"]
        token = issue_peer_token(peer, days=days, by=SHELL)
        self._say(f"A token of {peer.server_url} for receive alone, valid for {days} days.")
        self._say("It is shown once and not stored. The peer sends it with each request in one of these headers:")
        self._say("  X-API-Key: TOKEN")
        self._say("  Authorization: Bearer TOKEN")
        self.stdout.write(token)

    def _decide(self, verb: str, options: dict[str, Any]) -> None:
        peer = _peer(options)
        DECISIONS[verb](peer, reason=options["reason"], by=SHELL)
        self._say(f"{peer.server_url} is {peer.state}.", style=STYLE_OF_STATE[PeerState(peer.state)])

    def _fetch(self, options: dict[str, Any]) -> None:
        peer = _peer(options)
        findings = refresh_documents(peer, by=SHELL, now=timezone.now())
        console = make_console(self.stdout)
        console.print(_key_table(findings.keys))
        console.print(f"{len(findings.new_keys)} of them not seen before; none is trusted by this.")

    def _approve_key(self, options: dict[str, Any]) -> None:
        key = _key(options)
        keys.approve_key(key, overlap_days=options["overlap_days"], by=SHELL, reason=options["reason"])
        self._say(f"Approved: {key.fingerprint}", style="green")

    def _revoke_key(self, options: dict[str, Any]) -> None:
        key = _key(options)
        keys.revoke_key(key, by=SHELL, reason=options["reason"])
        self._say(f"Revoked: {key.fingerprint}", style="red")

    def _outbound_key(self, options: dict[str, Any]) -> None:
        peer = _peer(options)
        # Never an argument: those stand in the process list and the shell's history.
        raw = getpass.getpass("Key: ") if sys.stdin.isatty() else sys.stdin.readline()
        peers.set_outbound_key(peer, raw, by=SHELL)
        self._say(f"The outbound key of {peer.server_url} is {'set' if raw.strip() else 'removed'}.")

    def _list(self, options: dict[str, Any]) -> None:
        found = Peer.objects.filter(**({"state": options["state"]} if options["state"] else {}))
        rows = list(found.prefetch_related("keys"))
        console = make_console(self.stdout)
        if not rows:
            console.print("No peers.")
            return
        table = _table("URL", "State", "Relationship", "Keys", "Review by", "Added")
        for peer in rows:
            cells = (peer.server_url, peer.state, peer.relationship, str(len(peer.keys.all())))
            days = (str(peer.review_by or ""), f"{peer.created_at:%Y-%m-%d}")
            table.add_row(*cells, *days, style=STYLE_OF_STATE[PeerState(peer.state)])
        console.print(table)

    def _show(self, options: dict[str, Any]) -> None:
        peer = _peer(options)
        console = make_console(self.stdout)
        console.print(f"{peer.server_url} ({peer.did}) is {peer.state}.")
        console.print(_key_table(peer.keys.all()))
        table = _table("When", "From", "To", "By", "Why", "Fingerprint")
        for row in peer.decisions.all():
            when = f"{row.decided_at:%Y-%m-%d %H:%M}"
            table.add_row(when, row.from_state, row.to_state, row.actor_name, row.reason, row.fingerprint)
        console.print(table)

    def _import(self, options: dict[str, Any]) -> None:
        console = make_console(self.stdout)
        rows = _picked(imports.review(_text_of(options["file"])), options["rows"])
        table = _table("Row", "URL", "Relationship", "Verdict", "Remark")
        for row in rows:
            cells = (str(row.number), row.server_url or row.did, row.relationship, row.verdict.value, row.problem)
            table.add_row(*cells, style=STYLE_OF_VERDICT.get(row.verdict, "dim"))
        console.print(table)
        if not options["store"]:
            console.print("Nothing is stored. Look at the rows, then add --store, and --rows for some of them.")
            return
        outcome = imports.import_rows([row for row in rows if row.is_storable], by=SHELL)
        _show_refusals(console, outcome.refusals)
        console.print(f"{outcome.proposed} proposed. Approve each after comparing its fingerprint.", style="green")

    def _export(self, options: dict[str, Any]) -> None:
        found = Peer.objects.prefetch_related("keys")
        self.stdout.write(imports.export_csv(found) if options["format"] == "csv" else imports.export_json(found))

    def _agents(self, options: dict[str, Any]) -> None:
        console = make_console(self.stdout)
        found = agents.agents_with_visibility(options["federation"])
        if not found:
            console.print("No agents.")
            return
        table = _table("Agent", "Name", "Visibility", "Federation")
        for sight in found:
            place = "registered by hand" if sight.is_registered else sight.federation_id
            style = STYLE_OF_VISIBILITY[Visibility(sight.visibility)]
            table.add_row(sight.agent_id, sight.name, sight.visibility, place, style=style)
        console.print(table)

    def _visibility(self, options: dict[str, Any]) -> None:
        named = {"federation_id": options["federation"], "by": SHELL}
        sight = agents.choose_visibility(options["agent"], options["visibility"], **named)
        self._say(f"{sight.agent_id} is {sight.visibility}.", style=STYLE_OF_VISIBILITY[Visibility(sight.visibility)])

    def _rotate_key(self, options: dict[str, Any]) -> None:
        if options["switch"]:
            self._say(f"This hub signs with {rotation.fingerprint_of(rotation.switch_key(by=SHELL))}", style="green")
            return
        self._say(f"Announced: {rotation.fingerprint_of(rotation.announce_key(by=SHELL))}")
        self._say("Tell it to your peers' people. When they have approved it: peer rotate-key --switch")

    def _say(self, text: str, style: str = "") -> None:
        make_console(self.stdout).print(text, style=style)


def _with_url(parser: ArgumentParser) -> ArgumentParser:
    parser.add_argument("url", metavar="URL", help="the peer's base URL")
    return parser


def _with_reason(parser: ArgumentParser) -> ArgumentParser:
    parser.add_argument("--reason", default="", help="kept with the decision")
    return parser


def _add_comparison(parser: ArgumentParser) -> None:
    _with_reason(parser)
    parser.add_argument("--fingerprint", default="", help="SHA-256 of the key, as the peer's people told you")
    parser.add_argument("--without-key", action="store_true", help="the peer has no key; only its token will count")
    parser.add_argument("--review-by", type=date.fromisoformat, metavar="YYYY-MM-DD", help="when to look again")


def _peer(options: dict[str, Any]) -> Peer:
    peer = peers.find_peer(options["url"])
    if peer is None:
        raise NotFoundError(f"There is no peer {options['url']}")
    return peer


def _key(options: dict[str, Any]) -> PeerKey:
    peer, wanted = _peer(options), peers.bare_fingerprint(options["fingerprint"])
    for key in peer.keys.all():
        if peers.bare_fingerprint(key.fingerprint) == wanted:
            return key
    raise NotFoundError(f"{peer.server_url} has shown no key with this fingerprint")


def _key_table(rows: Iterable[PeerKey]) -> Table:
    table = _table("Fingerprint (SHA-256)", "State", "Seen", "Continuous", "Valid until")
    for key in rows:
        until = f"{key.valid_until:%Y-%m-%d %H:%M}" if key.valid_until else ""
        table.add_row(key.fingerprint, key.state, key.origin, "yes" if key.is_continuous else "", until)
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidRequestError(f"{path} cannot be read as text: {exc}") from exc


def _picked(rows: list[imports.ImportRow], numbers: str) -> list[imports.ImportRow]:
    wanted = {word.strip() for word in numbers.split(",") if word.strip()}
    unknown = wanted - {str(row.number) for row in rows}
    if unknown:
        raise InvalidRequestError(f"The file has no row {', '.join(sorted(unknown))}")
    return [row for row in rows if not wanted or str(row.number) in wanted]


def _show_refusals(console: Console, refusals: Iterable[str]) -> None:
    for refusal in refusals:
        console.print(refusal, style="red")
