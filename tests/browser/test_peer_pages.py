from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Dialog, Page, expect

from core.actors import Actor
from federations.models import FederationGrant
from peers.models import Dispatch, InboundCallback, Peer
from peers.protocol import SigningKey
from peers.services.trust.peers import PeerSettings, add_peer, change_settings
from tests.app.federations.admin.cloud import federation

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

OPERATOR = Actor(id="1", name="operator")
KEY = SigningKey(b"1" * 32).verification_key


def test_a_peer_is_added_compared_approved_and_suspended(page: Page) -> None:
    page.goto("/admin/peers/peer/add/")
    page.locator("[name=server_url]").fill("https://partner.example.org/")
    page.locator("[name=public_key]").fill(KEY.base64)
    page.get_by_role("button", name="Save", exact=True).click()

    page.get_by_role("link", name="Approve…").click()
    page.get_by_role("button", name="Approve this peer").click()
    # Without a picked fingerprint and the statement that it was compared, the page shows the errors.
    expect(page.get_by_role("alert").get_by_role("link", name="I have compared")).to_be_visible()
    assert Peer.objects.get().state == "proposed"
    page.get_by_role("radio").check()
    page.locator("[name=compared]").check(force=True)
    page.locator("[name=reason]").fill("Read out by phone")
    page.get_by_role("button", name="Approve this peer").click()
    expect(page.get_by_text("https://partner.example.org is approved.")).to_be_visible()
    assert Peer.objects.get().state == "approved"

    page.get_by_role("link", name="Suspend").click()
    page.get_by_label("Reason").fill("Incident")
    page.get_by_role("button", name="Suspend").click()
    expect(page.get_by_text("https://partner.example.org is suspended.")).to_be_visible()
    expect(page.get_by_role("cell", name="approved → suspended", exact=True)).to_be_visible()


def test_an_import_is_reviewed_and_only_ticked_rows_are_stored(page: Page) -> None:
    page.goto("/admin/peers/peer/import")
    page.locator("textarea[name=text]").fill(
        "server_url\nhttps://a.example.org\nhttps://b.example.org\nhttps://10.0.0.1\n"
    )
    page.get_by_role("button", name="Review the rows").click()
    expect(page.get_by_text("blocked by SSRF protection")).to_be_visible()
    assert Peer.objects.count() == 0

    page.get_by_label("Import row 1").uncheck()
    page.get_by_role("button", name="Propose the ticked rows").click()
    expect(page.get_by_text("1 peer proposed.")).to_be_visible()
    assert Peer.objects.get().server_url == "https://b.example.org"


def test_no_script_in_a_text_of_a_peer_runs(page: Page) -> None:
    ran: list[str] = []

    def noticed(dialog: Dialog) -> None:
        ran.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", noticed)
    evil = "\"><img src=x onerror=alert(1)><script>alert(2)</script><a href='javascript:alert(3)'>x</a>"
    peer = add_peer("https://partner.example.org", by=OPERATOR, notes=evil)
    change_settings(peer, PeerSettings(evil, "peer", False, (), evil, None), by=OPERATOR)

    for path in ("/admin/peers/peer/", f"/admin/peers/peer/{peer.pk}/change/", f"/admin/peers/peer/{peer.pk}/approve"):
        page.goto(path)
        expect(page.get_by_text("<script>alert(2)</script>").first).to_be_visible()
        assert page.locator("a[href^='javascript:']").count() == 0
        assert page.locator("img[src=x]").count() == 0
    assert ran == []


def test_texts_of_a_peer_fit_a_narrow_screen(page: Page) -> None:
    sent = Dispatch.objects.create(
        id="d-1",
        intent_title="Reconcile",
        target_server="https://partner.example.org",
        envelope="{}",
        state={"period": {"from": "2026-01-01", "branch": "x" * 90}},
        last_error="The peer answered 410 Gone: " + "it does not know the dispatch any more. " * 3,
    )
    InboundCallback.objects.create(
        dispatch=sent, dedup_key="k", event_type="completed", body={"attestation": {"usage": {"cost_usd": 2.4137}}},
        is_applied=True, received_at=timezone.now(),
    )  # fmt: skip
    key = add_peer("https://partner.example.org", by=OPERATOR, public_key=KEY.base64).keys.get()
    page.set_viewport_size({"width": 400, "height": 900})

    for path in (f"dispatch/{sent.pk}", f"peerkey/{key.pk}"):
        page.goto(f"/admin/peers/{path}/change/")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400, path
    page.goto(f"/admin/peers/dispatch/{sent.pk}/change/")
    cost = page.get_by_text("2.4137 USD").first
    box = cost.bounding_box()
    # A column of single letters would be higher.
    assert box is not None and box["height"] < 40
    page.goto("/admin/peers/dispatch/")
    cell = page.locator("#result_list td.field-what_happened")
    assert cell.evaluate("cell => cell.scrollHeight - cell.clientHeight") <= 1


def test_a_grant_added_to_a_federation_has_a_box_that_can_be_searched(page: Page) -> None:
    User.objects.create_user("ines.hartmann")
    page.goto(f"/admin/federations/federation/{federation().pk}/edit/")
    page.get_by_text("Add another").first.click()
    page.locator(".select2-selection").last.click()
    page.keyboard.type("hartm")
    page.get_by_role("option", name="ines.hartmann").last.click()
    page.get_by_role("button", name="Save", exact=True).click()
    # A save that changes grants ends on the tab Access.
    page.wait_for_url("**/access/")
    expect(page.get_by_role("cell", name="ines.hartmann", exact=True)).to_be_visible()
    assert FederationGrant.objects.filter(holder_name="ines.hartmann").count() == 1
