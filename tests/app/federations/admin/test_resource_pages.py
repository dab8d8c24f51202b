"""The pages of servers and agents: parameters as a table, schemas on demand, bounds, facts, and the index's state."""

from __future__ import annotations

import gzip
import html
import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from federations.models import A2aAgent, McpServer
from federations.search.registry import search_index
from tests.app.federations.admin.cloud import MemoryCloud, agent, federation, server, sync, tool
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db(transaction=True)

NESTED: dict[str, Any] = {
    "type": "object",
    "$defs": {"Address": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
    "properties": {
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "state": {"enum": ["open", "closed"], "description": "Which ones"},
        "to": {"type": "array", "items": {"$ref": "#/$defs/Address"}, "description": "Where to", "maxItems": 3},
    },
    "required": ["to"],
}


def page(row: McpServer | A2aAgent, name: str = "change") -> str:
    return reverse(f"admin:federations_{type(row).__name__.lower()}_{name}", args=[row.pk])


def text_of(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, path
    return html.unescape(response.content.decode())


def stored(cloud: MemoryCloud, tools: list[Any]) -> McpServer:
    sync(federation(), cloud, server("ledger"))
    McpServer.objects.update(tools=tools, num_tools=len(tools))
    return McpServer.objects.get()


def cells(text: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(<th scope=\"row\".*?)</tr>", text, re.S)
    return [[re.sub(r"<[^>]+>", "", cell) for cell in re.split(r"</t[hd]>", row)[:-1]] for row in rows]


def test_a_tools_parameters_are_a_table_with_nested_objects(admin: Client, cloud: MemoryCloud) -> None:
    found = stored(
        cloud, [{"name": "send", "inputSchema": NESTED, "outputSchema": {"type": "object", "title": "Sent"}}]
    )

    text = text_of(admin, page(found))

    assert cells(text) == [
        ["to", "list of object", "required", "", "", "Where to (items, at most 3)"],
        ["city", "string", "required", "", "", ""],
        ["note", "string or null", "optional", "", "null", ""],
        ["state", "one of 2 values", "optional", '"open", "closed"', "", "Which ones"],
    ]
    assert "fedhub-depth-1" in text and "3 parameters, 1 required" in text
    assert "Input schema" in text and "Output schema" in text and '"title": "Sent"' in text


def test_a_server_of_300_tools_is_small_and_quick_and_every_tool_has_its_address(
    admin: Client, cloud: MemoryCloud
) -> None:
    large = {"type": "object", "properties": {f"p{number}": {"description": f"{number}" * 90} for number in range(80)}}
    tools = [{**tool(f"tool_{number}"), "outputSchema": large} for number in range(300)]
    found = stored(cloud, tools)

    with counted_queries() as queries:
        response = admin.get(page(found), {"tools": "3"})

    text = response.content.decode()
    assert len(queries) <= 15
    assert len(gzip.compress(response.content)) <= 100_000
    assert 'id="tools-100"' in text and 'id="tools-149"' in text and 'id="tools-150"' not in text
    assert "101 to 150 of 300" in text and "?tools=2#tools" in text and "?tools=4#tools" in text
    listed = text_of(admin, f"{reverse('admin-tools')}?p=3")
    assert f"{page(found)}?tools=3#tools-100" in listed
    for url in re.findall(r'hx-get="([^"]+of=tools[^"]+outputSchema)"', text)[:1]:
        assert "p79" in text_of(admin, html.unescape(url))


def test_a_text_on_demand_is_found_only_where_it_is(admin: Client, cloud: MemoryCloud) -> None:
    found = stored(cloud, [{"name": "send", "inputSchema": NESTED}, "odd", {"inputSchema": 7}])
    path = page(found, "document")

    assert "Address" in text_of(admin, f"{path}?of=tools&place=0&member=inputSchema")
    assert "city" in text_of(admin, f"{path}?of=tools&place=0&member=inputSchema&as=table")
    for query in ("place=1&member=inputSchema", "place=9&member=inputSchema", "place=-1&member=name", "place=0", ""):
        assert admin.get(f"{path}?of=tools&{query}").status_code == 404, query
    assert Client().get(path).status_code == 302


def test_schemas_that_refer_to_themselves_end(admin: Client, cloud: MemoryCloud) -> None:
    choices = [{"$ref": "#/$defs/Node"}] * 200
    node = {"anyOf": choices, "properties": {f"n{number}": {"anyOf": choices} for number in range(80)}}
    schema = {"$defs": {"Node": node}, "properties": {"a": {"$ref": "#/$defs/Node"}, "b": {"$ref": "#/b"}, "c": 1}}
    found = stored(cloud, [{"name": "loop", "inputSchema": schema}] * 20)
    assert "The schema has more parameters" in text_of(admin, page(found))


def test_an_agents_capabilities_and_modes_are_shown_outside_its_card(admin: Client, cloud: MemoryCloud) -> None:
    sync(federation(), cloud, agent("triage"))
    card = {
        "name": "triage",
        "protocol_version": "0.3.0",
        "capabilities": {"streaming": True, "push_notifications": False, "extensions": [{"uri": "urn:x"}, 7]},
        "default_input_modes": ["text/plain", 4],
        "default_output_modes": "none",
        "provider": {"organization": "Apothecary", "url": "https://apothecary.example"},
    }
    A2aAgent.objects.update(card=card)

    facts = dict(admin.get(page(A2aAgent.objects.get())).context["facts"])

    assert facts["Capabilities"] == "streaming, extension urn:x"
    assert facts["Takes"] == "text/plain" and "Gives" not in facts
    assert facts["A2A"] == "0.3.0 JSONRPC"
    assert facts["Organization"] == "Apothecary Ltd https://apothecary.example"


def test_the_state_of_the_search_index_is_told(admin: Client, cloud: MemoryCloud) -> None:
    sync(federation(), cloud, server("ledger"))
    found = McpServer.objects.get()
    assert text_of(admin, page(found, "index_state")) == "In step with this version"
    McpServer.objects.update(runtime_version="9")
    assert text_of(admin, page(found, "index_state")).startswith("Behind")
    search_index().clear()
    assert text_of(admin, page(found, "index_state")).startswith("Missing")


def test_a_large_card_is_not_in_the_page(admin: Client, cloud: MemoryCloud) -> None:
    sync(federation(), cloud, agent("triage"))
    A2aAgent.objects.update(card={"name": "triage", "description": json.dumps(list(range(60_000)))})
    found = A2aAgent.objects.get()

    response = admin.get(page(found))

    assert len(response.content) < 100_000
    assert "longer than a page shows" in text_of(admin, f"{page(found, 'document')}?of=raw-card")
