"""The ranking of each search index: NDCG@10 over a judged catalog of 500 servers, agents, tools and skills.

Run it from the root of the checkout: `python -m benchmarks.ranking [--show]`. The ideal is 1, the aim is above 0.75.
benchmarks/ranking has the catalog and the judgments: of searches as people type them, and of paraphrases, questions
without a word of the documents that answer them. Half of each are for tuning, and `--show` prints their hits. For the
held-out halves the benchmark prints and stores only the mean, so that the index is not tuned for them.

With FEDHUB_EMBEDDING_MODEL the SQLite index is measured with this model too.

NDCG is that of Burges et al. (2005): a hit of grade g at rank r has the gain (2^g - 1) / log2(r + 1), relative to the
best order.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.measure import save_results
from federations.search.base import DocumentKind, IndexedResource, SearchDocument, SearchIndex, SearchQuery
from federations.search.documents import IndexableAgent, IndexableServer, documents_for_agent, documents_for_server
from federations.search.memory import MemorySearchIndex
from federations.search.sqlite import SqliteSearchIndex

DATA = Path(__file__).parent / "ranking"
DEPTH = 10
AIM = 0.75
TUNING, HELD_OUT = "tuning", "held_out"
# The questions that have no word of the documents which answer them, in two halves of their own.
PARAPHRASED_TUNING, PARAPHRASED_HELD_OUT = "paraphrased_tuning", "paraphrased_held_out"
HALVES = (TUNING, HELD_OUT, PARAPHRASED_TUNING, PARAPHRASED_HELD_OUT)
FEDERATION = "ranking-benchmark"
# The benchmark has its own collection and empties it at the end. Other objects of a server would change the figures.
COLLECTION = "FedhubRanking"
STAMPS = {"version": "1", "enriched_at": "2026-01-02T03:04:05Z"}


@dataclass(frozen=True, slots=True)
class JudgedSearch:
    """A search and the grades of documents by their `key`: 3 exact, 2 very useful, 1 related."""

    id: str
    kind: str
    text: str
    judgments: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The keys of the documents that a search found, best first, and the NDCG of this order."""

    search: JudgedSearch
    found: tuple[str, ...]
    ndcg: float


def catalog() -> list[IndexedResource]:
    """Return the documents of the catalog, built by the product's code."""
    content = json.loads((DATA / "catalog.json").read_text(encoding="utf-8"))
    return [documents_for_server(IndexableServer(**_given(each))) for each in content["servers"]] + [
        documents_for_agent(IndexableAgent(**_given(each))) for each in content["agents"]
    ]


def _given(entry: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in entry.items() if name != "id"}
    return own | STAMPS | {"resource_id": entry["id"], "federation_id": FEDERATION, "path": f"/{entry['id']}"}


def searches(half: str) -> list[JudgedSearch]:
    """Return the judged searches of a half, one of HALVES."""
    content = json.loads((DATA / f"{half}.json").read_text(encoding="utf-8"))
    return [JudgedSearch(**each) for each in content["queries"]]


def key(document: SearchDocument) -> str:
    """Return the key of a document in the judgments: the id of its resource, for a part with `/` and its name."""
    is_whole = document.kind in (DocumentKind.SERVER, DocumentKind.AGENT)
    return document.resource_id if is_whole else f"{document.resource_id}/{document.name}"


def ndcg(found: Sequence[str], judgments: Mapping[str, int]) -> float:
    """Return NDCG@10: 1 for the best possible order, 0 if no relevant document was found."""
    best = sorted(judgments.values(), reverse=True)
    return _gain([judgments.get(each, 0) for each in found]) / _gain(best)


def _gain(grades: Sequence[int]) -> float:
    return sum((2.0**grade - 1.0) / math.log2(rank + 1) for rank, grade in enumerate(grades[:DEPTH], 1))


def measure(index: SearchIndex, half: str) -> list[Outcome]:
    """Run all searches of a half on an index that has the catalog."""
    return [_outcome(index, search) for search in searches(half)]


def _outcome(index: SearchIndex, search: JudgedSearch) -> Outcome:
    page = index.search(SearchQuery(search.text, federation_ids=frozenset({FEDERATION}), limit=DEPTH))
    found = tuple(key(hit.document) for hit in page.hits)
    return Outcome(search, found, ndcg(found, search.judgments))


