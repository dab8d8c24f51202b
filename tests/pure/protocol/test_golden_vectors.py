"""Stored vectors of bytes, signatures, tokens, documents and headers, which no later version may change."""

import json
from typing import TypedDict

import pytest

from peers.protocol import (
    DelegationScope,
    FederationEnvelope,
    JsonObject,
    ServerIdentity,
    UcanClaims,
    canonical_bytes,
    did_of_url,
    read_did_document,
    sign_envelope,
    sign_request,
    verify_chain,
    verify_envelope_signature,
    verify_request,
)
from peers.protocol.ucan import encode_token, split_token
from tests.pure.protocol.vectors import HUB, NOW, VECTORS, hub, identity, load, partner


class Canonical(TypedDict):
    object: JsonObject
    canonical: str


class Envelope(TypedDict):
    envelope: JsonObject
    signature: str


class Token(TypedDict):
    signed_by: int
    payload: JsonObject
    token: str


class DidDocument(TypedDict):
    server_url: str
    seeds: list[int]
    document: JsonObject


class Request(TypedDict):
    method: str
    target_uri: str
    body: str
    created: int
    nonce: str
    headers: dict[str, str]


class Golden(TypedDict):
    canonical: list[Canonical]
    envelopes: list[Envelope]
    ucan: list[Token]
    did_documents: list[DidDocument]
    requests: list[Request]


GOLDEN: Golden = json.loads((VECTORS / "golden.json").read_bytes())


def test_the_vectors_are_json_that_we_would_take() -> None:
    assert load("golden.json") == GOLDEN


@pytest.mark.parametrize("vector", GOLDEN["canonical"])
def test_canonical_bytes(vector: Canonical) -> None:
    assert canonical_bytes(vector["object"]).decode() == vector["canonical"]


@pytest.mark.parametrize("vector", GOLDEN["envelopes"])
def test_envelope_signatures(vector: Envelope) -> None:
    assert sign_envelope(hub, vector["envelope"]) == vector["signature"]
    assert verify_envelope_signature(hub.public_key_b64, vector["envelope"], vector["signature"])
    assert not verify_envelope_signature(partner.public_key_b64, vector["envelope"], vector["signature"])


@pytest.mark.parametrize("vector", GOLDEN["envelopes"][:2])
def test_envelopes_are_rebuilt_to_the_bytes_that_were_signed(vector: Envelope) -> None:
    rebuilt = FederationEnvelope.from_dict(vector["envelope"]).to_dict()
    assert rebuilt == vector["envelope"]
    assert sign_envelope(hub, rebuilt) == vector["signature"]


@pytest.mark.parametrize("vector", GOLDEN["ucan"])
def test_ucan_tokens(vector: Token) -> None:
    signer = identity(HUB, vector["signed_by"]).signing_key()
    claims = UcanClaims.from_dict(vector["payload"])
    assert encode_token(claims.to_dict(), signer.sign) == vector["token"]
    assert split_token(vector["token"]).payload == vector["payload"]


def test_the_ucan_chain_holds() -> None:
    keys = {hub.did: hub.verification_keys, partner.did: partner.verification_keys}
    result = verify_chain(
        GOLDEN["ucan"][1]["token"],
        resolve_key=lambda did: keys[did],
        audience=hub.did,
        presenter=partner.did,
        roots=[hub.did],
        now=NOW + 1,
    )
    assert result.scope == DelegationScope(["events.log"], [], 1)


@pytest.mark.parametrize("vector", GOLDEN["did_documents"])
def test_did_documents(vector: DidDocument) -> None:
    current, *previous = (identity(HUB, number) for number in vector["seeds"])
    server = ServerIdentity(
        vector["server_url"],
        private_key_bytes=current.private_key_bytes,
        previous_public_keys=tuple(one.public_key_bytes or b"" for one in previous),
    )
    assert server.did_document() == vector["document"]
    assert read_did_document(vector["document"], did_of_url(vector["server_url"])) == server.verification_keys


@pytest.mark.parametrize("vector", GOLDEN["requests"])
def test_request_headers(vector: Request) -> None:
    body = vector["body"].encode()
    headers = sign_request(
        hub.signing_key(),
        keyid=hub.did,
        method=vector["method"],
        target_uri=vector["target_uri"],
        body=body,
        created=vector["created"],
        nonce=vector["nonce"],
    )
    assert headers == vector["headers"]
    result = verify_request(
        method=vector["method"],
        target_uri=vector["target_uri"],
        headers=headers,
        body=body,
        resolve_keys=lambda _: hub.verification_keys,
        now=NOW,
    )
    assert result.nonce == vector["nonce"]
