"""Invented servers, agents and queries for benchmarks; the same seed gives the same ones."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

VERBS = ["get", "list", "create", "update", "delete", "find", "export", "import", "approve", "cancel", "send", "check"]
PREFIXES = ["tax", "gold", "city", "fleet", "home", "night", "river", "store", "team", "trade", "water", "young"]
SUFFIXES = ["account", "book", "card", "desk", "file", "form", "guide", "line", "list", "map", "note", "plan", "rate"]
# As many words as in a catalog of thousands of tools: some are in a few documents, some in hundreds.
NOUNS = [f"{prefix}{suffix}" for prefix in PREFIXES for suffix in SUFFIXES] + PREFIXES + SUFFIXES


def tool(rng: random.Random) -> dict[str, Any]:
    """Return a tool with a schema of three properties."""
    properties = {rng.choice(NOUNS) + "_id": {"type": "string", "description": sentence(rng)} for _ in range(3)}
    return {
        "name": f"{rng.choice(VERBS)}_{rng.choice(NOUNS)}",
        "description": sentence(rng),
        "inputSchema": {"type": "object", "properties": properties},
    }


def sentence(rng: random.Random) -> str:
    """Return a sentence with a verb and three nouns."""
    verb, nouns = rng.choice(VERBS).capitalize(), rng.sample(NOUNS, 3)
    return f"{verb} the {nouns[0]} of a {nouns[1]} by {nouns[2]} number"


def queries(number: int, servers: int) -> list[str]:
    """Return typical queries: a name, two words, the beginning of a word, a server, and a word of many documents."""
    rng = random.Random(11)
    kinds: list[Callable[[], str]] = [
        lambda: f"{rng.choice(VERBS)}_{rng.choice(NOUNS)}",
        lambda: f"{rng.choice(NOUNS)} {rng.choice(NOUNS)}",
        lambda: rng.choice(NOUNS)[:4],
        lambda: f"{rng.choice(NOUNS)}_{rng.randrange(servers)}_mcp",
        lambda: rng.choice([*NOUNS, "number"]),
    ]
    return [kinds[turn % len(kinds)]() for turn in range(number)]
