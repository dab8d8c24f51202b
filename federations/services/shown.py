"""Find resources by the status and the texts that are shown.

A resource shows the status and description of the observation that refers to it, if there is one, otherwise those in
its own columns: a sync does not write a resource whose version stayed. Few observations refer to a resource, so a
separate query finds the ids of these resources, without a join.
"""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Prefetch, Q, QuerySet

from core.store.folding import contains_text
from core.store.substrings import with_candidates
from core.store.unit_of_work import subquery_or_list
from federations.models import DiscoveredResource, RuntimeObservation

Resource = TypeVar("Resource", bound=DiscoveredResource)


def prefetch_newer() -> Prefetch[str]:
    """Return the prefetch of the observations that `shown_status` and `shown_description` read, without warnings."""
    return Prefetch("newer", RuntimeObservation.objects.defer("warnings"))


def with_shown_status(rows: QuerySet[Resource], *statuses: str) -> QuerySet[Resource]:
    """Return those of `rows` that show one of the AgentCore `statuses`."""
    return rows.filter(shows_status(rows.model, *statuses))


def shows_status(model: type[DiscoveredResource], *statuses: str) -> Q:
    """Return the condition of the resources of `model` that show one of the AgentCore `statuses`."""
    column, newer = _newer(model)
    same, other = newer.filter(status__in=statuses), newer.exclude(status__in=statuses)
    found = Q(status__in=statuses) | Q(pk__in=subquery_or_list(same.values_list(column, flat=True)))
    return found & ~Q(pk__in=subquery_or_list(other.values_list(column, flat=True)))


def with_shown_text(rows: QuerySet[Resource], text: str, *name_columns: str) -> QuerySet[Resource]:
    """Return those of `rows` whose path, shown description or one of `name_columns` contains `text` in any case."""
    column, newer = _newer(rows.model)
    found = newer.filter(contains_text(text, "description")).values_list(column, flat=True)
    own = contains_text(text, "description") & ~Q(pk__in=subquery_or_list(newer.values_list(column, flat=True)))
    contains = contains_text(text, "path", *name_columns) | own | Q(pk__in=subquery_or_list(found))
    return with_candidates(rows, [text], also=found).filter(contains)


def _newer(model: type[DiscoveredResource]) -> tuple[str, QuerySet[RuntimeObservation]]:
    """Return the column with the resource's id, and the observations that refer to a resource of this model."""
    column = f"{model.observed_by}_id"
    # Not `isnull`: for a comparison SQLite reads the index of the few rows instead of every row.
    return column, RuntimeObservation.objects.filter(**{f"{column}__gt": ""}).order_by()
