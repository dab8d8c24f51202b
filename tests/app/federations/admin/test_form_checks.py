from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from core.actors import actor_of
from federations.admin.form_words import in_form_words
from federations.admin.region_names import judge_region
from federations.models import AccessLevel, ConnectionTestSlot, Federation, PreviewSlot
from federations.providers.agentcore.regions import known_regions
from federations.providers.base import DiscoveryRequest, ProviderError
from federations.services.access import grant
from federations.services.dry_run_slots import connection_test_slot, dry_run_slot
from tests.app.federations.admin.cloud import ROLE, MemoryCloud, agent, federation, server, sync
from tests.app.federations.admin.test_form import ADD, TYPED

# A connection test asks the cloud without an open transaction.
pytestmark = pytest.mark.django_db(transaction=True)

CHECK, TEST = (reverse(f"admin:federations_federation_{name}_new") for name in ("check", "test"))


def url(found: Federation, name: str) -> str:
    return reverse(f"admin:federations_federation_{name}", args=[found.pk])


def verdict(client: Client, field: str, typed: dict[str, Any], path: str = CHECK) -> str:
    response = client.post(f"{path}?field={field}", TYPED | typed)
    assert response.status_code == 200
    return response.content.decode()


VERDICTS = (
    ("region", "us-east-1", "US East (N. Virginia)"),
    ("region", " us-east-1 ", "US East (N. Virginia)"),
    ("region", "us-esat-1", "us-esat-1 is not an AWS region. Did you mean us-east-1?"),
    ("region", "eu-west-9", "The hub does not know the region eu-west-9. Did you mean eu-west-1?"),
    ("region", "", "Without a region the hub cannot sync."),
    ("role_arn", ROLE, "The role fedhub-discovery of the account 123456789012."),
    ("role_arn", "me", "Role ARN is not the ARN of an IAM role"),
    ("role_arn", "arn:aws:iam::123456789012:role/admin", "not among the roles this hub may assume"),
    ("tag_filter", "env:production", "Keeps the runtimes with env:production."),
    ("tag_filter", "production", "This part has no value: production"),
    ("tag_filter", "", "Without a filter the hub discovers every runtime."),
    ("sync_interval", "1 day", "The hub syncs every day."),
    ("sync_interval", "4 minutes", "The sync interval must be from 5 minutes to 366 days."),
    ("sync_crontab", "30 6 * * 1-5", "The hub syncs on Monday through Friday at 06:30."),
    ("sync_crontab", "*/2 * * * *", "the shortest allowed time between two syncs is 5 minutes."),
    ("sync_time_zone", "Europe/Atlantis", "is not a time zone"),
)


def test_a_field_is_checked_as_it_is_typed(admin: Client) -> None:
    for field, typed, says in VERDICTS:
        assert says in verdict(admin, field, {field: typed}), (field, typed)


def test_a_check_shows_markup_as_text_and_stores_nothing(admin: Client) -> None:
    text = verdict(admin, "region", {"region": "<script>alert(1)</script>"})

    assert "<script>" not in text and "&lt;script&gt;" in text
    assert Federation.objects.count() == 0


@pytest.mark.parametrize("name", ["check", "test"])
def test_only_a_person_who_may_save_may_check_or_test(
    staff: Callable[..., Client], cloud: MemoryCloud, name: str
) -> None:
    found, other = federation(), federation("Other")
    reader, stranger = staff("view_federation"), staff(username="stranger")
    editor = staff(username="editor")
    grant(found, level=AccessLevel.EDIT, user=User.objects.get(username="editor"))
    query = "?field=region"

    assert reader.post(url(found, name) + query, TYPED).status_code == 403
    assert reader.post(reverse(f"admin:federations_federation_{name}_new") + query, TYPED).status_code == 403
    assert stranger.post(url(found, name) + query, TYPED).status_code == 404
    assert editor.post(url(other, name) + query, TYPED).status_code == 404
    assert cloud.requests == []
    assert editor.get(url(found, name)).status_code == 405
    assert editor.post(url(found, name) + query, TYPED).status_code == 200
    assert Client(enforce_csrf_checks=True).post(url(found, name), TYPED).status_code in (302, 403)


