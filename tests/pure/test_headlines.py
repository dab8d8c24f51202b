"""The summary of the benchmarks reads each kept file of results, and tells a loss from a gain."""

from __future__ import annotations

import json

import pytest

from benchmarks.__main__ import FILES
from benchmarks.headlines import READERS, Headline, headlines
from benchmarks.measure import RESULTS


@pytest.mark.parametrize("name", READERS)
def test_each_kept_file_has_figures_with_names_of_their_own(name: str) -> None:
    found = headlines(name, json.loads((RESULTS / f"{FILES.get(name, name)}.json").read_text(encoding="utf-8")))
    assert found
    assert len({headline.name for headline in found}) == len(found)
    assert all((headline.beside is None) == (headline.what == "") for headline in found)


def test_a_loss_is_a_longer_time_or_a_lower_rate() -> None:
    def time(value: float) -> Headline:
        return Headline("time", value, "s")

    def rate(value: float) -> Headline:
        return Headline("rate", value, "/s", is_higher_better=True)

    assert time(1.5).loss(time(1.0)) == pytest.approx(0.5)
    assert time(0.5).loss(time(1.0)) == pytest.approx(-0.5)
    assert rate(50).loss(rate(100)) == pytest.approx(1.0)
    assert rate(200).loss(rate(100)) == pytest.approx(-0.5)
    assert (time(0).loss(time(1)), rate(0).loss(rate(100)), time(1).loss(time(0))) == (0.0, 0.0, 0.0)


def test_a_figure_beside_another_has_their_ratio() -> None:
    assert Headline("requests", 50, "/s", 200, "peer").ratio == 0.25
    assert Headline("time", 1, "s").ratio is None
    assert Headline("warnings", 0, "", 0, "ideal").ratio is None
