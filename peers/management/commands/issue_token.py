"""Issue an access token from the shell, for a person or for a peer."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from core.actors import Actor
from core.errors import HubError
from core.tokens.management.commands.issue_token import Command as IssueToken
from peers.services.trust.peers import find_peer
from peers.services.trust.tokens import issue_peer_token

SHELL = Actor(id="", name="shell")


class Command(IssueToken):
    """Adds --peer to the command of the tokens app; the last line of output is the token alone."""

    help = "Issue an access token for a user, or with --peer one that is bound to a peer and good for receive alone."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options; those of a user's token are needed only without --peer."""
        super().add_arguments(parser)
        for name in ("user", "scopes"):
            option = next(action for action in parser._actions if action.dest == name)
            option.required = False
        parser.add_argument("--peer", metavar="URL", help="the approved peer that the token is bound to")

    def handle(self, *args: Any, **options: Any) -> None:
        """Issue it, or say what is wrong with the options."""
        peer, user, scopes = (options[name] for name in ("peer", "user", "scopes"))
        if peer and not (user or scopes):
            self._issue_for_peer(peer, options["days"])
        elif peer or not (user and scopes):
            raise CommandError("Give --user and --scopes for a person's token, or --peer alone for a peer's.")
        else:
            super().handle(*args, **options)

    def _issue_for_peer(self, url: str, days: int) -> None:
        found = find_peer(url)
        if found is None:
            raise CommandError(f"There is no peer {url}.")
        try:
            token = issue_peer_token(found, days=days, by=SHELL)
        except HubError as exc:
            raise CommandError(exc.message) from exc
        self.stdout.write(f"A token of {found.server_url} for receive alone, valid for {days} days.")
        self.stdout.write(
            "It is shown once and not stored. The peer sends it with each request in one of these headers:"
        )
        self.stdout.write("  X-API-Key: TOKEN")
        self.stdout.write("  Authorization: Bearer TOKEN")
        self.stdout.write(token)
