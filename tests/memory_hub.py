"""The sync engine over the provider's memory twin, in this process or in one of its own that a test may stop or kill.

Run as a program it syncs one federation, or applies the plan in the variable PLAN, and says where it is on standard
output, one word a line: `discovering` before the account answers, `applying` when the discovery is done and nothing is
written yet, `written` when the transaction is full but not committed, `done` at the end or `lost` where another process
has taken the job. At the point named by its second argument it waits for a line on standard input.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest import mock

import django

if TYPE_CHECKING:
    from federations.models import SyncJob

ACTOR_NAME = "tests"


@contextmanager
def provider(twin: object) -> Iterator[None]:
    """Let every provider type be served by `twin` while the block runs."""
    places = ("federations.services.discover.provider_for", "federations.services.runs.target.provider_for")
    with mock.patch(places[0], return_value=twin), mock.patch(places[1], return_value=twin):
        yield


def start_process(federation_id: str, wait_at: str = "", **environment: str) -> subprocess.Popen[str]:
    """Sync a federation of the test's database in a process of its own."""
    from django.conf import settings

    from tests.stores.databases import variables_of_test_database

    return subprocess.Popen(
        [sys.executable, "-m", "tests.memory_hub", federation_id, wait_at],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            **{f"TEST_{name}": value for name, value in variables_of_test_database().items()},
            "FEDHUB_VAR_DIR": str(settings.VAR_DIR),
            "FEDHUB_JOB_LEASE_SECONDS": str(settings.FEDHUB_JOB_LEASE_SECONDS),
            **environment,
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _say(word: str, wait_at: str) -> None:
    print(word, flush=True)
    if word == wait_at:
        sys.stdin.readline()


def _main(federation_id: str, wait_at: str) -> None:
    django.setup()
    from core.errors import ConflictError
    from federations.services import apply, run
    from tests.findings import agent, server
    from tests.memory_provider import MemoryProvider

    names = os.environ.get("SERVERS", "one,two").split(",")
    twin = MemoryProvider(
        findings=[*(server(name, version=os.environ.get("VERSION", "1")) for name in names), agent("helper")],
        before_answer=lambda request: _say("discovering", wait_at),
    )
    write = apply.apply_changes
    begin = run._apply

    def applying(*args: object, **kwargs: object) -> object:
        _say("applying", wait_at)
        return begin(*args, **kwargs)  # type: ignore[arg-type]

    def written(*args: object) -> object:
        touched = write(*args)  # type: ignore[arg-type]
        _say("written", wait_at)
        return touched

    with provider(twin), mock.patch.object(run, "_apply", applying), mock.patch.object(run, "apply_changes", written):
        try:
            run.run_sync(_start_job(federation_id).id)
        except ConflictError as exc:
            print(f"lost {exc.message}", flush=True)
        else:
            print("done", flush=True)


def _start_job(federation_id: str) -> SyncJob:
    """Start a sync, or the apply of the stored plan that the environment variable PLAN names."""
    from core.actors import Actor
    from federations.models import Federation, JobTrigger, StoredPlan
    from federations.services.start import start_sync
    from federations.services.stored_plans.apply import start_apply

    by = Actor("1", ACTOR_NAME)
    if "PLAN" not in os.environ:
        return start_sync(Federation.objects.get(id=federation_id), by=by)
    plan = StoredPlan.objects.select_related("federation").get(id=os.environ["PLAN"])
    return start_apply(plan, digest=plan.digest, by=by, trigger=JobTrigger.MANUAL)


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")
