"""The command `manage.py peer`, with which staff decide about peers; `peers/management/peer_verbs` holds its verbs."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.errors import HubError
from peers.management.peer_verbs import agents, credentials, decisions, files, listing, older_envelopes, own_key
from peers.management.peer_verbs.verb import Verb

VERBS: dict[str, Verb] = {
    verb.name: verb
    for module in (decisions, credentials, listing, files, agents, own_key, older_envelopes)
    for verb in module.VERBS
}


class Command(BaseCommand):
    """Runs the verb that the first argument names; each action that staff have in the admin has a verb."""

    help = "Decide about peers and their keys, import and export them, and set the visibility of agents."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the verbs with their arguments."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        for verb in VERBS.values():
            verb.add_arguments(verbs.add_parser(verb.name, help=verb.help))

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        """Run the verb; raise CommandError, with the message of the HubError, if the hub refuses."""
        try:
            VERBS[verb].run(self.stdout, options)
        except HubError as exc:
            raise CommandError(exc.message) from exc