def test_a_test_counts_by_protocol_and_by_the_unsaved_filter(admin: Client, cloud: MemoryCloud) -> None:
    cloud.findings = (server("ledger"), server("refunds"), agent("triage"))

    text = admin.post(TEST, TYPED | {"tag_filter": "env:production", "display_name": ""}).content.decode()

    assert "The role works." in text
    assert "3 runtimes in us-east-1: 2 MCP servers, 1 A2A agent." in text
    assert "With this filter 3 of 3 stay." in text
    text = admin.post(TEST, TYPED | {"tag_filter": "env:nothing"}).content.decode()
    assert "With this filter 0 of 3 stay." in text
    assert (Federation.objects.count(), ConnectionTestSlot.objects.count()) == (0, 0)


def test_no_transaction_is_open_while_the_cloud_is_asked(admin: Client, cloud: MemoryCloud) -> None:
    seen: list[tuple[bool, int]] = []

    def note(request: DiscoveryRequest) -> None:
        seen.append((connection.in_atomic_block, ConnectionTestSlot.objects.count() + PreviewSlot.objects.count()))

    cloud.before_answer = note
    admin.post(TEST, TYPED)
    admin.post(url(federation(), "test"), TYPED)

    assert seen == [(False, 1), (False, 1)]


def test_a_stored_federation_is_tested_with_its_own_external_id(admin: Client, cloud: MemoryCloud) -> None:
    found = federation()
    cloud.findings = (server("ledger"),)
    admin.post(url(found, "test"), TYPED | {"sealed_external_id": "forged"})

    (request,) = cloud.requests
    assert (request.external_id, request.config["region"]) == (found.external_id, "us-east-1")


def test_a_new_federation_keeps_the_external_id_with_which_it_was_tested(admin: Client, cloud: MemoryCloud) -> None:
    form = admin.get(ADD).context["adminform"].form
    shown, sealed = form.instance.external_id, form.initial["sealed_external_id"]
    assert shown in admin.post(ADD, TYPED | {"display_name": "", "sealed_external_id": sealed}).content.decode()

    admin.post(TEST, TYPED | {"sealed_external_id": sealed})
    admin.post(ADD, TYPED | {"sealed_external_id": sealed})
    admin.post(ADD, TYPED | {"display_name": "Again", "sealed_external_id": sealed})
    admin.post(ADD, TYPED | {"display_name": "Forged", "sealed_external_id": f"{sealed}x"})

    assert [request.external_id for request in cloud.requests] == [shown]
    ids = dict(Federation.objects.values_list("display_name", "external_id"))
    assert ids["Payments"] == shown
    assert len(set(ids.values())) == 3


def test_an_external_id_is_not_taken_from_another_persons_form(admin: Client, staff: Callable[..., Client]) -> None:
    sealed = admin.get(ADD).context["adminform"].form.initial["sealed_external_id"]
    shown = admin.get(ADD).context["adminform"].form.instance.external_id

    staff("add_federation", "view_federation").post(ADD, TYPED | {"sealed_external_id": sealed})

    assert Federation.objects.get().external_id != shown


def test_a_refusal_of_the_cloud_is_shown_with_its_advice(admin: Client, cloud: MemoryCloud) -> None:
    cloud.error = ProviderError("AWS does not let the hub assume <the role>.", advice="Check the trust policy.")

    text = admin.post(TEST, TYPED).content.decode()

    assert "AWS does not let the hub assume &lt;the role&gt;." in text
    assert "Check the trust policy." in text
    assert 'name="tested"' not in text


