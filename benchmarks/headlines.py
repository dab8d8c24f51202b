"""The headline figures of each benchmark, read from its raw results: what the summary of all benchmarks shows.

A figure stands beside an ideal, a peer measured in the same run, or an aim. Pure: the functions read the JSON that
`benchmarks.measure.save_results` wrote, so kept results of another day are read in the same way.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Results = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Headline:
    """One figure. `beside` is the figure to compare it with, and `what` says what that is."""

    name: str
    value: float
    unit: str
    beside: float | None = None
    what: str = ""
    is_higher_better: bool = False

    @property
    def ratio(self) -> float | None:
        """Return the figure as a part of the one beside it; None without one, or beside zero."""
        return self.value / self.beside if self.beside else None

    def loss(self, kept: Headline) -> float:
        """Return by which part the figure is worse than the kept one; a negative part is a gain."""
        if not kept.value or not self.value:
            return 0.0
        change = kept.value / self.value if self.is_higher_better else self.value / kept.value
        return change - 1


def headlines(benchmark: str, results: Results) -> list[Headline]:
    """Return the figures of a benchmark. Raises KeyError if the results have another shape."""
    return list(READERS[benchmark](results))


def _sync(results: Results) -> Iterator[Headline]:
    for run in results["runs"]:
        yield Headline(f"{run['name']}: time", run["seconds"], "s", run["ideal_seconds"], "ideal")
    yield Headline("peak memory", results["peak_memory_mb"], "MB")


def _schedules(results: Results) -> Iterator[Headline]:
    for name, text in (("idle", "beat's look, none due"), ("due", "beat's look, all due"), ("sweep", "sweep's look")):
        seconds, queries = results[name]
        yield Headline(f"{text}, {results['federations']:,} federations", seconds * 1000, "ms")
        yield Headline(f"{text}: queries", queries, "")


def _protocol(results: Results) -> Iterator[Headline]:
    for name, case in results.items():
        if isinstance(case, Mapping) and "raw_per_second" in case:
            raw = case["raw_per_second"]
            yield Headline(name, case["per_second"], "/s", raw, "raw PyNaCl", is_higher_better=True)


def _receive(results: Results) -> Iterator[Headline]:
    peer = _medians(results, "openintent")
    for server in dict.fromkeys(turn["server"] for turn in results["turns"]):
        if server == "openintent":
            continue
        own = _medians(results, server)
        yield Headline(f"{server}: requests", own["per_second"], "/s", peer["per_second"], "peer", True)
        yield Headline(f"{server}: processor time", own["server_cpu_ms"], "ms", peer["server_cpu_ms"], "peer")
        yield Headline(f"{server}: p95", own["p95_ms"], "ms", results["aims"]["p95_ms"], "aim")


def _medians(results: Results, server: str) -> dict[str, float]:
    turns = [turn for turn in results["turns"] if turn["server"] == server]
    return {key: statistics.median(turn[key] for turn in turns) for key in ("per_second", "server_cpu_ms", "p95_ms")}


def _processes(results: Results) -> Iterator[Headline]:
    alone = {row["senders_of_each"]: row["server_cpu_ms"] for row in results["figures"] if row["processes"] == 1}
    for row in results["figures"]:
        kind = f"web process{'es' if row['processes'] > 1 else ''}"
        count = f"{row['processes']} {kind} of {row['senders_of_each']} senders"
        yield Headline(
            f"{count}: processor time", row["server_cpu_ms"], "ms", alone[row["senders_of_each"]], "one process"
        )
        yield Headline(f"{count}: requests", row["per_second"], "/s", is_higher_better=True)


def _runs(results: Results) -> Iterator[Headline]:
    yield Headline("runs: time", results["runs_seconds"], "s", results["bare_seconds"], "bare client")
    yield Headline("a run: processor time", results["worker_cpu_ms"], "ms", results["bare_cpu_ms"], "bare client")
    for name in ("deliveries", "syncs"):
        alone = results[f"{name}_alone"]
        yield Headline(f"{name} beside slow runs", results[f"{name}_beside"], "s", alone, "alone")


def _log(results: Results) -> Iterator[Headline]:
    yield Headline(f"{results['entries']:,} entries verified", results["verify_seconds"], "s", 60.0, "aim")
    yield Headline("tampered entries found", results["found"], "", results["tampered"], "ideal", True)
    yield Headline("entries sealed", results["sealed_per_second"], "/s", is_higher_better=True)


def _ranking(results: Results) -> Iterator[Headline]:
    for index, halves in results["indexes"].items():
        for half, ndcg in halves.items():
            if isinstance(ndcg, float):
                yield Headline(f"{index}, {half.replace('_', ' ')} half: NDCG", ndcg, "", 1.0, "ideal", True)


def _compatibility(results: Results) -> Iterator[Headline]:
    for half, found in results["halves"].items():
        yield Headline(f"{half.replace('_', ' ')} half: agreement", found["agreement"], "", 1.0, "ideal", True)


def _search(results: Results) -> Iterator[Headline]:
    for run in results["runs"]:
        yield Headline(f"{run['index']}: search p95", run["search_p95_ms"], "ms", 200.0, "aim")
        yield Headline(f"{run['index']}: calls of a check", run["check_calls"], "", 1.0, "ideal")
        yield Headline(f"{run['index']}: rebuild", run["rebuild_seconds"], "s")
    yield from _searchers(results["served"], "")


def _searchers(served: Results, where: str) -> Iterator[Headline]:
    name = f"{served['searchers']} searchers{where}"
    yield Headline(f"{name}: searches", served["per_second"], "/s", 100.0, "aim", True)
    yield Headline(f"{name}: processor time", served["server_cpu_ms"], "ms")


def _query_plans(results: Results) -> Iterator[Headline]:
    aim = results["aims"]["query_p95_ms"]
    yield Headline(f"{results['server']}: substring p95", results["query_p95_ms"], "ms", aim, "aim")


def _pages(results: Results) -> Iterator[Headline]:
    pages = results["pages"]
    slowest = max(pages, key=lambda page: page["milliseconds"] / page["aim_ms"])
    yield Headline("median page", statistics.median(page["milliseconds"] for page in pages), "ms")
    yield Headline(
        f"page farthest from its aim: {slowest['name']}", slowest["milliseconds"], "ms", slowest["aim_ms"], "aim"
    )
    above = sum(page["milliseconds"] > page["aim_ms"] for page in pages)
    yield Headline(f"of {len(pages)} pages, above their aims", above, "")


def _growth(results: Results) -> Iterator[Headline]:
    last = max(figure["resources"] for figure in results["figures"])
    for figure in results["figures"]:
        if figure["resources"] == last:
            yield Headline(f"{figure['name']}, {last:,}: p95", figure["p95_ms"], "ms", figure["aim_ms"], "aim")
    yield from _searchers(results["served"], f", {last:,}")


READERS: dict[str, Callable[[Results], Iterator[Headline]]] = {
    "sync": _sync,
    "schedules": _schedules,
    "protocol": _protocol,
    "receive": _receive,
    "processes": _processes,
    "runs": _runs,
    "log": _log,
    "ranking": _ranking,
    "compatibility": _compatibility,
    "search": _search,
    "query_plans": _query_plans,
    "pages": _pages,
    "growth": _growth,
}
