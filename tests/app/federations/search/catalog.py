"""A small catalog for searches: three federations, and one resource without a federation."""

from collections.abc import Sequence

from federations.search.base import DocumentKind, IndexedResource, SearchDocument, SearchIndex, SearchQuery
from federations.search.documents import IndexableAgent, IndexableServer, documents_for_agent, documents_for_server

BILLING = documents_for_server(
    IndexableServer(
        resource_id="a" * 24,
        federation_id="finance",
        name="billing-server",
        path="/agentcore/mcp/billing-server",
        description="Invoices, credit notes and dunning for all subsidiaries.",
        version="3",
        enriched_at="2026-01-02T03:04:05Z",
        tags=("production", "money"),
        tools=(
            {
                "name": "get_invoice_total",
                "description": "Add up the lines of one invoice.",
                "inputSchema": {
                    "type": "object",
                    "properties": {"invoice_number": {"type": "string", "description": "As printed at the top"}},
                },
            },
            {"name": "sendReminder", "description": "Write to a customer who has not paid."},
            {"name": "HTTPHealthCheck", "description": "Tell whether the ledger answers."},
        ),
        resources=({"uri": "ledger://2026/january", "name": "January ledger", "mimeType": "text/csv"},),
        prompts=(
            {
                "name": "explain-invoice",
                "description": "Explain an amount in plain words.",
                "arguments": [{"name": "language", "description": "Of the customer"}],
            },
        ),
    )
)
PHARMACY = documents_for_agent(
    IndexableAgent(
        resource_id="b" * 24,
        federation_id="health",
        name="pharmacy_fraud_a2a",
        path="/agentcore/a2a/pharmacy-fraud-a2a",
        description="Finds forged prescriptions in a pharmacy's invoice stream.",
        version="1",
        enriched_at="2026-01-02T03:04:05Z",
        tags=("production",),
        skills=(
            {
                "id": "detect",
                "name": "Detect forgery",
                "description": "Score a prescription.",
                "tags": ["fraud", "scoring"],
                "examples": ["Is prescription 4711 genuine?"],
            },
        ),
    )
)
WEATHER = documents_for_server(
    IndexableServer(
        resource_id="c" * 24,
        federation_id="",
        name="Wetterdienst Zürich",
        path="/agentcore/mcp/wetterdienst-zurich",
        description="Schneehöhe, Böen und Temperatur für jede Straße. 天気予報 Погода",
        version="2",
        enriched_at="2026-01-02T03:04:05Z",
        tools=({"name": "forecast", "description": "What the sky will do in the next 48 hours."},),
    )
)
ALL = (BILLING, PHARMACY, WEATHER)


def resource(name: str, *, federation_id: str = "finance", stamp: str = "1", text: str = "") -> IndexedResource:
    """Return a resource with one document, a server of this name."""
    document = SearchDocument(name, DocumentKind.SERVER, name, federation_id, name, f"/{name}", text)
    return IndexedResource(name, federation_id, stamp, (document,))


def names(documents: Sequence[SearchDocument]) -> set[str]:
    return {document.name for document in documents}


def total(index: SearchIndex, text: str = "invoice") -> int:
    """Return the number of hits of a search."""
    return index.search(SearchQuery(text)).total
