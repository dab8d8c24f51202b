"""Registries in the admin: the page that asks before servers become public, and the form of a registry."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from auditlog.models import LogEntry
from django.test import Client
from django.urls import reverse

from federations.admin import forms
from federations.models import Federation, McpServer
from federations.providers.registry import provider_for
from federations.services import discover
from federations.services.provider_secrets import readable
from tests.app.federations.admin.cloud import MemoryCloud, federation, server, sync
from tests.app.federations.admin.test_form import ADD, TYPED, edit, save

pytestmark = pytest.mark.django_db(transaction=True)

LIST = reverse("admin:federations_mcpserver_changelist")
REGISTRY = {
    **TYPED,
    "provider_type": "mcp_registry",
    "region": "",
    "role_arn": "",
    "tag_filter": "",
    "registry_url": "https://hub.partner.example",
    "registry_token": "a-token-of-the-partner",
    "registry_names": "example.partner/*",
    "registry_active": "on",
}
PUBLIC_WORDS = "Everyone reads it in the registry&#x27;s API"


def confirmed(client: Client, path: str, asked: str) -> str:
    """Post the form of a confirmation page as a browser does, and return the text of the page after it."""
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', asked)
    typed = {name: html.unescape(value) for name, value in hidden if name != "csrfmiddlewaretoken"}
    return html.unescape(client.post(path, typed, follow=True).content.decode())


def test_servers_become_public_only_after_a_page_that_names_them_and_their_accounts(
    admin: Client, cloud: MemoryCloud, staff: Callable[..., Client]
) -> None:
    sync(federation(), cloud, server("ledger"), server("refunds"))
    ledger = McpServer.objects.get(server_name="ledger")
    typed = {"action": "publish_servers", "_selected_action": [ledger.pk]}
    asked = admin.post(LIST, typed).content.decode()
    assert "addresses become public" in asked and ledger.account_id in asked
    assert "ledger" in asked and "refunds" not in asked
    assert not McpServer.objects.filter(is_public=True).exists()
    assert "1 MCP server public from now on" in confirmed(admin, LIST, asked)
    page = admin.get(reverse("admin:federations_mcpserver_change", args=[ledger.pk])).content.decode()
    assert "Everyone who reaches this hub reads the server" in page and "Chosen by operator" in page
    assert [row.pk for row in admin.get(f"{LIST}?public=yes").context["cl"].result_list] == [ledger.pk]

    hide = reverse("admin:federations_mcpserver_hide", args=[ledger.pk])
    asked = admin.get(hide).content.decode()
    # The server has changed since the page was shown, so the page asks again.
    McpServer.objects.update(url="https://elsewhere.example")
    assert "Look at them again" in confirmed(admin, hide, asked)
    confirmed(admin, hide, admin.get(hide).content.decode())
    told = admin.get(reverse("admin:federations_mcpserver_history", args=[ledger.pk])).content.decode()
    assert PUBLIC_WORDS in told and "operator" in told
    changes = LogEntry.objects.filter(object_pk=ledger.pk).order_by("pk").values_list("changes", flat=True)
    assert list(changes) == [{"is_public": ["False", "True"]}, {"is_public": ["True", "False"]}]
    assert not McpServer.objects.filter(is_public=True).exists()
    assert staff("view_federation").get(hide).status_code == 403


def test_a_registry_is_added_with_a_token_that_no_page_shows(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    # The cloud in memory is no registry; the provider of registries asks nobody before a sync.
    for module in (discover, forms):
        monkeypatch.setattr(module, "provider_for", provider_for)
    assert save(admin, ADD, REGISTRY).status_code == 302
    found = Federation.objects.get()
    config = {"url": "https://hub.partner.example", "names": ["example.partner/*"], "status": "active"}
    assert found.provider_config == config
    assert readable(found.provider_secret) == "a-token-of-the-partner"
    pages = [edit(found), reverse("admin:federations_federation_change", args=[found.pk])]
    texts = [admin.get(path).content.decode() for path in pages]
    assert all("a-token-of-the-partner" not in text and found.provider_secret not in text for text in texts)
    assert "Forget the stored token" in texts[0] and "trust policy" not in texts[0].lower()
    assert "https://hub.partner.example" in texts[1] and "Role ARN" not in texts[1]
