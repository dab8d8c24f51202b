"""Index and search 100,000 invented documents in the SQLite index, without a model and with that of a folder.

Run it from the root of the checkout: `FEDHUB_EMBEDDING_MODEL=folder python -m benchmarks.meaning [--servers N]`.
Without that variable only the index without a model is measured. Each index has a process of its own, because the peak
of memory is that of a process. The documents are those of servers with ten tools each. The aim for the 95th percentile
of a search is 200 ms.

`found` is the share of the ten nearest documents, by a comparison of all vectors, that the signs find.
"""

from __future__ import annotations

import argparse
import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean

from benchmarks.invented import NOUNS, queries, sentence, tool
from benchmarks.measure import peak_memory_mb, save_results
from federations.search.base import IndexedResource, SearchQuery
from federations.search.documents import IndexableServer, documents_for_server
from federations.search.sqlite import SqliteSearchIndex

SERVERS = 9_091
TOOLS = 10
BATCH = 500
SEARCHES = 200
NEAREST = 10
AIM_P95_MS = 200.0


@dataclass(frozen=True, slots=True)
class Run:
    """The figures of one index. `cpu` is the processor time of a search."""

    index: str
    documents: int
    rebuild_seconds: float
    rebuild_cpu_seconds: float
    peak_memory_mb: float
    file_mb: float
    search_p50_ms: float
    search_p95_ms: float
    search_cpu_ms: float
    found: float | None


def main() -> None:
    """Measure each index in its own process, print the figures and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", type=int, default=SERVERS)
    servers = parser.parse_args().servers
    model = os.environ.get("FEDHUB_EMBEDDING_MODEL", "")
    runs = []
    for folder in dict.fromkeys(["", model]):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            runs.append(process.submit(_measure, folder, servers).result())
    for run in runs:
        print(", ".join(f"{name} {value}" for name, value in asdict(run).items()))
    print(f"aim for p95: {AIM_P95_MS:.0f} ms; raw:", save_results("meaning", {"runs": [asdict(run) for run in runs]}))


def _measure(model: str, servers: int) -> Run:
    meaning = None
    if model:
        from federations.search.embedding import OnnxModel
        from federations.search.meaning import Meaning

        meaning = Meaning(OnnxModel(Path(model)))
    with tempfile.TemporaryDirectory(prefix="fedhub-bench-") as folder:
        path = Path(folder) / "search.sqlite3"
        index = SqliteSearchIndex(path, meaning=meaning)
        started, cpu, documents = time.perf_counter(), time.process_time(), 0
        resources = _resources(servers)
        while batch := list(islice(resources, BATCH)):
            index.replace(batch)
            documents += sum(len(each.documents) for each in batch)
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
        peak, size = peak_memory_mb(), path.stat().st_size / 2**20
        texts = queries(SEARCHES, servers)
        cpu = time.process_time()
        times = sorted(_milliseconds(index, text) for text in texts)
        search_cpu = (time.process_time() - cpu) * 1000 / len(texts)
        found = _found(path, model, texts[:50]) if model else None
    p50, p95 = (round(times[int(len(times) * share)], 1) for share in (0.5, 0.95))
    name = "with model" if model else "without model"
    figures = (round(seconds, 1), round(cpu_seconds, 1), round(peak), round(size), p50, p95, round(search_cpu, 1))
    return Run(name, documents, *figures, found)


def _resources(servers: int) -> Iterator[IndexedResource]:
    rng = random.Random(7)
    for number in range(servers):
        yield documents_for_server(
            IndexableServer(
                resource_id=f"{number:024}",
                federation_id=f"federation-{number % 20}",
                name=f"{rng.choice(NOUNS)}_{number}_mcp",
                path=f"/agentcore/mcp/{number}",
                description=sentence(rng),
                version="1",
                enriched_at="2026-01-02T03:04:05Z",
                tools=[tool(rng) for _ in range(TOOLS)],
            )
        )


def _milliseconds(index: SqliteSearchIndex, text: str) -> float:
    started = time.perf_counter()
    index.search(SearchQuery(text))
    return (time.perf_counter() - started) * 1000


def _found(path: Path, model: str, texts: list[str]) -> float:
    """Return the mean share of the nearest documents of all that the search by signs finds."""
    import numpy as np

    from federations.search.embedding import OnnxModel
    from federations.search.meaning import Meaning

    meaning = Meaning(OnnxModel(Path(model)))
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT number, vector FROM vectors").fetchall()
        numbers = np.array([number for number, _ in rows])
        stored = np.frombuffer(b"".join(vector for _, vector in rows), np.int8).reshape(len(rows), -1)
        vectors = stored.astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        shares = []
        for text in texts:
            asked = meaning.of(text)
            assert asked
            best = numbers[np.argsort(-(vectors @ asked.vector))[:NEAREST]].tolist()
            near = asked.nearest(connection, SearchQuery(text))
            shares.append(len(set(best) & set(near)) / NEAREST)
    return round(fmean(shares), 3)


if __name__ == "__main__":
    main()
