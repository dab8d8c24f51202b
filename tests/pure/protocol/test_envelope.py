"""Signatures of messages: those that verify, and those that are refused."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.strict_json import parse_json_object
from peers.protocol import (
    DelegationError,
    DelegationFault,
    DelegationScope,
    FederationEnvelope,
    FederationPolicy,
    Json,
    JsonObject,
    MalformedMessage,
    ProtocolError,
    SignatureExpired,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    SignatureNotYetValid,
    UnknownKey,
    VerifiedEnvelope,
    WrongTarget,
    idempotency_digest,
    parse_callback,
    parse_envelope,
    sign_envelope,
    verify_callback,
    verify_envelope,
    verify_envelope_signature,
    verify_object,
)
from peers.protocol.base_encodings import encode_base64
from peers.protocol.timestamps import format_timestamp
from tests.pure.protocol.strategies import envelopes, json_objects, some
from tests.pure.protocol.vectors import HUB, NOW, PARTNER, hub, identity, partner, stranger

FULL = FederationEnvelope(
    dispatch_id="d-1",
    source_server=PARTNER,
    target_server=HUB,
    intent_id="i-1",
    intent_title="Compare suppliers",
    intent_description="As a table",
    intent_state={"rows": [1, 2.5, None, {"deep": "ü"}]},
    intent_constraints={"max": 3},
    agent_id="agent",
    delegation_scope=DelegationScope(),
    federation_policy=FederationPolicy(budget={"max_llm_tokens": 5}),
    trace_context={"trace_id": "t"},
    callback_url=f"{PARTNER}/callback",
    idempotency_key="key-1",
    created_at=format_timestamp(NOW),
)


def signed(**changes: Json) -> JsonObject:
    """Return a full envelope with these changes, which the partner then signed."""
    envelope = FULL.to_dict() | changes
    return envelope | {"signature": sign_envelope(partner, envelope)}


def verified(envelope: JsonObject, now: float = NOW) -> VerifiedEnvelope:
    """Verify with the partner's approved key, as the hub does."""
    return verify_envelope(envelope, keys=partner.verification_keys, target_server=HUB, now=now)


def altered(value: Json) -> Json:
    """Return another value of the same type."""
    if isinstance(value, str):
        return value[:-1] + ("y" if value.endswith("x") else "x")
    if isinstance(value, dict):
        return {**value, "x": 1} if "x" not in value else {}
    return [value]


def test_a_full_envelope_verifies_and_reads_back() -> None:
    result = verified(signed())
    assert result.key == partner.verification_keys[0]
    assert result.envelope == FederationEnvelope.from_dict(signed())


@pytest.mark.parametrize("name", FULL.to_dict())
def test_changing_any_signed_field_is_refused(name: str) -> None:
    envelope = signed()
    envelope[name] = altered(envelope[name])
    with pytest.raises(SignatureMismatch):
        verified(envelope)
    assert not verify_envelope_signature(partner.public_key_b64, envelope, str(envelope["signature"]))


@pytest.mark.parametrize("name", FULL.to_dict())
def test_leaving_out_any_signed_field_is_refused(name: str) -> None:
    envelope = signed()
    del envelope[name]
    with pytest.raises(SignatureMismatch):
        verified(envelope)


@pytest.mark.parametrize("name", FULL.to_dict())
def test_setting_any_signed_field_to_null_is_refused(name: str) -> None:
    with pytest.raises(SignatureMismatch):
        verified(signed() | {name: None})


def test_adding_a_key_is_refused() -> None:
    with pytest.raises(SignatureMismatch):
        verified(signed() | {"surprise": 1})


@pytest.mark.parametrize("path", ["rows", "deep", "permissions", "max_llm_tokens", "trace_id"])
def test_changing_a_nested_value_is_refused(path: str) -> None:
    def change(value: Json) -> Json:
        if isinstance(value, dict):
            return {key: altered(item) if key == path else change(item) for key, item in value.items()}
        return [change(item) for item in value] if isinstance(value, list) else value

    changed = change(signed())
    assert isinstance(changed, dict)
    with pytest.raises(SignatureMismatch):
        verified(changed)


