from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from unfold.admin import ModelAdmin

from peers.models import (
    Peer,
)
from peers.services.trust.peers import (
    PeerSettings,
    change_settings,
)
from tests.app.peers.staff.conftest import OPERATOR
from tests.app.peers.staff.pages import (
    EVIL,
    IMPORT,
)

pytestmark = pytest.mark.django_db


def test_an_import_is_reviewed_row_by_row_and_stores_the_ticked_rows_alone(admin: Client) -> None:
    text = f"server_url,notes\nhttps://a.example.org,{EVIL}\nhttps://b.example.org,\nhttps://10.0.0.1,\n"

    response = admin.post(IMPORT, {"file": SimpleUploadedFile("peers.csv", text.encode())})

    page = response.content.decode()
    assert [found["row"].is_storable for found in response.context["rows"]] == [True, True, False]
    assert EVIL not in page
    assert page.count('name="row"') == 2
    assert Peer.objects.count() == 0

    admin.post(IMPORT, {"text": text, "row": ["2", "3"], "store": ""})
    assert list(Peer.objects.values_list("server_url", "state")) == [("https://b.example.org", "proposed")]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"name\nvalue\n", b"x" * 300_000])
def test_a_file_that_is_not_a_list_of_peers_is_refused(admin: Client, content: bytes) -> None:
    response = admin.post(IMPORT, {"file": SimpleUploadedFile("peers.csv", content)})

    assert response.status_code == 200
    assert response.context["form"].errors
    assert Peer.objects.count() == 0


def test_exports_are_files_in_which_no_cell_is_a_formula(admin: Client, approved: Peer) -> None:
    evil = '=HYPERLINK("https://evil.example","x")'
    change_settings(approved, PeerSettings(evil, "peer", False, (), evil, None), by=OPERATOR)

    as_csv = admin.get(reverse("admin:peers_peer_export_as_csv"))
    as_json = admin.get(reverse("admin:peers_peer_export_as_json"))

    cells = [cell for row in csv.reader(io.StringIO(as_csv.content.decode())) for cell in row]
    assert f"'{evil}" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert as_csv["Content-Disposition"].startswith("attachment")
    assert json.loads(as_json.content)[0]["notes"] == evil


@pytest.mark.parametrize("name", ["export_as_csv", "export_as_json"])
def test_an_export_needs_a_permission_of_its_own(staff: Callable[..., Client], approved: Peer, name: str) -> None:
    path = reverse(f"admin:peers_peer_{name}")
    peers = reverse("admin:peers_peer_changelist")
    client = staff("view_peer", "add_peer", "change_peer", "delete_peer")
    assert client.get(path).status_code == 403
    assert path not in client.get(peers).content.decode()
    give_permissions("export_peer")
    assert client.get(path).status_code == 403
    give_permissions("export_peer", "view_peer")
    assert client.get(path).status_code == 200
    assert path in client.get(peers).content.decode()


def give_permissions(*codenames: str) -> None:
    User.objects.get().user_permissions.set(Permission.objects.filter(codename__in=codenames))


def test_no_page_that_answers_with_a_file_opens_by_the_permission_to_view() -> None:
    """Each button above a list whose name says export asks for `export`."""
    exports = [
        action.method
        for page in site._registry.values()
        for entry in (page._get_base_actions_list() if isinstance(page, ModelAdmin) else [])
        for action in (entry["items"] if isinstance(entry, dict) else [entry])
        if "export" in action.action_name
    ]
    assert len(exports) == 2
    assert all(export.allowed_permissions == ["export"] for export in exports)
