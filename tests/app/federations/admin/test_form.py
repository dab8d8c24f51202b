from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import unescape
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from federations.models import AccessLevel, Federation, FederationGrant, JobType, SyncJob
from federations.services.federations import set_enabled
from tests.app.federations.admin.cloud import ROLE, STAFF, MemoryCloud, federation

pytestmark = pytest.mark.django_db

ADD = reverse("admin:federations_federation_add")
NO_GRANTS = {"grants-TOTAL_FORMS": "0", "grants-INITIAL_FORMS": "0"}
TYPED = {
    "display_name": "Payments",
    "description": "",
    "tags": "production, payments",
    "provider_type": "aws_agentcore",
    "region": "us-east-1",
    "role_arn": ROLE,
    "tag_filter": "env:production, team:platform",
    "sync_interval": "",
    "sync_crontab": "",
    "sync_time_zone": "UTC",
    "change_policy": "flow",
    **NO_GRANTS,
}


def edit(found: Federation) -> str:
    return reverse("admin:federations_federation_edit", args=[found.pk])


def save(client: Client, path: str, typed: Mapping[str, Any]) -> Any:
    """Post the form, and confirm what the save would change if the hub asks."""
    response = client.post(path, typed)
    effects = (response.context or {}).get("effects") if response.status_code == 200 else None
    return client.post(path, {**typed, "_confirmed": effects.digest}) if effects else response


def errors_of(response: object) -> dict[str, list[str]]:
    return dict(response.context["adminform"].form.errors)  # type: ignore[attr-defined]


def grants(*rows: dict[str, str], initial: int = 0) -> dict[str, str]:
    typed = {"grants-TOTAL_FORMS": str(len(rows)), "grants-INITIAL_FORMS": str(initial)}
    return typed | {f"grants-{number}-{key}": value for number, row in enumerate(rows) for key, value in row.items()}


def test_a_federation_is_created_from_what_is_typed(admin: Client) -> None:
    response = admin.post(ADD, TYPED)

    assert response.status_code == 302, errors_of(response)
    found = Federation.objects.get()
    assert found.display_name == "Payments"
    assert found.description is None
    assert found.tags == ["production", "payments"]
    assert found.provider_config == {
        "region": "us-east-1",
        "assumeRoleArn": ROLE,
        "resourceTagsFilter": {"env": "production", "team": "platform"},
    }
    assert found.created_by_name == "operator"
    assert found.external_id.startswith("fedhub-")
    assert SyncJob.objects.count() == 0


def test_the_creator_owns_the_federation(admin: Client) -> None:
    admin.post(ADD, TYPED)

    grant = FederationGrant.objects.get()
    assert (grant.holder_name, grant.level) == ("operator", AccessLevel.OWNER)


def test_a_federation_can_be_saved_without_region_and_role(admin: Client) -> None:
    response = admin.post(ADD, TYPED | {"region": "", "role_arn": "", "tag_filter": ""})

    assert response.status_code == 302
    assert Federation.objects.get().provider_config == {}


@pytest.mark.parametrize(
    ("typed", "field", "message"),
    [
        ({"display_name": "   "}, "display_name", "This field is required."),
        ({"display_name": "x" * 201}, "display_name", "at most 200 characters"),
        ({"region": "mars"}, "region", "mars is not an AWS region."),
        ({"role_arn": "me"}, "role_arn", "Role ARN is not the ARN of an IAM role"),
        (
            {"role_arn": "arn:aws:iam::123456789012:role/admin"},
            "role_arn",
            "Role ARN is not among the roles this hub may assume",
        ),
        ({"tag_filter": "production"}, "tag_filter", "This part has no value: production"),
        ({"tag_filter": "env:a, env:b"}, "tag_filter", "The tag filter has the key env twice"),
        ({"tags": "x" * 201}, "tags", "at most 200 characters"),
        ({"sync_interval": "4"}, "sync_interval", "from 5 minutes to 366 days"),
        ({"sync_interval": "367 days"}, "sync_interval", "from 5 minutes to 366 days"),
        ({"sync_interval": "soon"}, "sync_interval", "Type a number and a unit"),
        ({"sync_interval": "1 h", "sync_crontab": "0 2 * * *"}, "sync_crontab", "an interval or a crontab, not both"),
        ({"sync_crontab": "@daily"}, "sync_crontab", "A crontab has five fields"),
        ({"sync_crontab": "0 25 * * *"}, "sync_crontab", "its hour is wrong"),
        ({"sync_time_zone": "europe/berlin"}, "sync_time_zone", "is not a time zone"),
        ({"provider_type": "azure_ai_foundry"}, "provider_type", "not implemented yet"),
        ({"provider_type": "else"}, "provider_type", "Select a valid choice"),
        (
            {"region": "", "sync_after_save": "on"},
            "region",
            "AWS AgentCore federation requires Region",
        ),
        (
            {"role_arn": "", "sync_after_save": "on"},
            "role_arn",
            "AWS AgentCore federation requires Role ARN",
        ),
    ],
)
def test_an_error_stands_beside_its_field_and_nothing_is_stored(
    admin: Client, typed: dict[str, str], field: str, message: str
) -> None:
    response = admin.post(ADD, TYPED | typed)

    assert response.status_code == 200
    assert list(errors_of(response)) == [field]
    assert message in str(errors_of(response)[field])
    assert Federation.objects.count() == 0