@pytest.mark.parametrize("position", range(86))
def test_changing_any_character_of_the_signature_is_refused(position: int) -> None:
    envelope = signed()
    signature = str(envelope["signature"])
    other = "A" if signature[position] != "A" else "B"
    with pytest.raises((SignatureMismatch, SignatureMalformed)):
        verified(envelope | {"signature": signature[:position] + other + signature[position + 1 :]})


@pytest.mark.parametrize(
    ("signature", "error"),
    [
        (None, SignatureMissing),
        ("", SignatureMissing),
        (0, SignatureMissing),
        (["x"], SignatureMalformed),
        ({"a": 1}, SignatureMalformed),
        (True, SignatureMalformed),
        ("garbage", SignatureMalformed),
        (encode_base64(bytes(32)), SignatureMalformed),
        (encode_base64(bytes(63)), SignatureMalformed),
        (encode_base64(bytes(64)), SignatureMismatch),
        (encode_base64(bytes([255]) * 64), SignatureMismatch),
        (str(signed()["signature"]).rstrip("="), SignatureMalformed),
        (str(signed()["signature"]) + "\n", SignatureMalformed),
        (sign_envelope(stranger, FULL.to_dict()), SignatureMismatch),
        (partner.sign(b"something else"), SignatureMismatch),
    ],
)
def test_other_signatures_are_refused(signature: Json, error: type[ProtocolError]) -> None:
    with pytest.raises(error):
        verified(signed() | {"signature": signature})


def test_an_unsigned_envelope_is_refused() -> None:
    with pytest.raises(SignatureMissing):
        verified(FULL.to_dict())


def test_no_approved_key_is_refused() -> None:
    with pytest.raises(UnknownKey):
        verify_envelope(signed(), keys=(), target_server=HUB, now=NOW)


def test_one_of_three_approved_keys_is_enough_and_a_fourth_is_not_tried() -> None:
    others = [identity(PARTNER, number).verification_keys[0] for number in (4, 5, 6)]
    keys = [*others[:2], *partner.verification_keys]
    assert verify_envelope(signed(), keys=keys, target_server=HUB, now=NOW).key == keys[2]
    with pytest.raises(SignatureMismatch):
        verify_envelope(signed(), keys=[*others, *partner.verification_keys], target_server=HUB, now=NOW)


@pytest.mark.parametrize("target", [HUB, HUB + "/", "HTTPS://HUB.EXAMPLE.COM:443"])
def test_the_target_is_compared_normalized(target: str) -> None:
    assert verified(signed(target_server=target))


@pytest.mark.parametrize(
    "target", [PARTNER, "http://hub.example.com", HUB + "/other", "https://user@hub.example.com", "hub.example.com", ""]
)
def test_an_envelope_for_another_server_is_refused(target: str) -> None:
    with pytest.raises(WrongTarget):
        verified(signed(target_server=target))


@pytest.mark.parametrize("age", [0, 86_400, -300])
def test_an_envelope_within_its_time_is_accepted(age: int) -> None:
    assert verified(signed(created_at=format_timestamp(NOW - age)))


@pytest.mark.parametrize(
    ("age", "error"), [(86_401, SignatureExpired), (-301, SignatureNotYetValid), (-(10**9), SignatureNotYetValid)]
)
def test_an_envelope_outside_its_time_is_refused(age: int, error: type[ProtocolError]) -> None:
    with pytest.raises(error):
        verified(signed(created_at=format_timestamp(NOW - age)))


def test_the_longest_age_is_a_setting() -> None:
    old = signed(created_at=format_timestamp(NOW - 100))
    with pytest.raises(SignatureExpired):
        verify_envelope(old, keys=partner.verification_keys, target_server=HUB, now=NOW, max_age_seconds=99)


