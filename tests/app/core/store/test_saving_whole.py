"""A form of the admin and its inlines are stored together or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from auditlog.models import LogEntry as AuditEntry
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db.models.signals import pre_save
from django.http.response import HttpResponse, HttpResponseBase
from django.test import Client
from django.urls import reverse

from core.store.unit_of_work import LostRaceError
from federations.models import AccessLevel, Federation, FederationGrant

pytestmark = pytest.mark.django_db(transaction=True)

TYPED = {
    "display_name": "Payments",
    "description": "",
    "tags": "production",
    "provider_type": "aws_agentcore",
    "region": "us-east-1",
    "role_arn": "arn:aws:iam::123456789012:role/fedhub-discovery",
    "tag_filter": "",
    "sync_interval": "",
    "sync_crontab": "",
    "sync_time_zone": "UTC",
    "change_policy": "flow",
    "grants-TOTAL_FORMS": "1",
    "grants-INITIAL_FORMS": "0",
    "grants-0-level": str(int(AccessLevel.VIEW)),
}


class BrokenError(Exception):
    """The error of the failing inline."""


@pytest.fixture
def staff() -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("operator", password="a long enough password"))
    return client


@pytest.fixture
def reader() -> User:
    return User.objects.create_user("reader")


@pytest.fixture(params=[BrokenError, LostRaceError])
def broken_inline(request: pytest.FixtureRequest, reader: User) -> Iterator[type[Exception]]:
    """Make the save of the reader's grant fail, as a lost connection to the database does."""
    error: type[Exception] = request.param

    def fail(instance: FederationGrant, **kwargs: Any) -> None:
        if instance.holder_name == "reader":
            raise error

    pre_save.connect(fail, sender=FederationGrant)
    yield error
    pre_save.disconnect(fail, sender=FederationGrant)


def assert_refused(response: HttpResponseBase, error: type[Exception]) -> None:
    """An unexpected error is a 500; a lost race is a message above the form."""
    if error is LostRaceError:
        assert response.status_code == 200
        assert isinstance(response, HttpResponse)
        assert "changed the same thing at the same time" in response.content.decode()
    else:
        assert response.status_code == 500


def test_a_failing_inline_stores_nothing_of_a_new_federation(
    staff: Client, reader: User, broken_inline: type[Exception]
) -> None:
    response = staff.post(reverse("admin:federations_federation_add"), TYPED | {"grants-0-holder": f"user:{reader.pk}"})
    assert_refused(response, broken_inline)
    assert not Federation.objects.exists()
    assert not FederationGrant.objects.exists()
    assert not LogEntry.objects.exists()
    assert not AuditEntry.objects.filter(content_type__app_label="federations").exists()


def test_a_failing_inline_leaves_a_federation_as_it_was(
    staff: Client, reader: User, broken_inline: type[Exception]
) -> None:
    staff.post(reverse("admin:federations_federation_add"), TYPED | {"grants-TOTAL_FORMS": "0"})
    found = Federation.objects.get()
    FederationGrant.objects.all().delete()
    before, entries = Federation.objects.values().get(), AuditEntry.objects.count()

    changed = TYPED | {"display_name": "Renamed", "tags": "other", "grants-0-holder": f"user:{reader.pk}"}
    path = reverse("admin:federations_federation_edit", args=[found.pk])
    effects = staff.post(path, changed).context["effects"]
    response = staff.post(path, changed | {"_confirmed": effects.digest})

    assert_refused(response, broken_inline)
    assert Federation.objects.values().get() == before
    assert Federation.objects.get().tags == ["production"]
    assert AuditEntry.objects.count() == entries


def test_what_does_not_fail_is_stored_with_its_inline_and_audited(staff: Client, reader: User) -> None:
    response = staff.post(reverse("admin:federations_federation_add"), TYPED | {"grants-0-holder": f"user:{reader.pk}"})
    assert response.status_code == 302
    assert set(FederationGrant.objects.values_list("holder_name", "level")) == {("operator", 3), ("reader", 1)}
    assert AuditEntry.objects.filter(content_type__model="federation", object_repr="Payments").count() == 1
    assert LogEntry.objects.get().object_id == Federation.objects.get().pk