def test_every_wrong_field_is_named_at_once(admin: Client) -> None:
    response = admin.post(ADD, TYPED | {"region": "mars", "role_arn": "me", "tag_filter": "x"})

    assert set(errors_of(response)) == {"region", "role_arn", "tag_filter"}


def test_a_change_replaces_the_edited_fields_and_keeps_the_rest(admin: Client) -> None:
    found = federation()
    external_id = found.external_id

    response = save(
        admin,
        edit(found),
        TYPED | {"display_name": "Payments EU", "region": "eu-west-1", "tags": "new", "tag_filter": ""},
    )

    assert response.status_code == 302, errors_of(response)
    found.refresh_from_db()
    assert (found.display_name, found.tags, found.external_id) == ("Payments EU", ["new"], external_id)
    assert found.provider_config == {"region": "eu-west-1", "assumeRoleArn": ROLE}
    assert found.updated_by_name == "operator"


def test_state_cannot_be_written_by_a_form(admin: Client) -> None:
    found = federation()

    admin.post(
        edit(found),
        TYPED | {"status": "deleted", "sync_status": "success", "external_id": "mine", "mcp_server_count": "9"},
    )

    after = Federation.objects.get()
    assert (after.status, after.sync_status, after.mcp_server_count) == ("active", "idle", 0)
    assert after.external_id == found.external_id


def shown_values(response: object, field: str) -> list[str]:
    """Return the values of every input with that name, as the page shows them."""
    html = response.content.decode()  # type: ignore[attr-defined]
    inputs = re.findall(rf'<input[^>]*name="{field}"[^>]*>', re.sub("(?s)<template.*?</template>", "", html))
    return [unescape("".join(re.findall('value="([^"]*)"', found))) for found in inputs]


def test_the_form_shows_each_stored_tag_and_pair_in_a_row(admin: Client) -> None:
    page = admin.get(edit(federation(tags=("production", "a, b"))))

    assert shown_values(page, "tags") == ["production", "a, b"]
    assert (shown_values(page, "tag_filter"), shown_values(page, "tag_filter_value")) == (["env"], ["production"])


def test_a_form_without_tags_shows_an_empty_row_to_type_into(admin: Client) -> None:
    page = admin.get(ADD)

    assert (
        shown_values(page, "tags") == shown_values(page, "tag_filter") == shown_values(page, "tag_filter_value") == [""]
    )


def test_a_refused_form_shows_the_typed_values(admin: Client) -> None:
    typed = {"tags": ["a, b", "c"], "tag_filter": ["env:production, team", "x"], "tag_filter_value": ["", "y"]}

    page = admin.post(ADD, TYPED | typed)

    assert list(errors_of(page)) == ["tag_filter"]
    assert {field: shown_values(page, field) for field in typed} == typed


def test_a_stored_key_with_a_colon_and_a_tag_with_a_comma_are_saved_unchanged(admin: Client) -> None:
    found = federation(tags=("payments, EU",))
    Federation.objects.update(
        provider_config=found.provider_config | {"resourceTagsFilter": {"aws:a:b": "", "c:d": "e"}}
    )
    page = admin.get(edit(found))
    rows = {field: shown_values(page, field) for field in ("tags", "tag_filter", "tag_filter_value")}

    assert save(admin, edit(found), TYPED | rows).status_code == 302

    after = Federation.objects.get()
    assert after.tags == ["payments, EU"]
    assert after.provider_config["resourceTagsFilter"] == {"aws:a:b": "", "c:d": "e"}


def test_a_services_refusal_becomes_a_form_error_and_keeps_the_typed_values(admin: Client) -> None:
    found = federation()
    set_enabled(found, False, by=STAFF)

    response = save(admin, edit(found), TYPED | {"display_name": "Other name"})

    assert response.status_code == 200
    assert errors_of(response) == {"__all__": ["Federation in status 'disabled' cannot be updated"]}
    assert response.context["adminform"].form["display_name"].value() == "Other name"
    found.refresh_from_db()
    assert found.display_name == "Payments"


def test_a_schedule_is_saved_and_an_empty_one_ends_it(admin: Client) -> None:
    found = federation()

    save(admin, edit(found), TYPED | {"sync_interval": "30 minutes"})
    found.refresh_from_db()
    assert (found.sync_interval_seconds, found.sync_crontab, found.next_sync_at is None) == (1800, "", False)

    save(admin, edit(found), TYPED | {"sync_crontab": " 0  2 * * *", "sync_time_zone": "Europe/Berlin"})
    found.refresh_from_db()
    assert (found.sync_interval_seconds, found.sync_crontab) == (None, "0 2 * * *")
    assert found.sync_time_zone == "Europe/Berlin"
    form = admin.get(edit(found)).context["adminform"].form
    assert (form["sync_interval"].value(), form["sync_crontab"].value()) == ("", "0 2 * * *")

    save(admin, edit(found), TYPED)
    found.refresh_from_db()
    assert (found.sync_crontab, found.next_sync_at) == ("", None)


