"""OpenIntent 0.17 and this library read and verify each other's messages, in both directions."""

from importlib.metadata import version
from pathlib import Path

import openintent.federation as openintent
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openintent.federation import security

from peers.protocol import (
    DelegationError,
    DelegationFault,
    DelegationScope,
    FederationCallback,
    FederationEnvelope,
    FederationPolicy,
    JsonObject,
    ServerIdentity,
    SignatureMalformed,
    UCANToken,
    VerificationKey,
    canonical_bytes,
    did_of_url,
    is_same_did,
    parse_envelope,
    read_did_document,
    resolve_did_web,
    sign_envelope,
    validate_ssrf,
    verify_callback,
    verify_chain,
    verify_envelope,
    verify_envelope_signature,
    verify_object,
)
from peers.protocol.compat import unix_now
from peers.protocol.timestamps import format_timestamp
from tests.pure.protocol.strategies import MODELS, Instance, envelopes, few, json_objects, some
from tests.pure.protocol.vectors import HUB, NOW, PARTNER, hub, load

ours = hub
theirs = openintent.ServerIdentity.generate(PARTNER)
their_key = VerificationKey(theirs.public_key_bytes or b"")


def test_the_peer_is_openintent_0_17_with_real_signatures() -> None:
    assert version("openintent").startswith("0.17.")
    # Without cryptography OpenIntent signs with HMAC and gives no warning.
    assert security.HAS_CRYPTO


@pytest.mark.parametrize("model", MODELS)
@some
@given(data=st.data())
def test_each_models_dict_is_the_same_on_both_sides(model: type[Instance], data: st.DataObject) -> None:
    instance = data.draw(MODELS[model])
    their_model = getattr(openintent, model.__name__)
    wire = instance.to_dict()
    assert their_model.from_dict(wire).to_dict() == wire
    assert model.from_dict(their_model.from_dict(wire).to_dict()) == instance


@pytest.mark.parametrize("model", MODELS)
def test_each_model_fills_in_the_same_defaults_on_both_sides(model: type[Instance]) -> None:
    assert model.from_dict({}).to_dict() == getattr(openintent, model.__name__).from_dict({}).to_dict()


@some
@given(envelopes)
def test_envelopes_verify_on_the_other_side(envelope: FederationEnvelope) -> None:
    wire = envelope.to_dict()
    rebuilt = openintent.FederationEnvelope.from_dict(wire).to_dict()
    assert openintent.verify_envelope_signature(ours.public_key_b64, rebuilt, sign_envelope(ours, wire))
    assert verify_envelope_signature(theirs.public_key_b64, wire, openintent.sign_envelope(theirs, rebuilt))


@some
@given(json_objects)
def test_the_signed_bytes_are_the_same_for_any_object(data: JsonObject) -> None:
    assert canonical_bytes(data) == security._canonical_bytes(data)
    assert ours.verify(b"message", ours.sign(b"message"))
    received = data | {"signature": openintent.sign_envelope(theirs, data)}
    assert verify_object(received, [their_key]) == their_key
    assert openintent.verify_envelope_signature(ours.public_key_b64, data, sign_envelope(ours, data))


@few
@given(json_objects)
def test_a_change_is_refused_on_both_sides(data: JsonObject) -> None:
    signature, changed = sign_envelope(ours, data), data | {"x-change": 1}
    assert not openintent.verify_envelope_signature(ours.public_key_b64, changed, signature)
    assert not verify_envelope_signature(theirs.public_key_b64, changed, openintent.sign_envelope(theirs, data))


def test_an_envelope_as_their_server_sends_it_is_verified_in_full() -> None:
    wire = openintent.FederationEnvelope(
        dispatch_id="d-1",
        source_server=PARTNER,
        target_server=HUB,
        intent_id="i-1",
        intent_title="",
        delegation_scope=openintent.DelegationScope(),
        created_at=format_timestamp(NOW),
    ).to_dict()
    wire["signature"] = openintent.sign_envelope(theirs, wire)
    assert verify_envelope(wire, keys=[their_key], target_server=HUB, now=NOW).envelope.dispatch_id == "d-1"


