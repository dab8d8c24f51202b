"""List and find the tools of all MCP servers, and the skills of all A2A agents, that a user may view.

A tool or skill is an entry of a document of its server or agent, and each server and agent has a column with the number
of entries. A page of a list therefore takes three queries: the sum of the numbers, the numbers of the owners up to the
page, which tell the owners of the page, then the documents of these owners alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet, Sum

from core.store.folding import contains_text
from core.store.unit_of_work import subquery_or_list
from federations.models import DiscoveredResource
from federations.search.base import MAX_LIMIT, DocumentKind, SearchDocument, SearchHit
from federations.search.documents import part_name, part_number
from federations.services.access import AnyUser, agents_visible_to, servers_visible_to
from federations.services.search import search
from federations.sync.resources import Json, JsonObject

MAX_TAGGED_HITS = 500


@dataclass(frozen=True, slots=True)
class PartKind:
    """What differs between tools and skills.

    `owners` returns the servers or agents that a user may view. `column` is the owners' column with the parts,
    `count_column` the column with their number, and `name_column` the column with the owner's name. `kind` is the kind
    of the parts' documents in the search index.
    """

    owners: Callable[[AnyUser], QuerySet[Any]]
    column: str
    count_column: str
    name_column: str
    kind: DocumentKind


TOOLS = PartKind(servers_visible_to, "tools", "num_tools", "server_name", DocumentKind.TOOL)
SKILLS = PartKind(agents_visible_to, "skills", "num_skills", "name", DocumentKind.SKILL)


@dataclass(frozen=True, slots=True)
class Part:
    """A tool or skill as its server or agent listed it, with that owner and its place in the owner's list, from 0."""

    owner: DiscoveredResource
    found: JsonObject
    place: int


@dataclass(frozen=True, slots=True)
class PartPage:
    """A page of parts. `total` is the number of parts on all pages."""

    parts: tuple[Part, ...]
    total: int


def list_parts(
    kind: PartKind,
    *,
    user: AnyUser,
    federation_id: str = "",
    tag: str = "",
    owner_text: str = "",
    page: int = 1,
    per_page: int = 50,
) -> PartPage:
    """Return the parts that `user` may view, in the order of their owners' names, and of each owner's own list.

    A `federation_id` that is not empty restricts the list to one federation, a `tag` to the owners with this cloud tag,
    and `owner_text` to the owners whose name contains the text in any case.
    """
    owners = kind.owners(user).filter(**{f"{kind.count_column}__gt": 0})
    if federation_id:
        owners = owners.filter(federation_id=federation_id)
    if tag:
        owners = _with_tag(owners, tag)
    if owner_text:
        owners = owners.filter(contains_text(owner_text, kind.name_column))
    counts = owners.order_by(kind.name_column, "id").values_list("id", kind.count_column)
    total = owners.order_by().aggregate(total=Sum(kind.count_column))["total"] or 0
    slices = _slices(counts.iterator(), (page - 1) * per_page, per_page)
    rows = _owners_by_id(kind, user, slices)
    parts = [
        Part(rows[owner_id], found, place)
        for owner_id, own in slices.items()
        if owner_id in rows
        for place, found in enumerate(_parts_of(rows[owner_id], kind)[own], own.start)
        if isinstance(found, dict)
    ]
    return PartPage(tuple(parts), total)


def find_parts(
    kind: PartKind,
    *,
    text: str,
    user: AnyUser,
    federation_id: str = "",
    tag: str = "",
    page: int = 1,
    per_page: int = 50,
) -> PartPage:
    """Return the parts that the search index finds for `text` and that `user` may view, best first.

    `total` is the number that the index counts, so it can include parts whose owner the sync has just deleted. The
    documents of parts do not have the owners' cloud tags, so with a `tag` only the best MAX_TAGGED_HITS hits are looked
    at. Raises ExternalServiceError if the index cannot be read.
    """
    where: dict[str, Any] = {"text": text, "user": user, "kinds": [kind.kind], "federation_id": federation_id}
    if not tag:
        results = search(**where, page=page, per_page=per_page)
        return PartPage(tuple(_parts_of_hits(kind, user, results.hits)), results.total)
    hits: list[SearchHit] = []
    for number in range(1, MAX_TAGGED_HITS // MAX_LIMIT + 1):
        results = search(**where, page=number, per_page=MAX_LIMIT)
        hits += results.hits
        if results.total <= number * MAX_LIMIT:
            break
    tagged = set(_with_tag(kind.owners(user), tag).order_by().values_list("id", flat=True))
    kept = [hit for hit in hits if hit.document.resource_id in tagged]
    first = (page - 1) * per_page
    return PartPage(tuple(_parts_of_hits(kind, user, kept[first : first + per_page])), len(kept))


def part_tags(kind: PartKind, user: AnyUser, limit: int) -> list[str]:
    """Return the cloud tags of the owners that `user` may view, in their order, at most `limit`."""
    owners = kind.owners(user).order_by()
    tags = _tag_rows(owners)
    if owners.query.where:
        tags = tags.filter(resource__in=subquery_or_list(owners.values_list("pk", flat=True)))
    return list(tags.order_by("name").values_list("name", flat=True).distinct()[:limit])


def _parts_of_hits(kind: PartKind, user: AnyUser, hits: Sequence[SearchHit]) -> Iterator[Part]:
    rows = _owners_by_id(kind, user, {hit.document.resource_id for hit in hits})
    for hit in hits:
        if owner := rows.get(hit.document.resource_id):
            yield Part(owner, _part_of_hit(owner, kind, hit.document), part_number(hit.document))


def _with_tag(owners: QuerySet[Any], tag: str) -> QuerySet[Any]:
    tagged = _tag_rows(owners).filter(name=tag).values_list("resource_id", flat=True)
    return owners.filter(id__in=subquery_or_list(tagged))


def _tag_rows(owners: QuerySet[Any]) -> QuerySet[Any]:
    model: Any = owners.model._meta.get_field("tag_rows").related_model
    rows: QuerySet[Any] = model._default_manager.all()
    return rows


def _slices(counts: Iterable[tuple[str, int]], offset: int, limit: int) -> dict[str, slice]:
    """Return the slice of each owner's list that lies on the page, by the owner's id; read no owner after the page."""
    slices: dict[str, slice] = {}
    before = 0
    for owner_id, count in counts:
        start, end = max(offset - before, 0), min(offset + limit - before, count)
        if start < end:
            slices[owner_id] = slice(start, end)
        before += count
        if before >= offset + limit:
            break
    return slices


def _owners_by_id(kind: PartKind, user: AnyUser, owner_ids: Collection[str]) -> Mapping[str, DiscoveredResource]:
    if not owner_ids:
        return {}
    columns = ("id", kind.name_column, kind.column, "path", "updated_at", "federation_id")
    # A separate query reads the federations: MongoDB would join every row before it filters.
    rows = kind.owners(user).filter(id__in=list(owner_ids)).only(*columns).prefetch_related("federation", "tag_rows")
    return {row.id: row for row in rows}


def _parts_of(owner: DiscoveredResource, kind: PartKind) -> list[Json]:
    parts = getattr(owner, kind.column)
    return parts if isinstance(parts, list) else []


def _part_of_hit(owner: DiscoveredResource, kind: PartKind, document: SearchDocument) -> JsonObject:
    """Return the part that `document` describes, or its name and text if the owner changed since it was indexed."""
    number, parts = part_number(document), _parts_of(owner, kind)
    found = parts[number] if number < len(parts) else None
    if isinstance(found, dict) and part_name(found) == document.name:
        return found
    return {"name": document.name, "description": document.text.partition("\n")[0]}
