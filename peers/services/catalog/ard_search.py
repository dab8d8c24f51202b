"""The search of the public resources by Agentic Resource Discovery (section 5.3.2), and the referrals to other hubs.

A search ranks the public resources in memory, by the rules of the hub's own search. It never asks another hub, because
a stranger would otherwise make this hub send requests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from django.conf import settings

from core.errors import InvalidRequestError
from core.strict_json import Json, JsonObject
from federations.search.base import MAX_LIMIT, SearchQuery
from peers.models import Peer, PeerState
from peers.protocol.ard import ArtifactType, publisher_of
from peers.services.catalog.ard import CATALOG, Catalog, Published, registry_url, values_of
from peers.services.trust.identity import hub_url

DEFAULT_PAGE, MAX_PAGE = 10, 100
MAX_REFERRALS = 100
MAX_TEXT_CHARS = 500
MAX_FILTER_KEYS, MAX_FILTER_VALUES = 10, 50
FILTERS = ("type", "tags", "capabilities", "identifier", "displayName", "version", "publisher")
SHOWN = ("identifier", "displayName", "type", "url", "description", "tags", "capabilities", "version", "updatedAt")


@dataclass(frozen=True, slots=True)
class ArdQuery:
    """A search, as `read_query` reads it from the body of a request.

    `filters` maps each term to its allowed values. `with_referrals` asks for other hubs; a caller that asks for `auto`
    gets them too, because this hub asks no other hub itself.
    """

    text: str
    filters: Mapping[str, frozenset[str]]
    with_referrals: bool = True
    page_size: int = DEFAULT_PAGE
    offset: int = 0


def read_query(body: Json, *, offset: int) -> ArdQuery:
    """Read the body of POST /search; raises InvalidRequestError that names the wrong member."""
    if not isinstance(body, dict):
        raise InvalidRequestError("The request body is not a JSON object")
    query, federation, size = body.get("query"), body.get("federation", "auto"), body.get("pageSize", DEFAULT_PAGE)
    if not isinstance(query, dict):
        raise InvalidRequestError("query: must be an object")
    text = query.get("text")
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT_CHARS:
        raise InvalidRequestError(f"query.text: must be a text of 1 to {MAX_TEXT_CHARS} characters")
    if federation not in ("auto", "referrals", "none"):
        raise InvalidRequestError("federation: must be none, referrals or auto")
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MAX_PAGE:
        raise InvalidRequestError(f"pageSize: must be a whole number from 1 to {MAX_PAGE}")
    return ArdQuery(text, _read_filters(query.get("filter", {})), federation != "none", size, offset)


def search_public(query: ArdQuery) -> tuple[JsonObject, int | None]:
    """Return the answer without its page token, and the offset of the next page or None."""
    catalog = CATALOG.get()
    end = query.offset + query.page_size
    # One more than the page tells whether another one follows.
    found = list(islice(_passing(query, catalog), end + 1))
    source = registry_url() + "/"
    results: list[Json] = [
        {**{name: each.entry[name] for name in SHOWN if name in each.entry}, "score": score, "source": source}
        for each, score in found[query.offset : end]
    ]
    answer: JsonObject = {"results": results}
    if query.with_referrals and not query.offset and (others := referrals()):
        answer["referrals"] = [*others]
    return answer, end if len(found) > end else None


def referrals() -> list[JsonObject]:
    """Return the approved peers that offer a search of their own, by URL.

    This names approved peers to strangers, so there are none unless FEDHUB_PUBLISH_PEERS is on.
    """
    if not settings.FEDHUB_PUBLISH_PEERS:
        return []
    peers = Peer.objects.filter(state=PeerState.APPROVED).exclude(ard_url="").order_by("server_url")
    return [
        {
            "identifier": f"urn:air:{publisher_of(server_url)}:registry:hub",
            "displayName": publisher_of(server_url),
            "type": ArtifactType.REGISTRY.value,
            "url": ard_url,
        }
        for server_url, ard_url in peers.values_list("server_url", "ard_url")[:MAX_REFERRALS]
    ]


def _read_filters(found: Json) -> Mapping[str, frozenset[str]]:
    if not isinstance(found, dict) or len(found) > MAX_FILTER_KEYS:
        raise InvalidRequestError(f"query.filter: must be an object of at most {MAX_FILTER_KEYS} terms")
    filters = {}
    for name, values in found.items():
        listed = values if isinstance(values, list) else [values]
        if name not in FILTERS:
            raise InvalidRequestError(f"query.filter: {name:.60} is no term of this hub; it has {', '.join(FILTERS)}")
        if len(listed) > MAX_FILTER_VALUES or not all(isinstance(value, str) for value in listed):
            raise InvalidRequestError(f"query.filter.{name}: must be at most {MAX_FILTER_VALUES} texts")
        filters[name] = frozenset(str(value) for value in listed)
    return filters


def _passes(entry: JsonObject, filters: Mapping[str, frozenset[str]]) -> bool:
    return all(not values.isdisjoint(_values_of(entry, name)) for name, values in filters.items())


def _passing(query: ArdQuery, catalog: Catalog) -> Iterator[tuple[Published, int]]:
    """Yield the resources that match, best first, each with a score from 1 to 100."""
    for offset in range(0, len(catalog.resources), MAX_LIMIT):
        page = catalog.index.search(SearchQuery(query.text, limit=MAX_LIMIT, offset=offset))
        for hit in page.hits:
            each = catalog.resources[hit.document.id]
            if _passes(each.entry, query.filters):
                yield each, max(1, min(100, round(100 * hit.score)))
        if offset + MAX_LIMIT >= page.total:
            return


def _values_of(entry: JsonObject, name: str) -> list[str]:
    return [publisher_of(hub_url())] if name == "publisher" else values_of(entry, name)
