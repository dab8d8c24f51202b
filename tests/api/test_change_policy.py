"""The policy of changes in create, update and detail, and `force` where held plans need a second person."""

from __future__ import annotations

from typing import Any

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.models import User
from pytest_django import Settings

from core.actors import actor_of
from core.errors import ConflictError
from federations.models import AccessLevel, ChangePolicy, Federation, SyncJob
from federations.services.access import grant
from federations.services.federations import update_federation
from federations.services.start import start_sync
from tests.api.contract import CREATE, FEDERATIONS, UPDATE, answer, error, path_of, refusal
from tests.conftest import CONFIG, Api, MakeFederation

pytestmark = pytest.mark.django_db

NO_FORCE = "force is not allowed here: another person than its author must apply the held plan"


def put(api: Api, user: User, federation: Federation, **members: Any) -> Any:
    return api(user).put(path_of(federation), UPDATE | members, format="json")


def policy_of(federation: Federation) -> str:
    return Federation.objects.values_list("change_policy", flat=True).get(id=federation.id)


def test_a_federation_is_created_with_a_policy(api: Api, owner: User) -> None:
    created = api(owner).post(FEDERATIONS, CREATE | {"changePolicy": "review"}, format="json").json()
    assert list(created)[-3:] == ["externalId", "changePolicy", "schedule"]
    assert created["changePolicy"] == "review"
    assert api(owner).get(path_of(created["id"])).json() == created
    assert "changePolicy" not in api(owner).get(FEDERATIONS).json()["federations"][0]


def test_an_update_without_the_policy_keeps_it(api: Api, owner: User, make_federation: MakeFederation) -> None:
    federation = make_federation(change_policy="review")
    assert put(api, owner, federation).json()["changePolicy"] == "review"


def test_an_editor_starts_reviews_and_an_owner_ends_them(
    api: Api, owner: User, reader: User, federation: Federation
) -> None:
    assert answer(put(api, reader, federation, changePolicy="flow")) == (403, refusal("EDIT"))
    grant(federation, level=AccessLevel.EDIT, user=reader)
    assert put(api, reader, federation, changePolicy="flow").status_code == 200
    assert put(api, reader, federation, changePolicy="review").json()["changePolicy"] == "review"
    assert put(api, reader, federation, changePolicy="review").status_code == 200
    assert answer(put(api, reader, federation, changePolicy="flow")) == (403, refusal("OWNER"))
    assert policy_of(federation) == "review"
    assert put(api, owner, federation, changePolicy="flow").json()["changePolicy"] == "flow"


def test_the_owner_of_another_federation_ends_no_reviews(
    api: Api, reader: User, stranger: User, make_federation: MakeFederation
) -> None:
    federation = make_federation(change_policy="review")
    grant(make_federation("other"), level=AccessLevel.OWNER, user=stranger)
    grant(federation, level=AccessLevel.EDIT, user=stranger)
    assert answer(put(api, stranger, federation, changePolicy="flow")) == (403, refusal("OWNER"))


def test_a_review_that_was_started_meanwhile_is_not_ended(owner: User, federation: Federation) -> None:
    Federation.objects.update(change_policy="review")
    with pytest.raises(ConflictError, match="The change policy was changed meanwhile"):
        update_federation(
            federation, display_name="x", description=None, tags=[], provider_config={**CONFIG}, by=actor_of(owner),
            change_policy=ChangePolicy.FLOW,
        )  # fmt: skip
    assert policy_of(federation) == "review"


@pytest.mark.django_db(transaction=True)
def test_the_policy_alone_is_no_change_of_the_configuration_and_is_audited(
    api: Api, owner: User, federation: Federation
) -> None:
    body = {"providerConfig": CONFIG, "changePolicy": "review", "syncAfterUpdate": True}
    assert put(api, owner, federation, **body).status_code == 200
    assert not SyncJob.objects.exists()
    entry = LogEntry.objects.filter(object_pk=federation.id, action=LogEntry.Action.UPDATE).latest("timestamp")
    assert (entry.changes_dict["change_policy"], entry.actor) == (["flow", "review"], owner)


# Force ---------------------------------------------------------------------------------------------------------------
def test_force_is_refused_at_each_endpoint_where_a_second_person_is_needed(
    api: Api, owner: User, reader: User, federation: Federation, settings: Settings
) -> None:
    settings.FEDHUB_PLAN_SECOND_PERSON = True
    before = Federation.objects.values().get()
    conflict = (409, error("conflict", NO_FORCE))
    sync = path_of(federation) + "/sync"
    assert answer(put(api, owner, federation, force=True)) == conflict
    assert answer(api(owner).post(sync, {"force": True}, format="json")) == conflict
    assert answer(api(owner).post(sync, {"force": True, "dryRun": True}, format="json")) == conflict
    for body in ({"force": True}, {"force": True, "dryRun": True}):
        legacy = api(owner, "system-ops").post("/api/v1/federation/agentcore/runtime/sync", body, format="json")
        assert answer(legacy) == conflict
    grant(federation, level=AccessLevel.EDIT, user=reader)
    assert answer(put(api, reader, federation, force=True)) == (403, refusal("DELETE"))
    assert Federation.objects.values().get() == before
    assert not SyncJob.objects.exists()


def test_the_force_of_an_older_update_ends_with_the_setting(
    api: Api, owner: User, federation: Federation, settings: Settings
) -> None:
    assert put(api, owner, federation, force=True).status_code == 200
    settings.FEDHUB_PLAN_SECOND_PERSON = True
    assert not start_sync(Federation.objects.get(), by=actor_of(owner)).force
