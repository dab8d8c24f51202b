"""Lists filtered by cloud tags, and by what the last sync could read of a runtime."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse

from federations.models import McpServer, RuntimeObservation
from federations.sync.resources import ListedRuntime
from tests.app.federations.admin.cloud import MemoryCloud, agent, failed_agent, federation, server, sync

pytestmark = pytest.mark.django_db(transaction=True)


def changelist(model: str) -> str:
    return reverse(f"admin:federations_{model}_changelist")


def test_resources_and_runtimes_are_filtered_by_each_picked_tag(admin: Client, cloud: MemoryCloud) -> None:
    found = federation()
    other = server("other")
    other = replace(other, runtime=replace(other.runtime, tags={"env": "production", "team": "claims"}))
    listed = tuple(
        ListedRuntime(each.runtime.runtime_id, "1", each.runtime.last_updated_at, each.runtime.tags)
        for each in (server("ledger"), other, agent("triage"))
    )
    failed = failed_agent("kyc")
    cloud.listed = (*listed, ListedRuntime(failed.runtime_id, "1", listed[0].last_updated_at, {"team": "claims"}))
    sync(found, cloud, server("ledger"), other, agent("triage"), failed)

    def names(path: str, query: str) -> set[str]:
        return {str(row.name) for row in admin.get(f"{path}?{query}").context["cl"].result_list}

    assert names(changelist("mcpserver"), "tag=env:production") == {"ledger", "other"}
    assert names(changelist("mcpserver"), "tag=env:production&tag=team:claims") == {"other"}
    assert names(changelist("a2aagent"), "tag=team:claims") == set()
    assert names(changelist("runtimeobservation"), "tag=team:claims") == {"other", "kyc"}
    assert names(changelist("runtimeobservation"), "tag=team:claims&tag=env:production") == {"other"}
    assert "team:claims" in admin.get(changelist("runtimeobservation")).content.decode()
    for path, part in ((reverse("admin-tools"), "list_entries"), (reverse("admin-skills"), "Triage")):
        assert admin.get(f"{path}?tag=team:payments").content.decode().count(f">{part}</a>") == 1
    assert "1 to 2 of 2 tools" in admin.get(f"{reverse('admin-tools')}?q=entries&tag=team:claims").content.decode()


def test_resources_are_filtered_by_what_their_last_read_lost(admin: Client, cloud: MemoryCloud) -> None:
    sync(federation(), cloud, server("ledger"), server("refunds"))
    ledger, other = McpServer.objects.order_by("server_name")[:2]
    RuntimeObservation.objects.filter(runtime_id=ledger.runtime_id).update(is_incomplete=True)
    warning = {"kind": "tool", "name": "x", "runtimeId": other.runtime_id, "message": "left out"}
    RuntimeObservation.objects.filter(runtime_id=other.runtime_id).update(warnings=[warning])

    def listed(read: str) -> list[str]:
        found = admin.get(changelist("mcpserver"), {"read": read}).context["cl"].result_list
        return [row.server_name for row in found]

    assert (listed("incomplete"), listed("warnings"), listed("failed")) == ([ledger.name], [other.name], [])
    text = admin.get(changelist("mcpserver")).content.decode()
    assert "incomplete" in text and "1 warning" in text