def test_a_test_of_wrong_fields_names_them_and_asks_nothing(admin: Client, cloud: MemoryCloud) -> None:
    text = admin.post(TEST, TYPED | {"region": "us-esat-1", "role_arn": "me"}).content.decode()
    missing = admin.post(TEST, TYPED | {"region": "", "role_arn": ""}).content.decode()

    assert "Nothing was asked." in text
    assert "Region: us-esat-1 is not an AWS region." in text and "Role ARN is not the ARN of an IAM role." in text
    assert "requires Region, Role ARN." in missing
    assert cloud.requests == []


def test_as_many_tests_as_dry_runs_are_allowed_at_once(admin: Client, cloud: MemoryCloud) -> None:
    found, by = federation(), actor_of(User.objects.get(username="operator"))

    with dry_run_slot(found), dry_run_slot(found):
        assert "2 dry runs of this federation are under way" in admin.post(url(found, "test"), TYPED).content.decode()
    with connection_test_slot(by), connection_test_slot(by):
        assert "2 of your connection tests are under way" in admin.post(TEST, TYPED).content.decode()
    assert cloud.requests == []
    assert "The role works." in admin.post(TEST, TYPED).content.decode()


def test_a_test_says_what_the_next_sync_would_remove(admin: Client, cloud: MemoryCloud) -> None:
    found = federation()
    sync(found, cloud, *[server(f"ledger-{number}") for number in range(11)], agent("triage"))

    text = admin.post(url(found, "test"), TYPED | {"tag_filter": "team:nobody"}).content.decode()

    assert "As tested, the next sync would remove 12 of 12 stored resources." in text
    assert "The deletion guard holds such a sync" in text


@pytest.mark.parametrize(
    ("name", "error", "warning"),
    [
        ("us-east-1", "", ""),
        ("us-esat-1", "us-east-1", ""),
        ("us-east", "us-east", ""),
        ("frankfurt", "Did you mean eu-central-1?", ""),
        ("nowhere", "nowhere is not an AWS region.", ""),
        ("eu-centrall-1", "eu-central-1", ""),
        ("ap-southeast-99", "", "ap-southeast-"),
        ("antarctica-south-1", "", "does not know"),
        ("US-EAST-1", "not an AWS region", ""),
    ],
)
def test_a_region_is_known_doubtful_or_wrong(name: str, error: str, warning: str) -> None:
    verdict = judge_region(name, known_regions())

    assert (bool(verdict.error), bool(verdict.warning)) == (bool(error), bool(warning))
    assert error in verdict.error and warning in verdict.warning


def test_errors_of_the_form_never_use_the_names_of_the_api() -> None:
    message = "AWS AgentCore federation requires providerConfig.region, providerConfig.assumeRoleArn"
    assert in_form_words(message) == "AWS AgentCore federation requires Region, Role ARN"
    assert in_form_words("providerConfig.resourceTagsFilter has more tags") == "Tag filter has more tags"
    assert in_form_words("the region eu-west-1") == "the region eu-west-1"


WRONG: tuple[dict[str, Any], ...] = (
    {"region": "mars"},
    {"role_arn": "me"},
    {"role_arn": "arn:aws:iam::123456789012:role/admin"},
    {"tag_filter": ["k" * 129], "tag_filter_value": ["v"]},
    {"tag_filter": [f"k{number}" for number in range(51)], "tag_filter_value": ["v"] * 51},
    {"region": "", "role_arn": "", "sync_after_save": "on"},
    {"sync_interval": "1"},
    {"provider_type": "azure_ai_foundry"},
    {"tags": "x" * 201},
    {"display_name": ""},
    {"change_policy": "else"},
)
API_NAMES = ("providerConfig", "assumeRoleArn", "resourceTagsFilter", "syncInterval", "displayName", "changePolicy")


def test_no_error_on_the_form_has_a_name_of_the_api(admin: Client) -> None:
    for typed in WRONG:
        errors = str(admin.post(ADD, TYPED | typed).context["adminform"].form.errors)
        assert errors and not any(name in errors for name in API_NAMES), typed
