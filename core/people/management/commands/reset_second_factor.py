"""The command reset_second_factor: remove the second factors of a person who has lost them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.people.sessions import remove_second_factors


class Command(BaseCommand):
    """The command that removes second factors, for the case that the only superuser has lost a device."""

    help = "Remove the second factors and the recovery codes of the user NAME, and end the user's sessions."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the argument."""
        parser.add_argument("user", metavar="NAME")

    def handle(self, *args: Any, **options: Any) -> None:
        """Remove the second factors; raise CommandError for an unknown user."""
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"The hub does not know the user {options['user']}.")
        count = remove_second_factors(user)
        self.stdout.write(f"Second factors removed: {count}. The user signs in without one, or sets a new one up.")
