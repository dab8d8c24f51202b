"""The figures in Prometheus's form: the stored counts, and the gauges that apps compute at the time of a scrape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from core.counts import BUCKET, DECLARED, SUM, Count, Latest, Spread
from core.figures.gauges import Gauge

Stored = Mapping[str, Mapping[tuple[str, ...], float]]


def exposition(gauges: Iterable[Gauge], stored: Stored) -> bytes:
    """Return all figures in Prometheus's text format; a declared count without a row and without labels is 0."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures([*(_gauge(each) for each in gauges), *_counted(stored)]))
    return generate_latest(registry)


class _Figures:
    """The collector of prometheus_client that holds figures which are read already."""

    def __init__(self, figures: list[Metric]) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        """Return the figures."""
        return self._figures

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the registry holds this collector alone, so no two names can collide."""
        return ()


def _gauge(gauge: Gauge) -> Metric:
    family = GaugeMetricFamily(gauge.name, gauge.text, labels=gauge.labels)
    for values, number in gauge.numbers.items():
        family.add_metric(values, number)
    return family


def _counted(stored: Stored) -> Iterable[Metric]:
    for name, declared in sorted(DECLARED.items()):
        if isinstance(declared, Count):
            yield _count(declared, stored.get(name, {}))
        elif isinstance(declared, Spread):
            yield _spread(declared, stored)
        elif isinstance(declared, Latest) and name in stored:
            yield _gauge(Gauge(name, declared.text, (), stored[name]))


def _count(count: Count, rows: Mapping[tuple[str, ...], float]) -> Metric:
    family = CounterMetricFamily(count.name, count.text, labels=count.labels)
    for values, number in (rows or ({} if count.labels else {(): 0})).items():
        family.add_metric(values, number)
    return family


def _spread(spread: Spread, stored: Stored) -> Metric:
    family = HistogramMetricFamily(spread.name, spread.text, labels=spread.labels)
    counts, sums = stored.get(spread.name + BUCKET, {}), stored.get(spread.name + SUM, {})
    bounds = [*(f"{bound:g}" for bound in spread.bounds), "+Inf"]
    for values in sums or ({} if spread.labels else {(): 0.0}):
        total, buckets = 0.0, []
        for bound in bounds:
            total += counts.get((*values, bound), 0)
            buckets.append((_bound(bound), total))
        family.add_metric(values, buckets, sum_value=sums.get(values, 0))
    return family


def _bound(text: str) -> str:
    """Return a bound as Prometheus writes it: 1 is 1.0, so that rules of other exporters fit."""
    return text if text == "+Inf" else str(float(text))