def test_sync_after_saving_queues_a_sync(admin: Client) -> None:
    admin.post(ADD, TYPED | {"sync_after_save": "on"})

    job = SyncJob.objects.get()
    assert (job.job_type, job.status, job.requested_by_name) == (JobType.FULL_SYNC, "pending", "operator")
    assert job.due_at is not None


def test_sync_after_a_changed_configuration_is_a_config_resync(admin: Client) -> None:
    found = federation()

    save(admin, edit(found), TYPED | {"region": "eu-west-1", "sync_after_save": "on"})

    assert SyncJob.objects.get().job_type == JobType.CONFIG_RESYNC


def test_a_busy_federation_is_saved_and_says_why_no_sync_was_started(admin: Client, cloud: MemoryCloud) -> None:
    admin.post(ADD, TYPED | {"sync_after_save": "on"})
    found = Federation.objects.get()

    response = admin.post(edit(found), TYPED | {"display_name": "Renamed", "sync_after_save": "on"}, follow=True)

    found.refresh_from_db()
    assert found.display_name == "Renamed"
    assert "The federation is saved, but no sync was started: Federation in sync status" in response.content.decode()


def test_a_user_and_a_group_can_be_granted_access(admin: Client) -> None:
    found, user = federation(), User.objects.create_user("tomas")
    group = Group.objects.create(name="Platform team")
    FederationGrant.objects.all().delete()
    rows = grants({"holder": f"user:{user.pk}", "level": "1"}, {"holder": f"group:{group.pk}", "level": "2"})

    response = save(admin, edit(found), TYPED | rows)

    assert response.status_code == 302
    stored = set(FederationGrant.objects.values_list("user_id", "group_id", "holder_name", "level"))
    assert stored == {(str(user.pk), "", "tomas", 1), ("", str(group.pk), "Platform team", 2)}


def test_a_holder_has_one_grant(admin: Client) -> None:
    found, user = federation(), User.objects.create_user("tomas")
    row = {"holder": f"user:{user.pk}", "level": "1"}

    response = save(admin, edit(found), TYPED | grants(row, row))

    assert response.status_code == 200
    assert "This holder already has a grant" in response.content.decode()
    assert not FederationGrant.objects.filter(user_id=user.pk).exists()


def test_an_unknown_holder_is_refused(admin: Client) -> None:
    found = federation()

    response = save(admin, edit(found), TYPED | grants({"holder": "user:999", "level": "1"}))

    assert "Select a valid choice" in response.content.decode()


def test_a_change_is_audited_with_its_actor_and_without_the_external_id(admin: Client) -> None:
    found = federation()
    LogEntry.objects.all().delete()

    save(admin, edit(found), TYPED | {"display_name": "Renamed", "tags": "new"})

    entry = LogEntry.objects.get(action=LogEntry.Action.UPDATE)
    assert entry.actor is not None and entry.actor.get_username() == "operator"
    assert entry.changes["display_name"] == ["Payments", "Renamed"]
    assert entry.changes["tags"] == ["production", "new"]
    assert found.external_id not in str(list(LogEntry.objects.values()))


def test_saving_without_a_change_writes_no_audit_entry(admin: Client) -> None:
    found = federation(tags=("production", "payments"))
    LogEntry.objects.all().delete()
    stored = TYPED | {"tag_filter": "env:production"}

    save(admin, edit(found), stored)

    assert LogEntry.objects.count() == 0


def test_staff_without_the_permission_cannot_change(staff: Callable[..., Client]) -> None:
    found = federation()
    reader = staff("view_federation")

    assert reader.get(edit(found)).status_code == 403
    assert reader.post(edit(found), TYPED).status_code == 403
    assert reader.get(ADD).status_code == 403
    assert reader.post(ADD, TYPED).status_code == 403


def test_only_an_owner_ends_the_review_of_changes(admin: Client, staff: Callable[..., Client]) -> None:
    admin.post(ADD, TYPED | {"change_policy": "review"})
    found = Federation.objects.get()
    assert found.change_policy == "review"
    editor = staff("view_federation", "change_federation")

    refused = save(editor, edit(found), TYPED | {"display_name": "Renamed"})
    assert errors_of(refused) == {"change_policy": ["Only an owner of the federation may change review to flow."]}
    assert save(editor, edit(found), TYPED | {"display_name": "Renamed", "change_policy": "review"}).status_code == 302
    found.refresh_from_db()
    assert (found.display_name, found.change_policy) == ("Renamed", "review")

    assert save(admin, edit(found), TYPED).status_code == 302
    found.refresh_from_db()
    assert found.change_policy == "flow"
    assert save(editor, edit(found), TYPED | {"change_policy": "review"}).status_code == 302
