from __future__ import annotations

import csv
import io
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

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
