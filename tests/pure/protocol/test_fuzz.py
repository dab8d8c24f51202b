"""Any input to any parser gives a value or a ProtocolError, which is a ValueError, and no other error."""

from collections.abc import Callable
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from peers.protocol import (
    FederationPolicy,
    Json,
    ProtocolError,
    TrustEnforcer,
    TrustPolicy,
    UcanClaims,
    UCANToken,
    VerificationKey,
    canonical_bytes,
    did_document_urls,
    did_of_url,
    normalize_did,
    normalize_server_url,
    read_did_document,
    resolve_did_web,
    verify_callback,
    verify_chain,
    verify_envelope,
    verify_object,
)
from peers.protocol.base_encodings import decode_base58btc, decode_base64, decode_base64url
from peers.protocol.content_digest import verify_content_digest
from peers.protocol.ed25519_keys import decode_signature, read_seed
from peers.protocol.envelope_signatures import idempotency_digest, read_callback, read_envelope
from peers.protocol.signature_fields import parse_fields, split_fields
from peers.protocol.timestamps import parse_timestamp
from peers.protocol.ucan import CLAIM_NAMES, split_token
from tests.pure.protocol.strategies import MODELS, json_values, many, some
from tests.pure.protocol.vectors import HUB, NOW, hub, partner

KEYS = partner.verification_keys
NAMES = sorted(
    {field.name for model in MODELS for field in fields(model)}
    | {*CLAIM_NAMES, "id", "type", "controller", "verificationMethod", "authentication", "assertionMethod"}
    | {"publicKeyBase64", "publicKeyMultibase"}
)
WORDS = ["", "open", "peer", "did:web:hub.example.com", "did:web:hub.example.com#key-1", HUB, "2025-06-15T15:06:40Z"]
NUMBERS = [-1, 0, 1, 2**63, True, None]
likely: SearchStrategy[Json] = st.sampled_from(
    [*WORDS, "Ed25519VerificationKey2020", hub.public_key_b64, hub.sign(b""), *NUMBERS]
)
likely_objects: SearchStrategy[Json] = st.recursive(
    likely | json_values,
    lambda inner: st.dictionaries(st.sampled_from(NAMES), inner, max_size=6) | st.lists(inner, max_size=3),
    max_leaves=15,
)
OF_JSON: dict[str, Callable[..., object]] = {
    **{model.__name__: model.from_dict for model in MODELS},
    "UcanClaims": UcanClaims.from_dict,
    "UCANToken": UCANToken.from_dict,
    "read_envelope": read_envelope,
    "read_callback": read_callback,
    "read_did_document": lambda data: read_did_document(data, hub.did),
}
OF_OBJECTS: dict[str, Callable[..., object]] = {
    "canonical_bytes": canonical_bytes,
    "idempotency_digest": idempotency_digest,
    "verify_object": lambda data: verify_object(data, KEYS),
    "verify_callback": lambda data: verify_callback(data, keys=KEYS),
    "verify_envelope": lambda data: verify_envelope(data, keys=KEYS, target_server=HUB, now=NOW),
    "compose_strictest": lambda data: (
        FederationPolicy.from_dict(data).compose_strictest(FederationPolicy(data, data, data)).to_dict()
    ),
}
OF_TEXT: dict[str, Callable[..., object]] = {
    "decode_base64": decode_base64,
    "decode_base64url": decode_base64url,
    "decode_base58btc": decode_base58btc,
    "decode_signature": decode_signature,
    "from_base64": VerificationKey.from_base64,
    "from_multibase": VerificationKey.from_multibase,
    "parse_timestamp": parse_timestamp,
    "normalize_server_url": normalize_server_url,
    "did_of_url": did_of_url,
    "normalize_did": normalize_did,
    "resolve_did_web": resolve_did_web,
    "did_document_urls": did_document_urls,
    "split_token": split_token,
    "UCANToken.decode": UCANToken.decode,
    "verify_chain": lambda text: verify_chain(
        text, resolve_key=lambda _: KEYS, audience=hub.did, presenter=partner.did, roots=[hub.did], now=NOW
    ),
    "parse_fields": lambda text: parse_fields(text, text),
    "split_fields": lambda text: split_fields(text, text),
    "verify_content_digest": lambda text: verify_content_digest(text, b""),
    "TrustEnforcer": lambda text: TrustEnforcer(TrustPolicy.ALLOWLIST, [text]),
}
texts = st.text(max_size=60) | st.text('did:web:%3Aa.0/[]="();,-_AZ', max_size=40) | likely.map(str)


def give(parse: Callable[..., object], value: object) -> None:
    """Call a parser with a value; a refusal must be a ProtocolError with a message and a status."""
    try:
        parse(value)
    except ProtocolError as refusal:
        assert isinstance(refusal, ValueError)
        assert str(refusal)
        assert 400 <= refusal.status_hint < 500


@pytest.mark.parametrize("name", OF_JSON)
@some
@given(value=likely_objects)
def test_any_json_into(name: str, value: Json) -> None:
    give(OF_JSON[name], value)


@pytest.mark.parametrize("name", OF_OBJECTS)
@some
@given(value=st.dictionaries(st.sampled_from([*NAMES, "signature"]), likely_objects, max_size=8))
def test_any_object_into(name: str, value: Json) -> None:
    give(OF_OBJECTS[name], value)


@pytest.mark.parametrize("name", OF_TEXT)
@many
@given(value=texts)
def test_any_text_into(name: str, value: str) -> None:
    give(OF_TEXT[name], value)


@pytest.mark.parametrize("parse", [VerificationKey, read_seed])
@many
@given(value=st.binary(max_size=70) | st.binary(min_size=32, max_size=32))
def test_any_bytes_into(parse: Callable[[bytes], object], value: bytes) -> None:
    give(parse, value)
