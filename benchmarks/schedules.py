"""1,000 scheduled federations: a look of the beat with none due and with all due, and the repair by the sweep.

The aim is a constant number of queries for a look without work, and a few for each batch of due syncs.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import django

VAR = Path(tempfile.mkdtemp(prefix="fedhub-schedules-"))
os.environ |= {"DJANGO_SETTINGS_MODULE": "fedhub.settings", "FEDHUB_VAR_DIR": str(VAR)}
django.setup()

from django.core.management import call_command  # noqa: E402 - Django must be set up first
from django.utils import timezone  # noqa: E402

from benchmarks.measure import save_results  # noqa: E402
from core.beat.lease import hold  # noqa: E402
from federations.models import Federation, SyncJob  # noqa: E402
from federations.schedules.rule import Schedule, check_crontab  # noqa: E402
from federations.services.due_syncs import BATCH, start_due_syncs  # noqa: E402
from federations.services.schedule import next_sync_of, repair_schedules  # noqa: E402
from federations.services.start import check_syncable  # noqa: E402
from tests.stores.counting import counted_queries  # noqa: E402

FEDERATIONS = 1000
CONFIG = {"region": "us-east-1", "assumeRoleArn": "arn:aws:iam::123456789012:role/fedhub-discovery"}
# A half has an interval; the others have one of ten crontabs.
RULES = [
    Schedule(300),
    Schedule(3600),
    *(Schedule(crontab=f"{5 * n} 2 * * *", time_zone="Europe/Berlin") for n in range(10)),
]
# SQLite takes 38 new jobs in a statement; other stores take a batch at once.
AIM_IDLE_QUERIES, AIM_DUE_QUERIES, AIM_REPAIR_QUERIES = 2, 60, 10
AIM_IDLE_SECONDS, AIM_DUE_SECONDS, AIM_SWEEP_SECONDS = 0.05, 5.0, 0.5


def make_federations() -> None:
    """Store the federations, each with its next sync."""
    rows = []
    for number in range(FEDERATIONS):
        rule = RULES[number % 2] if number % 4 < 2 else RULES[2 + number % 10]
        row = Federation(
            display_name=f"Account {number}",
            provider_config=CONFIG,
            sync_interval_seconds=rule.interval_seconds,
            sync_crontab=rule.crontab,
            sync_time_zone=rule.time_zone,
        )
        row.next_sync_at = next_sync_of(row, timezone.now())
        rows.append(row)
    Federation.objects.bulk_create(rows)


def measured(work: Callable[[], object]) -> tuple[float, int]:
    """Return the seconds and the queries of `work`."""
    started = time.perf_counter()
    with counted_queries() as queries:
        work()
    return time.perf_counter() - started, len(queries)


def measure() -> dict[str, Any]:
    """Return the figures of each part."""
    make_federations()
    hold("benchmark")
    repair_schedules()
    # A beat imports the provider once.
    check_syncable(Federation.objects.all()[0])
    # Nothing may be due by chance.
    Federation.objects.filter(next_sync_at__lte=timezone.now() + timedelta(minutes=1)).update(
        next_sync_at=timezone.now() + timedelta(minutes=1)
    )
    results: dict[str, Any] = {"federations": FEDERATIONS}
    results["idle"] = measured(lambda: (hold("benchmark"), start_due_syncs()))
    Federation.objects.update(next_sync_at=timezone.now() - timedelta(hours=5))
    results["due"] = measured(start_due_syncs)
    if SyncJob.objects.count() != FEDERATIONS:
        raise SystemExit(f"{SyncJob.objects.count()} jobs were queued, not {FEDERATIONS}")
    results["busy"] = measured(start_due_syncs)
    results["sweep"] = measured(repair_schedules)
    Federation.objects.update(next_sync_at=None)
    results["repair"] = measured(repair_schedules)
    results["crontab"] = measured(lambda: check_crontab("*/5 * * * *", shortest_seconds=300))
    return results


def main() -> int:
    """Measure, print each figure beside its aim, and return 1 if one is missed."""
    call_command("migrate", verbosity=0)
    results = measure()
    aims = {
        "idle": ("the beat's look, none due", AIM_IDLE_SECONDS, AIM_IDLE_QUERIES),
        "due": (f"the beat's look, all due, in batches of {BATCH}", AIM_DUE_SECONDS, AIM_DUE_QUERIES),
        "sweep": ("the sweep's look at the schedules", AIM_SWEEP_SECONDS, 1),
        "repair": ("the sweep's repair of all schedules", AIM_DUE_SECONDS, AIM_REPAIR_QUERIES),
    }
    failed = False
    for name, (text, seconds, queries) in aims.items():
        taken, asked = results[name]
        is_met = taken <= seconds and asked <= queries
        failed |= not is_met
        print(f"{text:50} {taken * 1000:8.1f} ms (aim {seconds * 1000:.0f})  {asked:3} queries (aim {queries})")
    print(f"{'check of a crontab':50} {results['crontab'][0] * 1000:8.1f} ms")
    print(f"Results: {save_results('schedules', results)}")
    return int(failed)


if __name__ == "__main__":
    try:
        code = main()
    finally:
        shutil.rmtree(VAR, ignore_errors=True)
    sys.exit(code)
