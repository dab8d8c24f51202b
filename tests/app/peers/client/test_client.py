"""The clients' requests, to a real server on the loopback interface."""

import asyncio
from collections.abc import Callable

import pytest
from pytest_httpserver import HTTPServer

from peers.client import AsyncFederationClient, FederationClient
from peers.protocol import (
    CallbackEventType,
    DispatchResult,
    DispatchStatus,
    FederationStatus,
    JsonObject,
    MalformedMessage,
    ReceiveResult,
    TrustPolicy,
    sign_envelope,
    verify_callback,
    verify_envelope,
)
from peers.protocol.compat import unix_now
from tests.app.peers.client.loopback import (
    API,
    DISPATCHED,
    RECEIVED,
    Client,
    Make,
    answer,
    body_of,
    both,
    sent,
    url_of,
    verified,
)
from tests.pure.protocol.vectors import PARTNER, partner


@both
def test_agents_of_all_pages_are_listed(make: Make, server: HTTPServer) -> None:
    for page, cursor in enumerate(("", "a+b", "c")):
        query = {"cursor": cursor} if cursor else ""
        follows = {"next_cursor": ("a+b", "c", "c")[page]}
        server.expect_request(f"{API}/agents", query_string=query).respond_with_json(
            {"agents": [{"agent_id": f"agent-{page}"}]} | follows
        )

    found = answer(make(server), lambda client: client.list_federated_agents())

    # The last page repeats its cursor: a client must not follow it for ever.
    assert found == [{"agent_id": f"agent-{page}"} for page in range(3)]


@both
def test_status_is_typed(make: Make, server: HTTPServer) -> None:
    server.expect_request(f"{API}/status", method="GET").respond_with_json(
        {"enabled": False, "server_did": None, "trust_policy": "open", "peer_count": 2}
    )
    status = answer(make(server), lambda client: client.federation_status())
    assert status == FederationStatus(enabled=False, trust_policy=TrustPolicy.OPEN, peer_count=2)


@both
@pytest.mark.parametrize("wrapped", [True, False])
def test_agents_are_listed_with_the_source_in_its_header(make: Make, wrapped: bool, server: HTTPServer) -> None:
    agents: list[JsonObject] = [{"agent_id": "a", "server_url": PARTNER}]
    server.expect_request(f"{API}/agents").respond_with_json({"agents": agents} if wrapped else agents)
    assert answer(make(server), lambda client: client.list_federated_agents(PARTNER)) == agents
    assert sent(server).headers["X-Source-Server"] == PARTNER
    assert answer(make(server), lambda client: client.list_federated_agents()) == agents
    assert "X-Source-Server" not in sent(server).headers


@both
def test_dispatch_sends_the_documented_fields_and_leaves_out_falsy_ones(make: Make, server: HTTPServer) -> None:
    server.expect_request(f"{API}/dispatch", method="POST").respond_with_json(DISPATCHED)
    result = answer(make(server), lambda client: client.federation_dispatch("i-1", PARTNER))
    assert result == DispatchResult("d-1", DispatchStatus.ACCEPTED, PARTNER, "Dispatch initiated")
    assert body_of(sent(server)) == {"intent_id": "i-1", "target_server": PARTNER}
    optional: JsonObject = {
        "agent_id": "a",
        "delegation_scope": {"permissions": []},
        "federation_policy": {"budget": {}},
        "callback_url": f"{PARTNER}/callback",
        "trace_context": {"trace_id": "t"},
    }
    answer(make(server), lambda client: client.federation_dispatch("i-1", PARTNER, **optional))  # type: ignore[arg-type]
    assert body_of(sent(server)) == {"intent_id": "i-1", "target_server": PARTNER} | optional


@both
def test_receive_without_an_identity_sends_what_openintents_client_sends(make: Make, server: HTTPServer) -> None:
    server.expect_request(f"{API}/receive", method="POST").respond_with_json(RECEIVED)
    result = answer(make(server), lambda client: client.federation_receive("d-1", PARTNER, "i-1", "Title"))
    assert result == ReceiveResult("d-1", True, "fed-d-1", "ok")
    assert body_of(sent(server)) == {
        "dispatch_id": "d-1",
        "source_server": PARTNER,
        "intent_id": "i-1",
        "intent_title": "Title",
        "intent_description": "",
        "intent_state": {},
    }
    assert "Signature" not in sent(server).headers


@both
def test_receive_with_an_identity_is_signed_both_ways(make: Make, server: HTTPServer) -> None:
    server.expect_request(f"{API}/receive").respond_with_json(RECEIVED)
    answer(
        make(server, identity=partner),
        lambda client: client.federation_receive(
            "d-1", PARTNER, "i-1", "Titel ü", intent_state={"a": 1.0}, agent_id="a", idempotency_key="k"
        ),
    )
    assert verified(sent(server), f"{url_of(server)}{API}/receive").keyid == partner.did
    received = body_of(sent(server))
    result = verify_envelope(received, keys=partner.verification_keys, target_server=url_of(server), now=unix_now())
    assert (result.envelope.agent_id, result.envelope.idempotency_key) == ("a", "k")


