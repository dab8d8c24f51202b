"""Agentic Resource Discovery: what strangers read and search, signed, within bounds, and off by default."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from jwcrypto.common import base64url_encode
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS, InvalidJWSSignature

from core.actors import Actor
from federations.models import Federation
from peers.api.cursors import make_cursor
from peers.models import Peer
from peers.protocol import FederationManifest
from peers.protocol.ard import ArtifactType, PublicResource, entry_of, server_card
from peers.services.catalog.agents import register_agent, set_visibility
from peers.services.catalog.ard import CATALOG
from peers.services.catalog.hub_status import manifest as hub_manifest
from peers.services.trust import peer_documents
from tests.conftest import MakeAgent, MakeServer
from tests.pure.agentcore.cards import OWN
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db

OPERATOR = Actor(id="1", name="operator")
SKILL = {
    "id": "plan", "name": "Plan a route", "description": "Plans a route. Then some more.", "tags": ["maps"],
    "examples": ["Plan a way from Berlin to Rome", "How long is the drive to Oslo?"],
}  # fmt: skip
JWSVerifier = Callable[[dict[str, Any], str], None]


@pytest.fixture
def ard(settings: LazySettings, federation: Federation, make_agent: MakeAgent) -> Client:
    """A hub with a public, an unlisted and a private agent, and a registered one."""
    settings.FEDHUB_ARD, settings.FEDHUB_SERVER_URL = "0.91", "https://hub.example.com"
    for name, visibility in (("planner", "public"), ("hidden", "unlisted"), ("secret", "private")):
        card = {"name": name, "version": "2.0", "url": OWN, "skills": [SKILL], "provider": {"organization": "Routes"}}
        agent = make_agent(
            federation, name, card=card, skills=[SKILL], card_name=f"{name} of routes", signature_state="verified",
            signature_kid="key-1",
        )  # fmt: skip
        set_visibility(federation.pk, agent.path, visibility, by=OPERATOR)
    register_agent("clerk", capabilities=["file taxes"], name="For staff", description="Internal words")
    register_agent("not a segment", capabilities=["x"])
    return Client(raise_request_exception=False)


def verify(document: dict[str, Any], holder: dict[str, Any], did_document: dict[str, Any]) -> None:
    """Verify the profile by jwcrypto and Python's JSON, with the key in the hub's DID document."""
    trust = holder["trustManifest"]
    signature = trust.pop("signature")
    header = json.loads(base64.urlsafe_b64decode(signature.split(".")[0] + "=="))
    (method,) = (each for each in did_document["verificationMethod"] if each["id"] == header["kid"])
    x = base64url_encode(base64.b64decode(method["publicKeyBase64"]))
    jws = JWS()
    jws.deserialize(signature)
    payload = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        jws.verify(JWK(kty="OKP", crv="Ed25519", x=x), detached_payload=payload)
    finally:
        trust["signature"] = signature


def search(client: Client, body: Any) -> tuple[int, dict[str, Any]]:
    text = body if isinstance(body, str) else json.dumps(body)
    answer = client.post("/ard/search", text, content_type="application/json")
    return answer.status_code, answer.json()


def test_the_manifest_and_its_entries_verify_and_a_changed_byte_does_not(ard: Client) -> None:
    answer = ard.get("/.well-known/ard.json")
    did_document = ard.get("/.well-known/did.json").json()
    found = answer.json()
    assert ard.get("/.well-known/ai-catalog.json").content == answer.content
    verify(found, found["host"], did_document)
    for entry in found["entries"]:
        verify(entry, entry, did_document)
        assert entry["trustManifest"]["identity"] == "did:web:hub.example.com"
    text = answer.content.decode()
    for place, (old, new) in enumerate(
        (("Berlin", "Zerlin"), ("maps", "naps"), ("hub.example.com/ard", "hux.example.com/ard"), ("1.0", "1.1"))
    ):
        changed = json.loads(text.replace(old, new, 1))
        with pytest.raises(InvalidJWSSignature):
            verify(changed, changed["host"], did_document)
        if place == 0:
            (entry,) = (each for each in changed["entries"] if each["identifier"].endswith(":planner"))
            with pytest.raises(InvalidJWSSignature):
                verify(entry, entry, did_document)


def test_everyone_reads_the_public_agents_alone_and_no_address_of_a_runtime(ard: Client) -> None:
    answer = ard.get("/.well-known/ard.json")
    registry, clerk, planner = answer.json()["entries"]
    assert registry["type"] == "application/ai-registry+json"
    assert registry["url"] == "https://hub.example.com/ard"
    assert planner == planner | {
        "identifier": "urn:air:hub.example.com:agent:planner",
        "displayName": "planner of routes",
        "type": "application/a2a-agent-card+json",
        "url": "https://hub.example.com/ard/cards/agent/planner",
        "tags": ["maps"],
        "capabilities": ["plan"],
        "representativeQueries": SKILL["examples"],
        "version": "2.0",
        "metadata": {"cardSignature": "verified", "cardSignatureKid": "key-1"},
    }
    assert clerk["representativeQueries"] == ["file taxes", "clerk"]
    texts = [answer.content, *(ard.get(f"/ard/cards/agent/{name}").content for name in ("planner", "clerk"))]
    assert not any(word in text.decode() for text in texts for word in (OWN, "bedrock", "For staff", "Internal words"))
    card = ard.get("/ard/cards/agent/planner").json()
    assert [each["url"] for each in card["supportedInterfaces"]] == ["https://hub.example.com"]
    for path in (
        "/ard/cards/agent/hidden",
        "/ard/cards/server/planner",
        "/ard/agents/urn:air:hub.example.com:agent:secret",
    ):
        assert ard.get(path).json()["errorCode"] == "NOT_FOUND"


def test_servers_are_listed_that_staff_made_public(
    ard: Client, settings: LazySettings, federation: Federation, make_server: MakeServer
) -> None:
    make_server(federation, "ledger", is_public=True)
    make_server(federation, "payroll")
    assert "ledger" not in ard.get("/.well-known/ard.json").content.decode()

    settings.FEDHUB_PUBLIC_REGISTRY = True
    CATALOG.forget()

    entries = ard.get("/.well-known/ard.json").json()["entries"]
    assert [each["identifier"] for each in entries if ":ledger" in each["identifier"] or "payroll" in str(each)] == [
        "urn:air:hub.example.com:server:ledger"
    ]


def test_a_manifest_is_cached_by_its_tag_and_costs_the_same_queries(
    ard: Client, federation: Federation, make_agent: MakeAgent
) -> None:
    answer = ard.get("/.well-known/ard.json")
    assert answer["Cache-Control"] == "public, max-age=300"
    assert ard.get("/.well-known/ard.json", headers={"if-none-match": answer["ETag"]}).status_code == 304
    counts = []
    for names in ((), ("a", "b", "c")):
        for name in names:
            agent = make_agent(federation, name)
            set_visibility(federation.pk, agent.path, "public", by=OPERATOR)
        # A change takes effect when the kept catalog is too old.
        assert ard.get("/.well-known/ard.json")["ETag"] == answer["ETag"]
        CATALOG.forget()
        with counted_queries() as queries:
            assert ard.get("/.well-known/ard.json").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert ard.get("/.well-known/ard.json", headers={"if-none-match": answer["ETag"]}).status_code == 200


def test_a_search_finds_filters_and_pages(ard: Client) -> None:
    status, found = search(ard, {"query": {"text": "drive to Oslo"}, "federation": "none"})
    assert (status, [each["identifier"] for each in found["results"]]) == (
        200,
        ["urn:air:hub.example.com:agent:planner"],
    )
    (item,) = found["results"]
    assert (1 <= item["score"] <= 100, item["source"]) == (True, "https://hub.example.com/ard/")
    entry = ard.get("/ard/agents/urn%3Aair%3Ahub.example.com%3Aagent%3Aplanner")
    assert (entry.json()["identifier"], "score" in entry.json()) == (item["identifier"], False)
    _, both = search(ard, {"query": {"text": "clerk planner"}, "pageSize": 1})
    _, rest = search(ard, {"query": {"text": "clerk planner"}, "pageSize": 1, "pageToken": both["pageToken"]})
    names = [each["displayName"] for each in (*both["results"], *rest["results"])]
    assert (sorted(names), "pageToken" in rest) == (["clerk", "planner of routes"], False)
    for term, value, count in (
        ("tags", "maps", 1), ("type", ["application/mcp-server-card+json"], 0), ("publisher", "hub.example.com", 2),
        ("capabilities", ["file taxes", "none"], 1),
    ):  # fmt: skip
        _, found = search(ard, {"query": {"text": "clerk planner", "filter": {term: value}}})
        assert len(found["results"]) == count, term


def test_wrong_requests_get_the_error_of_the_specification(ard: Client) -> None:
    good = {"query": {"text": "x"}}
    wrong: list[Any] = [
        "", "[]", "{", '{"query":{"text":"x"},"query":{}}', {}, {"query": {}}, {"query": {"text": " "}},
        {"query": {"text": "x" * 501}}, {**good, "federation": "all"}, {**good, "pageSize": 101},
        {**good, "pageSize": True}, {**good, "pageToken": "x"}, {**good, "pageToken": 7},
        {**good, "pageToken": make_cursor("-5")},
        {"query": {"text": "x", "filter": {"metadata.x": ["y"]}}}, {"query": {"text": "x", "filter": {"tags": [7]}}},
    ]  # fmt: skip
    for body in wrong:
        status, found = search(ard, body)
        assert (status, found["errorCode"], bool(found["message"])) == (400, "INVALID_ARGUMENT", True), body
    assert search(ard, {**good, "x": "y" * 20_000})[1]["errorCode"] == "PAYLOAD_TOO_LARGE"
    assert ard.get("/ard/agents/not-a-urn").json()["errorCode"] == "INVALID_ARGUMENT"
    assert (ard.get("/ard/agents").status_code, ard.post("/ard/explore").status_code) == (501, 501)
    assert ard.get("/ard/nothing").json()["errorCode"] == "NOT_FOUND"


def test_referrals_name_approved_peers_only_where_the_hub_publishes_them(ard: Client, settings: LazySettings) -> None:
    for state in ("approved", "proposed"):
        Peer.objects.create(
            server_url=f"https://{state}.example.org", state=state, ard_url=f"https://{state}.example.org/ard"
        )
    Peer.objects.create(server_url="https://without.example.org", state="approved")
    body = {"query": {"text": "nothing like this"}, "federation": "referrals"}
    assert search(ard, body)[1] == {"results": []}
    settings.FEDHUB_PUBLISH_PEERS = True
    (other,) = search(ard, body)[1]["referrals"]
    assert other == {
        "identifier": "urn:air:approved.example.org:registry:hub",
        "displayName": "approved.example.org",
        "type": "application/ai-registry+json",
        "url": "https://approved.example.org/ard",
    }
    assert "referrals" not in search(ard, {**body, "federation": "none"})[1]


def test_a_peer_offers_a_search_on_its_own_origin_alone(settings: LazySettings) -> None:
    assert "ard" not in hub_manifest().endpoints
    settings.FEDHUB_ARD = "0.91"
    assert hub_manifest().endpoints["ard"] == "/ard"
    peer = Peer(server_url="https://other.example.org")
    for path, expected in (("/ard", "https://other.example.org/ard"), ("", ""), ("https://x.org", ""), ("@x.org", "")):
        manifest = FederationManifest("did:web:other.example.org", peer.server_url, endpoints={"ard": path})
        assert peer_documents._ard_url(manifest, peer) == expected


def test_ard_is_off_by_default_off_without_the_protocol_and_limited(ard: Client, settings: LazySettings) -> None:
    settings.FEDHUB_STRANGER_REQUESTS_PER_MINUTE = 1
    assert ard.get("/.well-known/ard.json").status_code == 200
    limited = ard.get("/.well-known/ard.json")
    assert (limited.status_code, limited.json()["errorCode"]) == (429, "RATE_LIMIT_EXCEEDED")
    assert int(limited["Retry-After"]) > 0
    body = json.dumps({"query": {"text": "maps"}})
    for address, status in (("2001:db8::1", 200), ("2001:db8::2", 429)):
        searched = ard.post("/ard/search", body, content_type="application/json", REMOTE_ADDR=address)
        assert (searched.status_code, "Retry-After" in searched) == (status, status == 429)
    for name, value in (("FEDHUB_ARD", "off"), ("FEDHUB_ENABLED", False)):
        setattr(settings, name, value)
        for path in ("/.well-known/ard.json", "/.well-known/ai-catalog.json", "/ard/agents/urn:air:a.b:c"):
            assert ard.get(path).status_code == 404
        settings.FEDHUB_ARD = "0.91"


def test_an_entry_of_a_server_has_its_media_type_and_queries_from_its_words() -> None:
    tools: Any = [{"name": "forecast", "description": "Tells the weather. Of a week."}, {"name": 7}]
    found = PublicResource(ArtifactType.SERVER, "weather", "Weather", "Knows the sky.", tools, "1")
    entry = entry_of(found, "https://hub.example.com:8443", "https://hub.example.com:8443/ard/cards/server/weather")
    assert entry["identifier"] == "urn:air:hub.example.com:server:weather"
    assert entry["type"] == "application/mcp-server-card+json"
    assert entry["representativeQueries"] == ["Tells the weather.", "Knows the sky.", "forecast", "Weather"]
    assert entry["capabilities"] == ["forecast"]
    assert server_card(found)["tools"] == tools