@pytest.mark.parametrize(
    ("created_at", "error"),
    [("", SignatureExpired), ("yesterday", MalformedMessage), (None, MalformedMessage), (NOW, MalformedMessage)],
)
def test_an_envelope_that_does_not_say_when_is_refused(created_at: Json, error: type[ProtocolError]) -> None:
    with pytest.raises(error):
        verified(signed(created_at=created_at))


@pytest.mark.parametrize("name", ["dispatch_id", "source_server", "intent_id"])
@pytest.mark.parametrize("value", ["", None])
def test_a_signed_envelope_still_needs_its_required_fields(name: str, value: str | None) -> None:
    with pytest.raises(MalformedMessage):
        verified(signed(**{name: value}))


def test_an_empty_title_is_what_openintents_server_sends_but_none_is_malformed() -> None:
    assert verified(signed(intent_title="")).envelope.intent_title == ""
    untitled = {name: value for name, value in FULL.to_dict().items() if name != "intent_title"}
    with pytest.raises(MalformedMessage, match="intent_title"):
        verified(untitled | {"signature": sign_envelope(partner, untitled)})


@pytest.mark.parametrize("source", ["partner", "https://user@partner.example.com", "javascript:alert(1)"])
def test_a_source_that_is_no_server_is_malformed(source: str) -> None:
    with pytest.raises(MalformedMessage):
        verified(signed(source_server=source))


def test_a_wildcard_or_a_negative_depth_in_the_scope_is_refused() -> None:
    with pytest.raises(DelegationError) as refusal:
        verified(signed(delegation_scope=DelegationScope(["*"]).to_dict()))
    assert refusal.value.fault is DelegationFault.WILDCARD
    with pytest.raises(MalformedMessage):
        verified(signed(delegation_scope=DelegationScope(max_delegation_depth=-5).to_dict()))


def test_an_object_is_verified_as_received_with_keys_that_the_model_drops() -> None:
    assert verified(signed(x_new_field={"a": 1})).envelope == FederationEnvelope.from_dict(signed(x_new_field={"a": 1}))


def test_only_the_top_level_signature_is_not_covered() -> None:
    nested = signed(intent_state={"signature": "a"})
    nested["intent_state"] = {"signature": "b"}
    with pytest.raises(SignatureMismatch):
        verified(nested)


@pytest.mark.parametrize(
    "public_key", ["", "x", "ä", encode_base64(bytes(32)), encode_base64(bytes(31)), hub.public_key_b64]
)
def test_the_documented_check_is_false_for_other_keys(public_key: str) -> None:
    assert not verify_envelope_signature(public_key, FULL.to_dict(), str(signed()["signature"]))


@pytest.mark.parametrize("value", [None, 1, [], {}, b"bytes"])
def test_the_documented_check_is_false_for_values_that_are_no_text(value: str) -> None:
    assert not verify_envelope_signature(value, FULL.to_dict(), str(signed()["signature"]))
    assert not verify_envelope_signature(partner.public_key_b64, FULL.to_dict(), value)
    assert not partner.verify(b"message", value)


@pytest.mark.parametrize("signature", ["", "x", "ä", encode_base64(bytes(32)), encode_base64(bytes(64)), "\ud800"])
def test_the_documented_check_is_false_for_other_signatures(signature: str) -> None:
    assert not verify_envelope_signature(partner.public_key_b64, FULL.to_dict(), signature)


def test_time_and_signature_make_no_other_request_and_everything_else_does() -> None:
    first = signed()
    assert idempotency_digest(first) == idempotency_digest(signed(created_at=format_timestamp(NOW + 9)))
    assert len(idempotency_digest(first)) == 64
    for name in FULL.to_dict():
        if name != "created_at":
            assert idempotency_digest(first) != idempotency_digest(first | {name: altered(first[name])})


