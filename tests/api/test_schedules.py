"""The schedule of a federation in create, update and detail."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from federations.models import AccessLevel, Federation
from federations.services.access import grant
from tests.api.contract import CREATE, FEDERATIONS, UPDATE, answer, path_of, refusal
from tests.conftest import Api, MakeFederation

pytestmark = pytest.mark.django_db

NIGHTLY = {"crontab": "0 2 * * *", "timeZone": "Europe/Berlin"}


def put(api: Api, user: User, federation: Federation, **members: Any) -> Any:
    return api(user).put(path_of(federation), UPDATE | members, format="json")


def test_a_federation_is_created_with_a_schedule_and_shows_it(api: Api, owner: User) -> None:
    created = api(owner).post(FEDERATIONS, CREATE | {"schedule": NIGHTLY}, format="json").json()
    shown = created["schedule"]
    stored = Federation.objects.get(id=created["id"])
    assert stored.next_sync_at and stored.next_sync_at > timezone.now()
    assert shown == {
        "intervalSeconds": None,
        "crontab": "0 2 * * *",
        "timeZone": "Europe/Berlin",
        "paused": False,
        "nextSyncAt": f"{stored.next_sync_at:%Y-%m-%dT%H:%M:%SZ}",
        "words": "every day at 02:00 Europe/Berlin",
    }
    assert api(owner).get(path_of(created["id"])).json()["schedule"] == shown


def test_an_update_changes_pauses_keeps_and_ends_a_schedule(
    api: Api, owner: User, make_federation: MakeFederation
) -> None:
    federation = make_federation()
    assert put(api, owner, federation).json()["schedule"] is None
    shown = put(api, owner, federation, schedule={"intervalSeconds": 3600}).json()["schedule"]
    assert (shown["intervalSeconds"], shown["words"], shown["nextSyncAt"] is None) == (3600, "every hour", False)
    shown = put(api, owner, federation, schedule=NIGHTLY | {"paused": True}).json()["schedule"]
    assert (shown["paused"], shown["nextSyncAt"]) == (True, None)
    assert put(api, owner, federation).json()["schedule"] == shown
    assert put(api, owner, federation, schedule=None).json()["schedule"] is None


@pytest.mark.parametrize(
    ("schedule", "detail"),
    [
        ({"intervalSeconds": 299}, "The sync interval must be from 5 minutes to 366 days"),
        ({"crontab": "*/2 * * * *"}, "The crontab runs twice within 2 minutes"),
        ({"crontab": "0 2 * * *", "intervalSeconds": 600}, "A schedule is an interval or a crontab, not both"),
        ({"crontab": "0 2 * * *", "timeZone": "Mars"}, "'Mars' is not a time zone"),
        ({"intervalSeconds": "soon"}, "schedule"),
        ("daily", "schedule"),
    ],
)
def test_a_wrong_schedule_is_refused_and_nothing_changes(
    api: Api, owner: User, make_federation: MakeFederation, schedule: Any, detail: str
) -> None:
    federation = make_federation()
    response = put(api, owner, federation, schedule=schedule)
    assert response.status_code == 400
    assert detail in str(response.json())
    federation.refresh_from_db()
    assert (federation.sync_interval_seconds, federation.sync_crontab) == (None, "")
    assert federation.display_name != UPDATE["displayName"]


def test_a_schedule_needs_the_right_to_edit(api: Api, reader: User, make_federation: MakeFederation) -> None:
    federation = make_federation()
    assert answer(put(api, reader, federation, schedule=NIGHTLY)) == (403, refusal("EDIT"))
    grant(federation, level=AccessLevel.EDIT, user=reader)
    assert put(api, reader, federation, schedule=NIGHTLY).status_code == 200
