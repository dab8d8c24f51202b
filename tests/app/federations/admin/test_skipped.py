"""The notice about skipped names on the pages of a federation, its job and its dry run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from federations.models import AccessLevel, Federation, SyncJob
from federations.services.access import grant
from federations.services.name_owners import find_name_owners
from tests.app.federations.admin.cloud import MemoryCloud, agent, federation, server, sync
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db(transaction=True)

EVERYTHING = (server("ledger"), server("refunds"), agent("triage"))


@pytest.fixture
def second(cloud: MemoryCloud, db: None) -> Federation:
    """Return a federation whose sync found only names of `First` and `Third`."""
    sync(federation("First"), cloud, *EVERYTHING[:2])
    sync(federation("Third"), cloud, EVERYTHING[2])
    found = federation("Second")
    sync(found, cloud, *EVERYTHING)
    return found


def pages(found: Federation) -> list[str]:
    job = SyncJob.objects.get(federation_id=found.pk)
    return [
        reverse("admin:federations_federation_change", args=[found.pk]),
        reverse("admin:federations_syncjob_change", args=[job.pk]),
        reverse("admin:federations_federation_dry_run", args=[found.pk]),
    ]


def text_of(client: Client, path: str) -> str:
    response = client.post(path, follow=True) if "dry-run" in path else client.get(path)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_skipped_resources_are_counted_with_links_to_the_owners_of_their_names(
    admin: Client, second: Federation
) -> None:
    for path in pages(second):
        text = text_of(admin, path)
        assert '<strong class="font-semibold">3 skipped:</strong> their names are already in the registry, in' in text
        for name in ("First", "Third"):
            owner = Federation.objects.get(display_name=name)
            url = reverse("admin:federations_federation_change", args=[owner.pk])
            assert f'<a href="{url}">{name}</a>' in text, path


def test_an_owner_that_the_user_may_not_view_is_not_named(staff: Callable[..., Client], second: Federation) -> None:
    editor = staff()
    user = User.objects.get(username="ines")
    grant(second, level=AccessLevel.EDIT, user=user)
    grant(Federation.objects.get(display_name="Third"), level=AccessLevel.VIEW, user=user)

    for path in pages(second):
        text = text_of(editor, path)
        assert "Third</a> and a federation that you may not view." in text, path
        assert "First" not in text, path


def test_a_sync_without_skipped_resources_shows_no_notice(admin: Client, second: Federation) -> None:
    owner = Federation.objects.get(display_name="First")
    for path in pages(owner)[:2]:
        assert "skipped" not in text_of(admin, path)


def test_a_name_without_an_owner_is_reported_without_an_owner(admin: Client, second: Federation) -> None:
    Federation.objects.exclude(pk=second.pk).delete()

    assert "their names are already in the registry. A name" in text_of(admin, pages(second)[1])


def test_owners_of_many_names_take_as_many_queries_as_of_one_name(second: Federation) -> None:
    changes = SyncJob.objects.get(federation_id=second.pk).changes
    assert len(changes) == 3

    with counted_queries() as of_one:
        list(find_name_owners(changes[:1], federation_id=second.pk))
    with counted_queries() as of_all:
        owners = list(find_name_owners(changes, federation_id=second.pk))

    assert [owner.display_name for owner in owners] == ["First", "Third"]
    assert len(of_all) == len(of_one) <= 3
