"""What the search index has after a sync: the names of the registry's rows, in the documents' current format."""

from __future__ import annotations

from typing import Any

import pytest

from core.actors import Actor
from federations.models import A2aAgent, Federation, McpServer, SyncJob
from federations.search import documents
from federations.search.base import SearchQuery
from federations.search.registry import search_index
from federations.services.index import rebuild_index
from federations.services.run import run_sync
from federations.services.start import start_sync
from tests.findings import agent, server
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def federation() -> Federation:
    return Federation.objects.create(display_name="Index", provider_config={"region": "us-east-1"})


def sync(federation: Federation, *findings: Any) -> SyncJob:
    with provider(MemoryProvider(findings=findings)):
        return run_sync(start_sync(Federation.objects.get(id=federation.id), by=Actor("1", "tests")).id)


def found(text: str) -> list[str]:
    return [hit.document.name for hit in search_index().search(SearchQuery(text)).hits]


def test_the_next_sync_builds_documents_of_an_older_format_again(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = server("billing", tools=("issueGitHubRefund",)), agent("fraud")
    with monkeypatch.context() as older:
        older.setattr(documents, "DOCUMENT_FORMAT", documents.DOCUMENT_FORMAT - 1)
        sync(federation, *findings)
    before = search_index().stamps(federation.id)
    job = sync(federation, *findings)
    assert (job.status, job.index_error) == ("success", "")
    after = search_index().stamps(federation.id)
    assert after.keys() == before.keys()
    assert all(stamp.startswith(f"{documents.DOCUMENT_FORMAT}|") for stamp in after.values())
    assert not set(after.values()) & set(before.values())
    assert found("github") == ["issueGitHubRefund", "billing"]


def test_titles_card_names_and_organizations_are_found(federation: Federation) -> None:
    sync(federation, server("billing"), agent("fraud"))
    McpServer.objects.update(title="Money Desk")
    A2aAgent.objects.update(card_name="Rx Guardian", organization="Example Health")
    assert rebuild_index() == 2
    assert "billing" in found("money desk")
    assert found("guardian")[0] == found("rx guardian")[0] == "fraud"
    assert found("example health") == ["fraud"]