def test_what_their_client_posts_to_receive_can_be_read_without_a_target() -> None:
    raw = (
        b'{"dispatch_id": "d-1", "source_server": "https://partner.example.com", "intent_id": "i-1", '
        b'"intent_title": "T", "intent_description": "", "intent_state": {}}'
    )
    assert parse_envelope(raw).target_server == ""


def test_a_callback_as_their_server_sends_it_is_verified() -> None:
    wire = openintent.FederationCallback(
        dispatch_id="d-1",
        event_type=openintent.CallbackEventType.STATE_DELTA,
        state_delta={"status": "accepted"},
        idempotency_key="accept-d-1",
    ).to_dict()
    signed = wire | {"signature": openintent.sign_envelope(theirs, wire)}
    assert verify_callback(signed, keys=[their_key]) == FederationCallback.from_dict(wire)


def test_their_hmac_fall_back_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "HAS_CRYPTO", False)
    without_cryptography = openintent.ServerIdentity.generate(PARTNER)
    data: JsonObject = {"dispatch_id": "d-1"}
    signed = data | {"signature": openintent.sign_envelope(without_cryptography, data)}
    with pytest.raises(SignatureMalformed, match="HMAC"):
        verify_object(signed, [their_key])


def test_key_files_are_read_by_the_other_side(tmp_path: Path) -> None:
    theirs.save_key(str(tmp_path / "theirs"))
    assert ServerIdentity.from_key_file(PARTNER, tmp_path / "theirs").public_key_b64 == theirs.public_key_b64
    ours.save_key(tmp_path / "ours")
    assert openintent.ServerIdentity.from_key_file(HUB, str(tmp_path / "ours")).public_key_b64 == ours.public_key_b64


def test_signatures_of_bytes_verify_on_the_other_side() -> None:
    as_theirs = openintent.ServerIdentity(HUB, public_key_bytes=ours.public_key_bytes)
    as_ours = ServerIdentity(PARTNER, public_key_bytes=theirs.public_key_bytes)
    assert as_theirs.verify(b"hello", ours.sign(b"hello"))
    assert as_ours.verify(b"hello", theirs.sign(b"hello"))


@pytest.mark.parametrize(
    "url", [HUB, "http://localhost:8001", "https://example.com/hub", "https://example.com:8443/a/b/"]
)
def test_their_dids_are_understood(url: str) -> None:
    assert is_same_did(openintent.ServerIdentity(url).did, did_of_url(url))


@pytest.mark.parametrize("did", ["did:web:api.example.com", "did:web:api.example.com:hubs:one"])
def test_dids_resolve_to_the_same_url(did: str) -> None:
    assert resolve_did_web(did) == openintent.resolve_did_web(did)


def test_their_did_document_is_read_and_ours_has_what_they_read() -> None:
    assert read_did_document(theirs.did_document(), theirs.did) == (their_key,)
    methods = ours.did_document()["verificationMethod"]
    assert isinstance(methods, list) and isinstance(methods[0], dict)
    assert methods[0]["publicKeyBase64"] == ours.public_key_b64


def test_what_their_url_check_refuses_ours_refuses_but_for_public_172() -> None:
    table = load("urls.json")["allowed"]
    assert isinstance(table, list)
    refused_there_only = {url for url in table if not openintent.validate_ssrf(str(url))}
    assert refused_there_only
    assert all("172." in str(url) or "//10." in str(url) for url in refused_there_only)
    assert all(validate_ssrf(str(url)) for url in table)


def their_root(depth: int = 2) -> openintent.UCANToken:
    """Return a root token that OpenIntent made for this hub."""
    return openintent.UCANToken(theirs.did, ours.did, openintent.DelegationScope(max_delegation_depth=depth))


