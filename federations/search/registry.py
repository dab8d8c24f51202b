"""Which search index this hub uses: the only place of the search package that reads settings."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from django.conf import settings

from federations.search.base import SearchIndex
from federations.search.memory import MemorySearchIndex
from federations.search.sqlite import SqliteSearchIndex

IN_MEMORY = "memory"


def search_index() -> SearchIndex:
    """Return the index that `SEARCH_PATH` names: a file, or `memory` for one twin shared by the whole process."""
    return _index_at(str(settings.SEARCH_PATH))


@cache
def _index_at(location: str) -> SearchIndex:
    return MemorySearchIndex() if location == IN_MEMORY else SqliteSearchIndex(Path(location))
