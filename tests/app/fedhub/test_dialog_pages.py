"""The address of each dialog, opened by itself: a whole page of the admin, which works without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import NoReverseMatch, reverse

from peers.models import Peer
from tests.app.federations.admin.cloud import MemoryCloud, put_in_place
from tests.browser.rows import example, make_rows

# A sync writes its progress from a thread of its own.
pytestmark = pytest.mark.django_db(transaction=True)
ASKED_BY_PAGE = {"HX-Request": "true"}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, settings: LazySettings, tmp_path: Any) -> MemoryCloud:
    return put_in_place(monkeypatch, settings, tmp_path)


@pytest.fixture
def root(cloud: MemoryCloud) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    return client


def dialogs() -> Iterator[tuple[type[Any], str, dict[str, Any]]]:
    """Yield each dialog: its model, the name of its address, and what the action's decorator got."""
    pages: dict[type[Any], Any] = dict(admin.site._registry)
    for model, found in pages.items():
        names = {name for group in ("actions_detail", "actions_list", "actions_row", "actions_submit_line")
                 for name in found._extract_action_names(getattr(found, group))}  # fmt: skip
        for name in sorted(names):
            if (dialog := getattr(getattr(found, name), "dialog", None)) is not None:
                yield model, f"admin:{found.get_unfold_action(name).action_name}", dialog


def opened(client: Client, name: str, model: type[Any], **extra: Any) -> Any:
    try:
        return client.get(reverse(name), **extra)
    except NoReverseMatch:
        row: Any = example(model)
        return client.get(reverse(name, args=[row.pk]), **extra)


def test_each_dialog_opened_by_itself_is_a_page_of_the_admin(root: Client, cloud: MemoryCloud) -> None:
    make_rows(cloud)
    found = [each for each in dialogs() if example(each[0]) is not None]
    assert len(found) > 25
    for model, name, dialog in found:
        page = unescape(opened(root, name, model).content.decode())
        assert page.count("<html") == 1 and 'id="nav-sidebar"' in page, name
        assert dialog["form_submit_text"] in page and 'id="dialog"' not in page and "hx-post" not in page, name
        assert f"{dialog['title']} | fedhub" in page.partition("</title>")[0].rpartition("<title>")[2], name
        box = opened(root, name, model, headers=ASKED_BY_PAGE).content.decode()
        assert 'id="dialog"' in box and "<html" not in box, name


def test_a_dialog_sent_by_its_page_shows_what_is_wrong_or_does_the_step(root: Client, cloud: MemoryCloud) -> None:
    make_rows(cloud)
    peer = Peer.objects.filter(state="approved").first() or Peer.objects.all()[0]
    Peer.objects.filter(pk=peer.pk).update(state="approved")
    path, form = reverse("admin:peers_peer_suspend", args=[peer.pk]), {"_form_submitted": "True"}
    wrong = root.post(path, form | {"reason": " "})
    page = wrong.content.decode()
    assert wrong.status_code == 200 and "This field is required" in page and 'id="nav-sidebar"' in page
    assert reverse("admin:peers_peer_change", args=[peer.pk]) in page and str(peer) in page
    assert root.post(path, form | {"reason": "Because"}).status_code == 302
    assert Peer.objects.get(pk=peer.pk).state == "suspended"


def test_a_dialog_of_a_row_that_is_not_there_is_not_found(root: Client) -> None:
    assert root.get(reverse("admin:peers_peer_suspend", args=["nobody"])).status_code == 404
