"""Each object that staff can change tells who changed what, when and why, however the change was made."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from auditlog.models import LogEntry
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import reverse
from oauth2_provider.models import get_access_token_model

from core.acting import acting_as
from core.activity.sources import tells_changes
from core.actors import actor_of
from core.admin.activity import ActivityMixin
from federations.models import AccessLevel, Federation
from federations.services.access import grant
from fedhub.config_file.apply import apply_plan, make_plan
from peers.models import JournalEntry, Peer
from peers.services.trust.peers import add_peer, reject_peer
from tests.app.federations.admin.cloud import ROLE, STAFF, federation
from tests.app.federations.admin.test_form import TYPED, edit, save
from tests.conftest import Api

pytestmark = pytest.mark.django_db(transaction=True)


def text_of(client: Client, address: str) -> str:
    """Return the words of a page, without its markup."""
    response = client.get(address)
    assert response.status_code == 200, address
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def activity(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_history", args=[row.pk])


def is_changed_by_staff(page: admin.ModelAdmin[Model], person: User) -> bool:
    request = RequestFactory().get("/")
    request.user = person
    has_actions = bool(set(page.get_actions(request))) or any(
        getattr(page, name, ()) for name in ("actions_detail", "actions_list")
    )
    may = (page.has_add_permission, page.has_change_permission, page.has_delete_permission)
    return has_actions or any(each(request) for each in may)


def test_each_model_that_staff_can_change_has_an_activity(admin_user: User) -> None:
    pages = admin.site._registry.items()
    assert [model for model, page in pages if not isinstance(page, ActivityMixin)] == []
    silent = [model for model, page in pages if is_changed_by_staff(page, admin_user) and not tells_changes(model)]
    # The journal is a book itself; the button of its list begins another log, and a line tells it.
    assert silent == [JournalEntry]


@pytest.fixture
def admin_of(admin_user: User) -> Client:
    client = Client()
    client.force_login(admin_user)
    return client


def test_a_change_by_each_door_tells_who_made_it_and_what_it_was(
    admin_of: Client, admin_user: User, api: Api, tmp_path: Path
) -> None:
    found = federation()
    save(admin_of, edit(found), TYPED | {"tag_filter": "env:development", "change_reason": "Less to look at"})
    program = api(admin_user)
    answer = program.put(
        f"/api/v1/federations/{found.pk}",
        {"displayName": "By a program", "providerConfig": found.provider_config, "syncAfterUpdate": False},
        format="json",
    )
    assert answer.status_code == 200, answer.content
    config = f"{{region: us-east-1, assumeRoleArn: '{ROLE}'}}"
    of_file = f"[{{name: By a program, description: From the file, provider_config: {config}}}]"
    text = f"version: 1\nfederations: {of_file}"
    assert all(each.is_whole for each in apply_plan(make_plan(text, folder=tmp_path, prune=False)))
    told = text_of(admin_of, activity(found))

    for words in (
        "Tag filter env: production env: development",
        "Display name Payments By a program",
        "Description nothing From the file",
        "Reason: Less to look at",
    ):
        assert words in told, told
    assert re.search(r"Changed Description.{0,20} apply_config ,", told), told
    assert re.search(rf"Changed [^.]*Tag filter.{{0,60}} {admin_user.username} ,", told), told
    request_id = answer.headers["X-Request-ID"]
    assert f"Request {request_id}" in told
    assert "provider_config" not in told and found.external_id not in told

    peer = add_peer("https://partner.example.org", by=STAFF)
    call_command("peer", "reject", peer.server_url, "--reason", "Nobody knows them", stdout=io.StringIO())
    of_peer = text_of(admin_of, activity(peer))
    assert "Changed State shell ," in of_peer and "Reason: Nobody knows them" in of_peer
    assert "State Proposed Rejected" in of_peer
    assert "proposed -> rejected" not in of_peer, "the audit log tells the journal's line with more"


def test_accounts_tokens_and_parts_tell_their_changes_without_a_secret(admin_of: Client, admin_user: User) -> None:
    person, team = User.objects.create_user("ines", password="first-of-ines"), Group.objects.create(name="Team")
    person.set_password("second-of-ines")
    person.save()
    person.groups.add(team)
    team.permissions.add(Permission.objects.get(codename="sync_federation"))
    found = federation()
    row = grant(found, level=AccessLevel.OWNER, user=person)
    row.delete()
    call_command("issue_token", "--user", "ines", "--scopes", "federations-read", stdout=io.StringIO())
    token = get_access_token_model().objects.get()

    told = text_of(admin_of, activity(person))
    assert "Groups added Team" in told and "Password •••• ••••" in told
    assert "Permissions added" in text_of(admin_of, activity(team))
    assert "Added access: ines: Owner" in text_of(admin_of, activity(found))
    assert "Deleted access" in text_of(admin_of, activity(found))
    assert "Added" in text_of(admin_of, activity(token))
    hash_of = person.password.rpartition("$")[2]
    assert hash_of not in str(list(LogEntry.objects.values())), "not even a part of a password's hash"
    assert "first-of-ines" not in told


def test_a_line_has_a_page_with_the_lines_before_and_after_it(admin_of: Client) -> None:
    peer = add_peer("https://partner.example.org", by=STAFF)
    reject_peer(peer, reason="No", by=STAFF)
    first, last = LogEntry.objects.filter(object_pk=peer.pk).order_by("pk")
    address = f"{activity(peer)}audit-{{}}/"

    newest, oldest = admin_of.get(address.format(last.pk)), admin_of.get(address.format(first.pk))
    assert (newest.context["older_url"], newest.context["newer_url"]) == (address.format(first.pk), "")
    assert (oldest.context["older_url"], oldest.context["newer_url"]) == ("", address.format(last.pk))
    for wrong in ("audit-999999", "audit-x", "journal-0", "x", "audit-"):
        assert admin_of.get(address.replace("audit-{}", wrong)).status_code == 404


def test_a_stranger_sees_no_activity_and_a_reader_no_link_it_may_not_open(
    admin_of: Client, make_user: Callable[..., User]
) -> None:
    found, peer = federation(), add_peer("https://partner.example.org", by=STAFF)
    reader, client = make_user("rita", is_staff=True), Client()
    client.force_login(reader)
    for row in (found, peer):
        response = client.get(activity(row))
        assert response.status_code in (302, 403) and "partner" not in response.content.decode()
    grant(found, level=AccessLevel.VIEW, user=reader)
    assert "Added access" in text_of(client, activity(found))


def test_a_person_who_deletes_the_own_account_is_told_by_name(admin_user: User) -> None:
    with acting_as(actor_of(admin_user)):
        admin_user.delete()
    assert not User.objects.exists()
    entry = LogEntry.objects.get(content_type__model="user", action=LogEntry.Action.DELETE)
    assert (entry.actor_id, entry.additional_data["by"]) == (None, "admin")


def test_the_audit_log_speaks_the_words_of_the_product(admin_of: Client) -> None:
    found = federation()
    save(admin_of, edit(found), TYPED | {"display_name": "Renamed"})
    address = reverse("admin:auditlog_logentry_changelist")
    shown = text_of(admin_of, f"{address}?kind=federations.federation&tab=changed")
    assert "Changed Display name" in shown and "Federation" in shown
    entry = LogEntry.objects.get(action=LogEntry.Action.UPDATE)
    page = text_of(admin_of, reverse("admin:auditlog_logentry_change", args=[entry.pk]))
    assert "Display name Payments Renamed" in page
    export = b"".join(admin_of.get(f"{address}export.csv").streaming_content).decode()  # type: ignore[attr-defined]
    assert "Display name: Payments → Renamed" in export
    assert Federation.objects.count() == 1 and not Peer.objects.exists()
