"""Issue an access token from the shell."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from oauth2_provider.settings import oauth2_settings

from core.errors import InvalidRequestError
from core.tokens.services import issue_token


class Command(BaseCommand):
    """Prints what the token may do, then the token alone on the last line of standard output."""

    help = "Issue an access token for the REST API; its last line of output is the token alone."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        scopes = " ".join(oauth2_settings.SCOPES)
        parser.add_argument("--user", required=True, metavar="NAME", help="whom the token acts for")
        parser.add_argument("--scopes", required=True, metavar='"A B"', help=f"separated by spaces; known: {scopes}")
        parser.add_argument("--days", type=int, default=30, help="how long it is valid (default: %(default)s)")

    def handle(self, *args: Any, user: str, scopes: str, days: int, **options: Any) -> None:
        """Issue it, or say what is wrong with the options."""
        names = scopes.replace(",", " ").split()
        try:
            token = issue_token(user, scopes=names, days=days)
        except InvalidRequestError as exc:
            raise CommandError(exc.message) from exc
        self.stdout.write(f"A token of {user} for {' '.join(sorted(set(names)))}, valid for {days} days.")
        self.stdout.write("It is shown once and not stored. Send it with each request in one of these headers:")
        self.stdout.write("  Authorization: Bearer TOKEN")
        self.stdout.write("  X-API-Key: TOKEN")
        self.stdout.write(f"The API is at {settings.FEDHUB_SERVER_URL}/api/v1, its description at /api/docs.")
        self.stdout.write(token)