def resolve(did: str) -> tuple[VerificationKey, ...]:
    """Return the keys of both sides."""
    return {theirs.did: (their_key,), ours.did: ours.verification_keys}.get(did, ())


def test_their_root_tokens_verify_with_ours() -> None:
    result = verify_chain(
        their_root().encode(theirs),
        resolve_key=resolve,
        audience=ours.did,
        presenter=theirs.did,
        roots=[theirs.did],
        now=unix_now(),
    )
    assert result.scope == DelegationScope(max_delegation_depth=2)


def test_their_attenuated_tokens_are_refused_at_the_parent_that_they_sign_with_the_wrong_key() -> None:
    their_own = openintent.ServerIdentity.generate("https://third.example.com")
    root = openintent.UCANToken(theirs.did, their_own.did, openintent.DelegationScope(max_delegation_depth=2))
    child = root.attenuate(ours.did, openintent.DelegationScope(), their_own)
    keys = {theirs.did: (their_key,), their_own.did: (VerificationKey(their_own.public_key_bytes or b""),)}
    with pytest.raises(DelegationError) as refusal:
        verify_chain(
            child.encode(their_own),
            resolve_key=lambda did: keys[did],
            audience=ours.did,
            presenter=their_own.did,
            roots=[theirs.did],
            now=unix_now(),
        )
    assert (refusal.value.fault, refusal.value.link) == (DelegationFault.SIGNATURE, 0)


def test_our_attenuation_of_their_token_verifies() -> None:
    received = UCANToken.decode(their_root().encode(theirs))
    child = received.attenuate(theirs.did, DelegationScope(["events.log"]), ours)
    result = verify_chain(
        child.encode(ours),
        resolve_key=resolve,
        audience=theirs.did,
        presenter=ours.did,
        roots=[theirs.did],
        now=unix_now(),
    )
    assert result.scope == DelegationScope(["events.log"], [], 1)


def test_our_tokens_decode_there_and_theirs_here() -> None:
    root = UCANToken(ours.did, theirs.did, DelegationScope(max_delegation_depth=3))
    child = UCANToken.decode(root.encode(ours)).attenuate(
        "did:web:third.example.com",
        DelegationScope(),
        ServerIdentity(PARTNER, private_key_bytes=theirs.private_key_bytes),
    )
    for token in (root, child):
        signer = ours if token is root else ServerIdentity(PARTNER, private_key_bytes=theirs.private_key_bytes)
        decoded = openintent.UCANToken.decode(token.encode(signer))
        assert decoded.to_dict() == token.to_dict()
        assert decoded.is_active()
    assert UCANToken.decode(their_root().encode(theirs)).issuer == theirs.did


def test_both_encode_a_token_to_the_same_bytes() -> None:
    same = ServerIdentity(PARTNER, private_key_bytes=theirs.private_key_bytes)
    mine = UCANToken(theirs.did, ours.did, DelegationScope(), NOW, NOW + 60, "nonce", ["parent"])
    other = openintent.UCANToken(theirs.did, ours.did, openintent.DelegationScope(), NOW, NOW + 60, "nonce", ["parent"])
    assert mine.encode(same) == other.encode(theirs)


@pytest.mark.parametrize(
    ("local", "remote"),
    [
        ({"governance": {"a": True, "b": 5}}, {"governance": {"a": False, "b": 3, "c": 1}}),
        ({"budget": {"max_llm_tokens": 5, "x": 1}}, {"budget": {"max_llm_tokens": 3.5, "y": 2}}),
    ],
)
def test_strictest_policies_agree_where_theirs_is_strict(local: JsonObject, remote: JsonObject) -> None:
    mine = FederationPolicy.from_dict(local).compose_strictest(FederationPolicy.from_dict(remote))
    other = openintent.FederationPolicy.from_dict(local).compose_strictest(
        openintent.FederationPolicy.from_dict(remote)
    )
    assert mine.to_dict() == other.to_dict()
