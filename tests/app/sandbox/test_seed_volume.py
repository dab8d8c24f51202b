"""`manage.py seed_volume`: what it stores, and where it refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db.models import Max, Model

from core.store.unit_of_work import unit_of_work
from federations.models import (
    DailyCount,
    Federation,
    McpServer,
    PlanStatus,
    RuntimeObservation,
    StoredPlan,
    SyncJob,
    SyncStatus,
)
from federations.search.registry import search_index
from federations.services.stored_plans.basis import check_basis, rows_basis, settings_basis
from federations.services.sync_targets import target_of
from peers.models import (
    Dispatch,
    DispatchState,
    InboundCallback,
    JournalEntry,
    OutboundCallback,
    Peer,
    PeerState,
    ReceivedDispatch,
)
from sandbox.volume.accounts import make_accounts
from sandbox.volume.seed import seed_volume
from sandbox.volume.sizes import VolumeSizes

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SMALL = VolumeSizes(federations=10, resources=120, tools=4, most_tools=12, jobs=60, peers=12, dispatches=60)
TINY = VolumeSizes(federations=2, resources=12, tools=2, most_tools=3, jobs=8, peers=4, dispatches=12)
PAST: tuple[tuple[type[Model], str], ...] = (
    (McpServer, "updated_at"),
    (SyncJob, "created_at"),
    (InboundCallback, "received_at"),
    (OutboundCallback, "created_at"),
    (Dispatch, "finished_at"),
    (JournalEntry, "at"),
)
COLUMNS: dict[type[Model], tuple[str, ...]] = {
    Federation: ("id", "display_name", "sync_status", "updated_at"),
    McpServer: ("path", "content_digest", "updated_at"),
    SyncJob: ("id", "status", "created_at"),
    Peer: ("id", "state", "updated_at"),
    Dispatch: ("id", "status", "created_at"),
    JournalEntry: ("id", "text"),
}


def seed(sizes: VolumeSizes = SMALL) -> None:
    try:
        seed_volume(sizes, seed=7, now=NOW, report=lambda line: None)
    finally:
        search_index().clear()


@pytest.mark.django_db
def test_a_small_hub_has_the_wanted_numbers_and_every_state() -> None:
    seed()

    assert (Federation.objects.count(), SyncJob.objects.count()) == (10, 60)
    assert (Peer.objects.count(), Dispatch.objects.count(), ReceivedDispatch.objects.count()) == (12, 60, 6)
    assert McpServer.objects.count() == 60
    assert set(Federation.objects.values_list("sync_status", flat=True)) == set(SyncStatus.values)
    assert set(Peer.objects.values_list("state", flat=True)) == set(PeerState.values)
    assert set(Dispatch.objects.values_list("status", flat=True)) == set(DispatchState.values)
    assert set(StoredPlan.objects.values_list("status", flat=True)) == set(PlanStatus.values)
    assert RuntimeObservation.objects.exclude(error="").exists()
    assert InboundCallback.objects.exists()
    assert OutboundCallback.objects.filter(dead_at__isnull=False).exists()
    for model, column in PAST:
        assert not model._default_manager.filter(**{f"{column}__gt": NOW}).exists(), (model, column)

    assert DailyCount.objects.aggregate(newest=Max("day"))["newest"] == NOW.date() - timedelta(days=1)
    failed = Federation.objects.filter(sync_status=SyncStatus.FAILED, last_sync__held=False)
    assert failed.exists()
    assert not failed.filter(failing_since__isnull=True).exists()

    for plan in StoredPlan.objects.filter(status=PlanStatus.OPEN):
        federation = plan.federation
        assert plan.held
        assert federation.last_sync is not None and federation.last_sync.plan_id == plan.id
        check_basis(plan.basis, {**settings_basis(federation), **rows_basis(target_of(federation), ())})


class Undo(Exception):
    """Ends a unit of work, which then stores nothing."""


@pytest.mark.django_db
def test_the_same_seed_gives_the_same_rows() -> None:
    found = []
    for _ in range(2):
        with pytest.raises(Undo), unit_of_work():
            seed(TINY)
            found.append(
                [
                    list(model._default_manager.order_by(*columns).values_list(*columns))
                    for model, columns in COLUMNS.items()
                ]
            )
            raise Undo

    assert found[0] == found[1]


def test_the_resources_are_parted_without_a_rest() -> None:
    accounts = make_accounts(VolumeSizes())
    assert (sum(each.servers for each in accounts), sum(each.agents for each in accounts)) == (3_000, 3_000)
    assert len({each.name for each in accounts}) == len({each.suffix for each in accounts}) == 63


@pytest.mark.django_db
def test_production_is_refused(settings: LazySettings) -> None:
    settings.DEBUG = False
    with pytest.raises(CommandError, match="DEBUG is off"):
        call_command("seed_volume")


@pytest.mark.django_db
def test_a_hub_with_rows_is_refused_and_one_with_users_alone_is_not(settings: LazySettings) -> None:
    settings.DEBUG = True
    User.objects.create_user("somebody")
    wanted = ["--federations=2", "--resources=8", "--jobs=4", "--peers=4", "--dispatches=4", "--most-tools=4"]
    call_command("seed_volume", *wanted, verbosity=0)
    search_index().clear()

    with pytest.raises(CommandError, match="it has a federation"):
        call_command("seed_volume")
    assert Federation.objects.count() == 2
