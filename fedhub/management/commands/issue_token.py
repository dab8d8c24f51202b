"""The command issue_token: issue an access token."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from oauth2_provider.settings import oauth2_settings

from core.api.scopes import scopes_of_roles
from core.errors import InvalidRequestError
from core.tokens.services import find_active_user, issue_token


class Command(BaseCommand):
    """The command that issues a token: it prints the scopes, and on the last line of standard output only the token."""

    help = "Issue an access token for the REST API; its last line of output is the token alone."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options; --peer stands for `manage.py peer token`."""
        scopes = " ".join(oauth2_settings.SCOPES)
        parser.add_argument("--user", metavar="NAME", help="the token acts for this user")
        parser.add_argument("--scopes", metavar='"A B"', help=f"separated by spaces; known: {scopes}")
        parser.add_argument("--peer", metavar="URL", help="issue a token of this peer: short for `peer token URL`")
        parser.add_argument("--days", type=int, default=30, help="days until the token expires (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Issue the token; raise CommandError for options that do not fit together."""
        peer, user, scopes, days = (options[name] for name in ("peer", "user", "scopes", "days"))
        if peer and not (user or scopes):
            call_command("peer", "token", peer, "--days", str(days), stdout=self.stdout, no_color=options["no_color"])
        elif peer or not (user and scopes):
            raise CommandError("Give --user and --scopes for a person's token, or --peer alone for a peer's.")
        else:
            self._issue_for_user(user, scopes.replace(",", " ").split(), days)

    def _issue_for_user(self, user: str, scopes: list[str], days: int) -> None:
        try:
            token = issue_token(user, scopes=scopes, days=days)
        except InvalidRequestError as exc:
            raise CommandError(exc.message) from exc
        self.stdout.write(f"A token of {user} for {' '.join(sorted(set(scopes)))}, valid for {days} days.")
        if dead := sorted(set(scopes) - scopes_of_roles(find_active_user(user))):
            self.stdout.write(f"Today the roles of {user} do not give {' '.join(dead)}; the token has it once they do.")
        self.stdout.write(
            "This is the only time it is shown; it is not stored. Send it with each request in one of these headers:"
        )
        self.stdout.write("  Authorization: Bearer TOKEN")
        self.stdout.write("  X-API-Key: TOKEN")
        self.stdout.write(f"The API is at {settings.FEDHUB_SERVER_URL}/api/v1, its description at /api/docs.")
        self.stdout.write(token)
