"""Fill an empty development hub with the rows of a hub with volume."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db.models import Model

from core.actors import actor_of
from federations.models import AccessLevel, DailyCount, Federation
from federations.services.access import grant
from federations.services.index import rebuild_index
from federations.services.schedule import write_next_sync
from sandbox.volume.accounts import make_accounts
from sandbox.volume.daily_rows import store_daily_counts
from sandbox.volume.dispatch_rows import store_dispatches
from sandbox.volume.draws import Draws
from sandbox.volume.job_rows import store_jobs
from sandbox.volume.peer_rows import store_agents_for_peers, store_peers
from sandbox.volume.received_rows import store_received
from sandbox.volume.sizes import VolumeSizes
from sandbox.volume.synced_rows import store_account

ROLES = ("platform-operator", "security-reviewer", "integration-owner", "risk-desk", "release-manager")
GROUPS = ("Operators", "Reviewers", "Auditors")
OWN_APPS = ("federations", "peers")


def find_stored_row() -> Model | None:
    """Return a row of the hub's own tables, or None if they are empty; users, groups and tokens are not looked at."""
    models = [model for app in OWN_APPS for model in apps.get_app_config(app).get_models()]
    # A sweep counts an empty hub too.
    rows = (model._default_manager.first() for model in models if model is not DailyCount)
    return next((row for row in rows if row is not None), None)


def seed_volume(sizes: VolumeSizes, *, seed: int, now: datetime, report: Callable[[str], None]) -> None:
    """Store all rows, and build the search index. `report` is called with a line before each part."""
    draws = Draws(seed, now, sizes.days)
    people = [actor_of(user) for user in _users()]
    report(f"{sizes.federations} federations with {sizes.resources:,} resources")
    synced = [store_account(account, sizes, draws, people[0]) for account in make_accounts(sizes)]
    _give_access([each.federation for each in synced])
    report(f"{sizes.jobs:,} jobs")
    store_jobs(synced, sizes.jobs, draws, people)
    store_daily_counts(synced, now)
    report(f"{sizes.peers} peers")
    peers = store_peers(sizes.peers, draws, people)
    store_agents_for_peers(draws, people)
    report(f"{sizes.dispatches:,} dispatches and {sizes.dispatches // 10:,} received ones")
    store_dispatches(sizes.dispatches, peers, draws, people)
    store_received(sizes.dispatches // 10, peers, draws)
    report("the search index")
    rebuild_index()


def _users() -> Iterator[User]:
    """Yield the users of the roles; they have no password, so nobody can sign in as one of them."""
    for name in ROLES:
        user, is_new = User.objects.get_or_create(username=name, defaults={"is_staff": True})
        if is_new:
            user.set_unusable_password()
            user.save(update_fields=["password"])
        yield user


def _give_access(federations: Sequence[Federation]) -> None:
    """Grant each federation to a group and to a role, and write its schedule."""
    groups = [Group.objects.get_or_create(name=name)[0] for name in GROUPS]
    users = [User.objects.get(username=name) for name in ROLES]
    for number, federation in enumerate(federations):
        grant(federation, level=AccessLevel.OWNER, user=users[number % len(users)])
        grant(federation, level=AccessLevel.VIEW, group=groups[number % len(groups)])
        write_next_sync(federation.id)