def mean_ndcg(outcomes: Sequence[Outcome]) -> float:
    """Return the mean over all searches, including those without a hit."""
    return fmean(outcome.ndcg for outcome in outcomes)


def by_kind(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return the mean of each kind of search, in the order of the file."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.search.kind].append(outcome)
    return {kind: mean_ndcg(group) for kind, group in groups.items()}


def main() -> None:
    """Measure each index, print the means and write the results. Only the tuning half has results per search."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", action="store_true", help="print each search of the tuning half and its hits")
    show = parser.parse_args().show
    resources = catalog()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="fedhub-bench-") as folder:
        for name, index in _indexes(Path(folder)):
            index.replace(resources)
            try:
                outcomes = {half: measure(index, half) for half in HALVES}
            finally:
                index.delete_federation(FEDERATION)
            if show:
                _show([*outcomes[TUNING], *outcomes[PARAPHRASED_TUNING]])
            results[name] = _result(outcomes)
    documents = sum(len(resource.documents) for resource in resources)
    _report(documents, results)
    print("raw:", save_results("ranking", {"documents": documents, "indexes": results}))


def _indexes(folder: Path) -> Iterator[tuple[str, SearchIndex]]:
    """Yield the embedded indexes, and the one on the server of WEAVIATE_URL."""
    yield "sqlite", SqliteSearchIndex(folder / "search.sqlite3")
    yield "memory", MemorySearchIndex()
    if model := os.environ.get("FEDHUB_EMBEDDING_MODEL"):
        from federations.search.embedding import OnnxModel
        from federations.search.meaning import Meaning

        meaning = Meaning(OnnxModel(Path(model)))
        yield "with model", SqliteSearchIndex(folder / "meaning.sqlite3", meaning=meaning)
    if os.environ.get("WEAVIATE_URL"):
        os.environ |= {"FEDHUB_VAR_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "fedhub.settings"}
        os.environ["WEAVIATE_COLLECTION"] = COLLECTION
        import django

        django.setup()
        from federations.search.registry import search_index
        from federations.search.weaviate import WeaviateSearchIndex

        index = search_index()
        assert isinstance(index, WeaviateSearchIndex)
        yield "weaviate", index
        index.close()


def _result(outcomes: Mapping[str, Sequence[Outcome]]) -> dict[str, Any]:
    tuning = [*outcomes[TUNING], *outcomes[PARAPHRASED_TUNING]]
    return {
        **{half: round(mean_ndcg(found), 4) for half, found in outcomes.items()},
        "searches": {half: len(found) for half, found in outcomes.items()},
        "tuning_by_kind": {kind: round(mean, 4) for kind, mean in by_kind(tuning).items()},
        "tuning_by_search": {outcome.search.id: round(outcome.ndcg, 4) for outcome in tuning},
    }


def _report(documents: int, results: Mapping[str, Any]) -> None:
    print(f"NDCG@{DEPTH} over {documents} documents (aim above {AIM})")
    print(f"{'index':<12}" + "".join(f"{half.replace('_', ' '):>22}" for half in HALVES))
    for name, result in results.items():
        print(f"{name:<12}" + "".join(f"{result[half]:>22.3f}" for half in HALVES))
    print("tuning halves, by kind of search")
    print(f"{'kind':<12}" + "".join(f"{name:>12}" for name in results))
    for kind in next(iter(results.values()))["tuning_by_kind"]:
        print(f"{kind:<12}" + "".join(f"{result['tuning_by_kind'][kind]:>12.3f}" for result in results.values()))


def _show(outcomes: Sequence[Outcome]) -> None:
    for outcome in sorted(outcomes, key=lambda each: each.ndcg):
        judgments = outcome.search.judgments
        print(f"{outcome.ndcg:.2f} {outcome.search.id} {outcome.search.text!r}")
        print("     found ", ", ".join(f"{each} ({judgments.get(each, 0)})" for each in outcome.found))
        missed = [f"{each} ({grade})" for each, grade in judgments.items() if each not in outcome.found]
        print("     missed", ", ".join(missed))


if __name__ == "__main__":
    main()
