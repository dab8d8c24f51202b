"""/healthz says that the process answers; /readyz says whether the hub can work, and tells few callers why not."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client

from core.counts import take_all
from core.figures.keeping import store_figures
from federations.providers.agentcore.counted_calls import skew_seconds
from federations.providers.base import CLOUD_CLOCK_SKEW
from fedhub import health
from fedhub.health import Readiness
from fedhub.readiness import NotReadyError, all_checks, check_clock, check_keys


def passes() -> None:
    """The check that passes."""


def fails() -> None:
    """The check that fails."""
    raise NotReadyError("does not answer")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of two checks fails."""
    monkeypatch.setattr(health, "_readiness", Readiness({"index": passes, "broker": fails}))


def test_healthz_reads_no_database(client: Client) -> None:
    # Without the mark django_db each query fails.
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.django_db(transaction=True)
def test_a_working_hub_is_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_readiness", Readiness(all_checks()))
    answer = client.get("/readyz")
    assert answer.json() == {"status": "ready", "checks": dict.fromkeys(all_checks(), "ok")}
    assert answer.status_code == 200


def test_a_note_of_a_check_that_passes_leaves_the_hub_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_readiness", Readiness({"index": lambda: "by words alone", "broker": passes}))
    answer = client.get("/readyz")
    assert answer.json() == {"status": "ready", "checks": {"index": "ok: by words alone", "broker": "ok"}}
    assert answer.status_code == 200


@pytest.mark.usefixtures("broken")
def test_only_this_machine_and_the_metrics_token_learn_what_fails(client: Client, settings: LazySettings) -> None:
    settings.FEDHUB_METRICS_TOKEN = "a-token-of-prometheus"
    told = {"status": "unavailable", "checks": {"index": "ok", "broker": "does not answer"}}
    untold = {"status": "unavailable"}
    far, token = Client(REMOTE_ADDR="203.0.113.9"), {"Authorization": "Bearer a-token-of-prometheus"}
    assert client.get("/readyz").json() == told
    assert far.get("/readyz", headers=token).json() == told
    assert far.get("/readyz").json() == untold
    # A proxy on this machine that is not trusted: the address of the caller is the proxy's.
    assert client.get("/readyz", headers={"X-Forwarded-For": "203.0.113.9"}).json() == untold
    assert far.get("/readyz").status_code == 503


def test_a_check_that_hangs_fails_in_time_and_is_not_started_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.2)
    monkeypatch.setattr(health, "CACHE_SECONDS", 0.0)
    go_on, starts = threading.Event(), []

    def hangs() -> None:
        starts.append(1)
        go_on.wait(20)

    readiness = Readiness({"slow": hangs, "quick": passes})
    begun = time.monotonic()
    for _ in range(2):
        assert readiness.results() == {"slow": health.TIMED_OUT, "quick": "ok"}
    assert time.monotonic() - begun < 5 and starts == [1]
    go_on.set()
    monkeypatch.setattr(health, "CHECK_SECONDS", 20)
    assert readiness.results()["slow"] == "ok"


def test_many_probes_in_a_second_make_one_round() -> None:
    rounds = []
    readiness = Readiness({"one": lambda: rounds.append(1)})
    for _ in range(5):
        readiness.results()
    assert len(rounds) == 1


def test_a_key_that_others_can_open_is_named(settings: LazySettings, tmp_path: Path) -> None:
    settings.FEDHUB_KEY_PATH = tmp_path / "hub_key"
    settings.FEDHUB_KEY_PATH.write_bytes(b"x")
    settings.FEDHUB_KEY_PATH.chmod(0o600)
    check_keys()
    settings.FEDHUB_KEY_PATH.chmod(0o640)
    with pytest.raises(NotReadyError, match=r"^other users can open: hub key$"):
        check_keys()


@pytest.mark.django_db
def test_a_clock_that_is_off_at_the_last_call_is_not_ready() -> None:
    take_all()
    check_clock()
    CLOUD_CLOCK_SKEW.set(-30)
    store_figures()
    check_clock()
    CLOUD_CLOCK_SKEW.set(-3600)
    store_figures()
    with pytest.raises(NotReadyError, match=r"3600 seconds ahead of the cloud's"):
        check_clock()


def test_the_skew_is_read_from_the_date_of_an_answer() -> None:
    assert skew_seconds("Sun, 06 Nov 1994 08:49:37 GMT", 784111777.0 - 90) == 90
    assert skew_seconds("soon", 0.0) is None