@both
def test_every_method_is_signed_with_an_identity(make: Make, server: HTTPServer) -> None:
    server.expect_request(f"{API}/status").respond_with_json({"enabled": True})
    server.expect_request(f"{API}/agents").respond_with_json([])
    server.expect_request(f"{API}/dispatch").respond_with_json(DISPATCHED)
    server.expect_request("/.well-known/openintent-federation.json").respond_with_json({"server_did": "x"})
    calls: list[tuple[Callable[[Client], object], str]] = [
        (lambda client: client.federation_status(), f"{API}/status"),
        (lambda client: client.list_federated_agents(), f"{API}/agents"),
        (lambda client: client.federation_dispatch("i", PARTNER), f"{API}/dispatch"),
        (lambda client: client.federation_discover(), "/.well-known/openintent-federation.json"),
    ]
    nonces = set()
    for call, path in calls:
        answer(make(server, identity=partner), call)
        nonces.add(verified(sent(server), url_of(server) + path).nonce)
    assert len(nonces) == len(calls)


@both
def test_a_signed_envelope_is_delivered_as_it_stands_with_a_fresh_http_signature(
    make: Make, server: HTTPServer
) -> None:
    server.expect_request(f"{API}/receive").respond_with_json(RECEIVED)
    envelope: JsonObject = {"dispatch_id": "d-1", "source_server": PARTNER, "target_server": url_of(server)}
    envelope["signature"] = sign_envelope(partner, envelope)
    nonces = set()
    for _ in range(2):
        answer(make(server, identity=partner), lambda client: client.deliver_envelope(envelope, ucan="a.b.c"))
        assert body_of(sent(server)) == envelope
        assert sent(server).headers["X-OpenIntent-UCAN"] == "a.b.c"
        nonces.add(verified(sent(server), f"{url_of(server)}{API}/receive").nonce)
    assert len(nonces) == 2


@both
def test_an_envelope_with_keys_that_a_peer_could_not_verify_is_not_sent(make: Make, server: HTTPServer) -> None:
    with pytest.raises(MalformedMessage, match="surprise"):
        answer(make(server), lambda client: client.deliver_envelope({"dispatch_id": "d-1", "surprise": 1}))
    assert server.log == []


@both
def test_a_callback_goes_to_its_url_signed_as_openintent_signs_it(make: Make, server: HTTPServer) -> None:
    server.expect_request("/callback", method="POST").respond_with_json({"ok": True})
    url = f"{url_of(server)}/callback?x=1"
    result = answer(
        make(server, identity=partner),
        lambda client: client.send_federation_callback(url, "d-1", "completed", {"a": 1}, trace_id="t"),
    )
    assert result == {"ok": True}
    callback = verify_callback(body_of(sent(server)), keys=partner.verification_keys)
    assert (callback.event_type, callback.state_delta, callback.trace_id) == (
        CallbackEventType.COMPLETED,
        {"a": 1},
        "t",
    )
    assert verified(sent(server), url).keyid == partner.did


@both
def test_an_empty_answer_to_a_callback_is_an_empty_object(make: Make, server: HTTPServer) -> None:
    server.expect_request("/callback").respond_with_data(b"", status=204)
    call = make(server)
    url = f"{url_of(server)}/callback"
    assert answer(call, lambda client: client.send_federation_callback(url, "d-1", "failed")) == {}


@both
def test_the_api_key_goes_to_the_servers_own_origin_only(make: Make, server: HTTPServer) -> None:
    server.expect_request(f"{API}/status").respond_with_json({"enabled": True})
    answer(make(server, api_key="secret"), lambda client: client.federation_status())
    assert sent(server).headers["X-API-Key"] == "secret"
    with HTTPServer(host="127.0.0.1", port=0) as other:
        other.expect_request("/callback").respond_with_json({})
        url = f"http://127.0.0.1:{other.port}/callback"
        answer(make(server, api_key="secret"), lambda client: client.send_federation_callback(url, "d", "failed"))
        assert "X-API-Key" not in sent(other).headers
        assert "secret" not in str(sent(other).headers)


@both
def test_proxies_of_the_environment_are_not_used(
    make: Make, server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    server.expect_request(f"{API}/status").respond_with_json({"enabled": True})
    assert answer(make(server), lambda client: client.federation_status()) == FederationStatus()


def test_both_clients_have_the_same_documented_methods() -> None:
    names = {name for name in vars(FederationClient) if not name.startswith("_")}
    assert names == {name for name in vars(AsyncFederationClient) if not name.startswith("_")}
    assert names >= {
        "federation_status",
        "list_federated_agents",
        "federation_dispatch",
        "federation_receive",
        "send_federation_callback",
        "federation_discover",
    }


def test_the_clients_are_context_managers(server: HTTPServer) -> None:
    server.expect_request(f"{API}/status").respond_with_json({"enabled": True})
    with FederationClient(url_of(server)) as client:
        assert client.federation_status().enabled

    async def run() -> bool:
        async with AsyncFederationClient(url_of(server)) as one:
            return (await one.federation_status()).enabled

    assert asyncio.run(run())
