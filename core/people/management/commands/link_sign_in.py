"""The command link_sign_in: let an account at a provider sign in as a user of the hub."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.people.accounts import link
from core.people.provider_client import SignInRefusedError
from core.people.providers import sign_in_providers


class Command(BaseCommand):
    """The command that links an account of a provider, for the first superuser and after a lock-out."""

    help = "Let the account SUBJECT at the provider PROVIDER sign in as the user NAME."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--user", metavar="NAME", required=True)
        parser.add_argument("--provider", required=True, help="the provider's name in FEDHUB_SIGN_IN_PROVIDERS")
        parser.add_argument("--subject", required=True, help="the provider's id of the person: the claim sub")

    def handle(self, *args: Any, **options: Any) -> None:
        """Link the account; raise CommandError for an unknown user or provider, and for an account of another user."""
        user = User.objects.filter(username=options["user"]).first()
        provider = sign_in_providers().get(options["provider"])
        if user is None or provider is None:
            unknown = f"the user {options['user']}" if user is None else f"the provider {options['provider']}"
            raise CommandError(f"The hub does not know {unknown}.")
        try:
            link(user, issuer=provider.issuer, subject=options["subject"])
        except SignInRefusedError as exc:
            raise CommandError(exc.message) from exc
        self.stdout.write(f"{options['subject']} at {provider.issuer} signs in as {user}.")
