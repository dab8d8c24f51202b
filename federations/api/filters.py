"""The query parameters of the list endpoints, as filters on the rows that the caller may view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast

from django.db.models import QuerySet
from django.http import QueryDict

from core.api.errors import BadRequestError
from core.api.query import text_parameter, text_parameters
from core.ids import is_object_id
from core.store.folding import contains_text
from core.store.unit_of_work import subquery_or_list
from federations.models import (
    DiscoveredResource,
    Federation,
    FederationQuerySet,
    McpServer,
    PlannedChange,
    RuntimeObservation,
)
from federations.search.base import DocumentKind
from federations.services.inventory import HAS_ERROR, with_runtime_text
from federations.services.shown import with_shown_status, with_shown_text

LAST_SEARCH_PAGE = 1000
TRUTH_VALUES = {"true": True, "false": False}

Resource = TypeVar("Resource", bound=DiscoveredResource)


def filter_federations(rows: QuerySet[Federation], query: QueryDict) -> FederationQuerySet:
    """Apply providerType, syncStatus, tag, tags and query, or keyword where query is absent; raise BadRequestError."""
    found = cast(FederationQuerySet, rows)
    if (provider_type := text_parameter(query, "providerType")) is not None:
        found = found.filter(provider_type=provider_type)
    if (sync_status := text_parameter(query, "syncStatus")) is not None:
        found = found.filter(sync_status=sync_status)
    tag = text_parameter(query, "tag")
    found = found.with_tags([*([] if tag is None else [tag]), *text_parameters(query, "tags")])
    if text := text_parameter(query, "query" if "query" in query else "keyword"):
        found = found.matching(text)
    return found


def filter_resources(rows: QuerySet[Resource], query: QueryDict, *, names: Sequence[str]) -> QuerySet[Resource]:
    """Apply federationId, status, tag and query to servers or agents; raise BadRequestError.

    An unknown value finds no row. `query` searches the description, the path and the columns `names`.
    """
    if (federation_id := text_parameter(query, "federationId")) is not None:
        rows = rows.filter(federation_id=federation_id) if is_object_id(federation_id) else rows.none()
    if (status := text_parameter(query, "status")) is not None:
        rows = with_shown_status(rows, status)
    if (tag := text_parameter(query, "tag")) is not None:
        # A subquery instead of a join: a join would return a resource with two equal tags twice.
        tags: Any = rows.model._meta.get_field("tag_rows").related_model
        tagged = tags._default_manager.filter(name=tag).values_list("resource_id", flat=True)
        rows = rows.filter(id__in=subquery_or_list(tagged))
    if text := text_parameter(query, "query"):
        rows = with_shown_text(rows, text, *names)
    return rows


def filter_servers(rows: QuerySet[McpServer], query: QueryDict) -> QuerySet[McpServer]:
    """Apply the filters of resources, and protocolVersion, to servers; raise BadRequestError."""
    if (version := text_parameter(query, "protocolVersion")) is not None:
        rows = rows.filter(protocol_version=version)
    return filter_resources(rows, query, names=["server_name", "title"])


def filter_runtimes(rows: QuerySet[RuntimeObservation], query: QueryDict) -> QuerySet[RuntimeObservation]:
    """Apply federationId, protocol, status, hasError and query to the inventory; raise BadRequestError.

    An unknown value finds no row, but a `hasError` other than `true` and `false` is refused.
    """
    if (federation_id := text_parameter(query, "federationId")) is not None:
        rows = rows.filter(scope=federation_id) if is_object_id(federation_id) else rows.none()
    if (protocol := text_parameter(query, "protocol")) is not None:
        rows = rows.filter(protocol=protocol)
    if (status := text_parameter(query, "status")) is not None:
        rows = rows.filter(status=status)
    if (has_error := text_parameter(query, "hasError")) is not None:
        if has_error not in TRUTH_VALUES:
            raise BadRequestError("hasError: must be true or false")
        rows = rows.filter(HAS_ERROR if TRUTH_VALUES[has_error] else ~HAS_ERROR)
    if text := text_parameter(query, "query"):
        rows = with_runtime_text(rows, text)
    return rows


def filter_changes(rows: QuerySet[PlannedChange], query: QueryDict) -> QuerySet[PlannedChange]:
    """Apply action, kind, class and query to the changes of a plan or job; raise BadRequestError.

    An unknown value finds no row. `query` searches the name of the resource and the reason.
    """
    for name, column in (("action", "action"), ("kind", "kind"), ("class", "change_class")):
        if (value := text_parameter(query, name)) is not None:
            rows = rows.filter(**{column: value})
    if text := text_parameter(query, "query"):
        rows = rows.filter(contains_text(text, "name", "reason"))
    return rows


def search_text(query: QueryDict) -> str:
    """Return the text to search for; raise BadRequestError if it is missing or blank."""
    text = (text_parameter(query, "query") or "").strip()
    if not text:
        raise BadRequestError("query: this parameter is required")
    return text


def search_kinds(query: QueryDict) -> frozenset[DocumentKind]:
    """Return the kinds to search for, empty for every kind; raise BadRequestError for an unknown kind."""
    known = [kind.value for kind in DocumentKind]
    kinds = text_parameters(query, "kind")
    if unknown := [kind for kind in kinds if kind not in known]:
        raise BadRequestError(f"kind: unknown value {unknown[0]!r}; known are {', '.join(known)}")
    return frozenset(DocumentKind(kind) for kind in kinds)
