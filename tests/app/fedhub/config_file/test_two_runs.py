"""Two runs at once write each object once, and neither overwrites what the other one wrote."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from django.contrib.auth.models import Group
from django.db import connections

from federations.models import Federation
from fedhub.config_file.apply import Outcome, apply_plan, make_plan
from peers.models import Peer

pytestmark = pytest.mark.django_db(transaction=True)
RUNS = 3
FILE = """\
version: 1
groups: [{name: On call}]
federations: [{name: A}, {name: B, enabled: false, schedule: {interval_seconds: 300}}]
peers: [{server_url: https://partner.example.org, name: Partner}]
"""


def test_runs_at_the_same_time_create_each_object_once() -> None:
    all_have_planned = Barrier(RUNS)

    def run(number: int) -> list[Outcome]:
        try:
            plan = make_plan(FILE, folder=Path(), prune=False)
            all_have_planned.wait(timeout=60)
            return list(apply_plan(plan))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(RUNS) as pool:
        found = [outcome for outcomes in pool.map(run, range(RUNS)) for outcome in outcomes]

    written = sorted(outcome.change.name for outcome in found if outcome.is_whole)
    assert written == ["A", "B", "On call", "https://partner.example.org"]
    assert {outcome.refusal.partition(",")[0] for outcome in found if outcome.refusal} == {
        "It changed since the plan was made"
    }
    counts = [Federation.objects.count(), Group.objects.filter(name="On call").count(), Peer.objects.count()]
    assert counts == [2, 1, 1]
    assert make_plan(FILE, folder=Path(), prune=False).to_do == []
