"""What a verb of `manage.py peer` consists of, and the arguments that several verbs share."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.core.management.base import OutputWrapper

from core.actors import Actor

Options = dict[str, Any]
"""The parsed arguments of a verb, by their names."""

SHELL = Actor(id="", name="shell")
"""The actor of every decision that is made with the command."""


def no_arguments(parser: ArgumentParser) -> None:
    """Declare no arguments, for a verb without arguments."""


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb of `manage.py peer`, such as `approve`, which the lists `VERBS` of this package's modules hold.

    `run` runs the verb with the parsed options and prints to the command's output; it raises HubError for a refusal
    and CommandError for wrong arguments. `add_arguments` declares the verb's arguments.
    """

    name: str
    help: str
    run: Callable[[OutputWrapper, Options], None]
    add_arguments: Callable[[ArgumentParser], None] = no_arguments


def add_url(parser: ArgumentParser) -> None:
    """Declare the URL of a known peer."""
    parser.add_argument("url", metavar="URL", help="the peer's base URL")


def add_reason(parser: ArgumentParser) -> None:
    """Declare the reason of a decision."""
    parser.add_argument("--reason", default="", help="the hub keeps it with the decision")


def add_url_and_reason(parser: ArgumentParser) -> None:
    """Declare the arguments of a decision about a known peer: its URL, and the reason."""
    add_url(parser)
    add_reason(parser)


def add_comparison(parser: ArgumentParser) -> None:
    """Declare the arguments of an approval: compared key or no key, reason, and date of the next review."""
    add_reason(parser)
    parser.add_argument("--fingerprint", default="", help="SHA-256 of the key, as the peer's staff told you")
    parser.add_argument(
        "--without-key", action="store_true", help="the peer has no key; the hub trusts its token alone"
    )
    parser.add_argument(
        "--review-by", type=date.fromisoformat, metavar="YYYY-MM-DD", help="when to review the decision"
    )