@some
@given(json_objects)
def test_any_object_that_is_signed_verifies_under_its_key_only(data: JsonObject) -> None:
    received = data | {"signature": sign_envelope(partner, data)}
    assert verify_object(received, partner.verification_keys) == partner.verification_keys[0]
    with pytest.raises(SignatureMismatch):
        verify_object(received, stranger.verification_keys)


@some
@given(envelopes)
def test_any_envelope_verifies_before_and_after_rebuilding_its_dict(envelope: FederationEnvelope) -> None:
    wire = envelope.to_dict()
    signature = sign_envelope(partner, wire)
    assert verify_envelope_signature(partner.public_key_b64, wire, signature)
    assert verify_envelope_signature(partner.public_key_b64, FederationEnvelope.from_dict(wire).to_dict(), signature)


@pytest.mark.parametrize("parse", [parse_envelope, parse_callback])
@some
@given(raw=st.binary(max_size=80) | json_objects.map(str).map(str.encode))
def test_any_bytes_are_parsed_or_refused(parse: Callable[[bytes], object], raw: bytes) -> None:
    try:
        assert parse(raw)
    except ProtocolError as refusal:
        assert isinstance(refusal, ValueError)


@pytest.mark.parametrize("raw", [b'{"dispatch_id":"a","dispatch_id":"b"}', b'{"intent_state":NaN}', b"[" * 99, b""])
def test_what_cannot_have_one_meaning_is_refused_before_any_signature(raw: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_envelope(raw)


def callback(**changes: Json) -> JsonObject:
    """Return a callback with these changes, which the partner then signed as OpenIntent's server does."""
    body: JsonObject = {"dispatch_id": "d-1", "event_type": "state_delta", "state_delta": {"a": 1}, **changes}
    return body | {"signature": sign_envelope(partner, body)}


def attestation(**changes: Json) -> JsonObject:
    """Return an unsigned attestation of the same dispatch with these changes."""
    return {"dispatch_id": "d-1", "governance_compliant": True, "usage": {}, "trace_references": [], **changes}


def test_a_signed_callback_verifies_and_reads_back() -> None:
    read = verify_callback(callback(attestation=attestation()), keys=partner.verification_keys)
    assert (read.dispatch_id, read.event_type, read.state_delta) == ("d-1", "state_delta", {"a": 1})
    assert read.attestation is not None


def test_a_callback_with_a_signed_attestation_verifies() -> None:
    signed_attestation = attestation() | {"signature": sign_envelope(partner, attestation())}
    assert verify_callback(callback(attestation=signed_attestation), keys=partner.verification_keys)


@pytest.mark.parametrize("name", ["dispatch_id", "event_type", "state_delta"])
def test_changing_any_field_of_a_callback_is_refused(name: str) -> None:
    body = callback()
    body[name] = altered(body[name])
    with pytest.raises(SignatureMismatch):
        verify_callback(body, keys=partner.verification_keys)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"dispatch_id": "d-1", "event_type": "completed"}, SignatureMissing),
        (callback(event_type="exploded"), MalformedMessage),
        (callback(dispatch_id=""), MalformedMessage),
        (callback(attestation=attestation(dispatch_id="d-2")), SignatureMismatch),
        (callback(attestation=attestation(signature="x")), SignatureMalformed),
        (callback(attestation=attestation(signature=sign_envelope(stranger, attestation()))), SignatureMismatch),
        (callback(attestation=attestation(usage=1)), MalformedMessage),
        (callback(attestation="x"), MalformedMessage),
    ],
)
def test_callbacks_that_do_not_fit_are_refused(body: JsonObject, error: type[ProtocolError]) -> None:
    with pytest.raises(error):
        verify_callback(body, keys=partner.verification_keys)


def test_a_callback_by_another_peer_is_refused() -> None:
    with pytest.raises(SignatureMismatch):
        verify_callback(callback(), keys=stranger.verification_keys)


def test_what_went_over_the_wire_verifies_as_it_arrived() -> None:
    raw = json.dumps(signed(), indent=3, ensure_ascii=False).encode()
    assert verified(parse_json_object(raw))
