"""This hub's agents as peers see them: agents, visibility."""

from __future__ import annotations

from argparse import ArgumentParser

from django.core.management.base import OutputWrapper

from core.console import make_console
from peers.management.peer_verbs.output import new_table, say
from peers.management.peer_verbs.verb import SHELL, Options, Verb
from peers.models import Visibility
from peers.services.catalog.agents import agents_with_visibility, choose_visibility

STYLE_OF_VISIBILITY = {Visibility.PUBLIC: "green", Visibility.UNLISTED: "yellow", Visibility.PRIVATE: "dim"}


def list_agents(stdout: OutputWrapper, options: Options) -> None:
    """Print the agents of this hub with their visibility."""
    console = make_console(stdout)
    found = agents_with_visibility(options["federation"])
    if not found:
        console.print("No agents.")
        return
    table = new_table("Agent", "Name", "Visibility", "Federation")
    for agent in found:
        place = "registered by hand" if agent.is_registered else agent.federation_id
        style = STYLE_OF_VISIBILITY[Visibility(agent.visibility)]
        table.add_row(agent.agent_id, agent.name, agent.visibility, place, style=style)
    console.print(table)


def set_visibility(stdout: OutputWrapper, options: Options) -> None:
    """Set the visibility of one agent."""
    named = {"federation_id": options["federation"], "by": SHELL}
    agent = choose_visibility(options["agent"], options["visibility"], **named)
    style = STYLE_OF_VISIBILITY[Visibility(agent.visibility)]
    say(stdout, f"{agent.agent_id} is {agent.visibility}.", style=style)


def _add_federation(parser: ArgumentParser) -> None:
    parser.add_argument("--federation", metavar="ID", help="only agents of this federation")


def _add_arguments_of_visibility(parser: ArgumentParser) -> None:
    parser.add_argument("agent", metavar="PATH", help="the agent's path, or its id for peers")
    parser.add_argument("visibility", choices=Visibility.values)
    _add_federation(parser)


VERBS = (
    Verb("agents", "list this hub's agents and their visibility", list_agents, _add_federation),
    Verb("visibility", "set the visibility of an agent of this hub", set_visibility, _add_arguments_of_visibility),
)
