"""The command tokens: list the tokens that act for a user, and revoke them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from oauth2_provider.models import AccessToken

from core.errors import InvalidRequestError
from core.tokens.services import revoke_tokens, tokens_of


class Command(BaseCommand):
    """The command that lists a user's tokens, one a line, or revokes some or all of them; it never prints a token."""

    help = "List the tokens that act for a user, those of the user's programs too; with --revoke end them at once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the user, and the tokens to revoke."""
        parser.add_argument("--user", metavar="NAME", required=True, help="the tokens act for this user")
        chosen = parser.add_mutually_exclusive_group()
        chosen.add_argument("--revoke", metavar="ID", type=int, nargs="+", help="end these tokens")
        chosen.add_argument("--revoke-all", action="store_true", help="end all tokens of the user")

    def handle(self, *args: Any, **options: Any) -> None:
        """List or revoke; raise CommandError for an unknown user or token."""
        user, ids = options["user"], options["revoke"]
        try:
            if ids or options["revoke_all"]:
                self.stdout.write(f"Tokens of {user} revoked: {revoke_tokens(user, ids)}")
                return
            tokens = list(tokens_of(user))
        except InvalidRequestError as exc:
            raise CommandError(exc.message) from exc
        for token in tokens:
            self.stdout.write(line_of(token))
        if not tokens:
            self.stdout.write(f"No token acts for {user}.")


def line_of(token: AccessToken) -> str:
    """Return id, program, scopes, end and last use of a token in one line."""
    use = getattr(token, "last_use", None)
    used = f"last used {use.used_at:%Y-%m-%d %H:%M} from {use.address or 'an unknown address'}" if use else "never used"
    end = "expired" if token.expires <= timezone.now() else "expires"
    holder = f" of {token.application}" if token.application else ""
    return f"{token.pk}{holder}: {token.scope}, {end} {token.expires:%Y-%m-%d %H:%M}, {used}"
