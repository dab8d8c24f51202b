"""The rows of runs as lists read them: with the beginning of the message, and without the large columns."""

from __future__ import annotations

from django.db.models import QuerySet
from django.db.models.functions import Substr

from federations.models import AgentRun

LARGE_COLUMNS = ("text", "data", "answer", "usage", "limits", "question", "input_text")
BEGINNING_CHARACTERS = 1_000


def slim(runs: QuerySet[AgentRun]) -> QuerySet[AgentRun]:
    """Return runs with `beginning`, the first 1,000 characters of the message, and without large columns."""
    return runs.defer(*LARGE_COLUMNS).annotate(beginning=Substr("text", 1, BEGINNING_CHARACTERS))


def beginning_of(run: AgentRun) -> str:
    """Return the beginning of the message, also of a run that is not from `slim`."""
    found: str | None = getattr(run, "beginning", None)
    return run.text[:BEGINNING_CHARACTERS] if found is None else found
