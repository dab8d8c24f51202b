"""The number of queries of each page, as a committed baseline: neither a change nor more rows make it grow unseen."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.test import Client

from core.people import middleware
from federations.models import A2aAgent
from federations.search.registry import search_index
from sandbox.volume.seed import seed_volume
from sandbox.volume.sizes import VolumeSizes
from tests.browser.rows import (
    ORDERS,
    addresses,
    api_addresses,
    count_rows,
    make_changes,
    make_notifications,
    make_periodic_task,
    make_runs,
    page_name,
)
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db

BASELINE = Path(__file__).with_name("query_counts.json")
RENEW = "FEDHUB_RENEW_QUERY_COUNTS"
MOST_QUERIES = 15
# Django's lists count twice: the rows that match, and all rows.
MOST_REPEATS = 2
# The larger hub has twice as many rows on each list, and twice as many below each row.
SMALL = VolumeSizes(federations=10, resources=120, tools=4, most_tools=12, jobs=40, peers=12, dispatches=60)
LARGE = VolumeSizes(federations=20, resources=300, tools=8, most_tools=24, jobs=160, peers=24, dispatches=240)


@pytest.fixture(autouse=True)
def sessions_are_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no page of a slow machine be the one that renews the list of sessions, once a minute."""
    monkeypatch.setattr(middleware, "SEEN_SECONDS", 3600)


def test_each_page_asks_the_databases_as_often_as_the_baseline_says(client: Client) -> None:
    counts = measure(client, SMALL)
    if os.environ.get(RENEW):
        BASELINE.write_text(json.dumps(counts, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    expected = json.loads(BASELINE.read_text(encoding="utf-8"))

    changed = differences(expected, counts)
    assert not changed, f"{changed}\nIf this is meant, renew {BASELINE.name}: make query-counts"
    assert [f"{page}: {count}" for page, count in counts.items() if count > MOST_QUERIES] == []


def test_a_page_asks_no_more_often_with_twice_as_many_rows(client: Client) -> None:
    counts = measure(client, LARGE)

    changed = differences(json.loads(BASELINE.read_text(encoding="utf-8")), counts)
    assert not changed, f"{changed}\nA query in a loop over rows makes a page ask more often."


def measure(client: Client, sizes: VolumeSizes) -> dict[str, int]:
    """Store rows, and return the number of queries of each page, by the page's name."""
    try:
        seed_volume(sizes, seed=7, now=datetime(2026, 6, 1, 12, tzinfo=UTC), report=lambda line: None)
        make_notifications(sizes.peers)
        make_runs(A2aAgent.objects.order_by(*ORDERS[A2aAgent])[0], times=sizes.peers)
        make_periodic_task()
        make_changes()
        count_rows()
        client.force_login(User.objects.create_superuser("operator"))
        # Django keeps content types once they are read.
        ContentType.objects.clear_cache()
        for is_concrete in (True, False):
            ContentType.objects.get_for_models(*apps.get_models(), for_concrete_models=is_concrete)
        counts: dict[str, int] = {}
        for path in dict.fromkeys([*addresses(), *api_addresses()]):
            with counted_queries() as queries:
                response = client.get(path, headers={"accept": "text/html"}, follow=True)
            assert response.status_code == 200, path
            repeats, query = max((number, sql) for sql, number in Counter(queries).items())
            assert repeats <= MOST_REPEATS, f"{path} sends {repeats} times: {query}"
            counts[unique(page_name(path), counts)] = len(queries)
        return counts
    finally:
        search_index().clear()


def unique(name: str, taken: dict[str, int]) -> str:
    """Return the name, with a number if another row's page has it already."""
    number = 1 + sum(other.partition(" #")[0] == name for other in taken)
    return f"{name} #{number}" if number > 1 else name


def differences(expected: dict[str, int], counts: dict[str, int]) -> str:
    """Return a line for each page whose count is another one."""
    return "\n".join(
        f"{page}: {expected.get(page, 'absent')} -> {counts.get(page, 'absent')}"
        for page in sorted(expected.keys() | counts.keys())
        if expected.get(page) != counts.get(page)
    )
