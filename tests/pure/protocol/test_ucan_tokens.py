"""UCAN tokens: their text, and the documented class."""

import base64
import json
from dataclasses import replace

import pytest

from peers.protocol import (
    DelegationError,
    DelegationFault,
    DelegationScope,
    JsonObject,
    MalformedMessage,
    UcanClaims,
    UCANToken,
)
from peers.protocol.base_encodings import decode_base64url, encode_base64url
from peers.protocol.compat import unix_now
from peers.protocol.ucan import MAX_TOKEN_BYTES, encode_token, split_token
from tests.pure.protocol.chains import KEYS, LEAF, ROOT, ROOT_TOKEN, WIDE, child_of, sign, worker
from tests.pure.protocol.vectors import NOW, hub, partner


def test_a_token_has_the_documented_bytes() -> None:
    header, payload, signature = ROOT_TOKEN.split(".")
    assert decode_base64url(header) == b'{"alg": "EdDSA", "typ": "UCAN"}'
    assert decode_base64url(payload) == json.dumps(ROOT.to_dict(), sort_keys=True).encode()
    assert list(json.loads(decode_base64url(payload))) == sorted(["iss", "aud", "scope", "nbf", "exp", "nonce", "prf"])
    assert len(decode_base64url(signature)) == 64
    assert "=" not in ROOT_TOKEN


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c.d", "...."])
def test_decoding_other_than_three_parts_is_the_documented_error(token: str) -> None:
    with pytest.raises(ValueError, match="Invalid UCAN token format"):
        UCANToken.decode(token)


def test_the_constructor_fills_in_times_and_nonce() -> None:
    before = unix_now()
    token = UCANToken(hub.did, partner.did, WIDE)
    assert before <= token.not_before <= unix_now()
    assert token.expires_at == token.not_before + 3600
    assert token.nonce != UCANToken(hub.did, partner.did, WIDE).nonce
    assert token.proof_chain == []
    assert token.is_active()
    assert not token.is_expired()


def test_expired_and_future_tokens_are_not_active() -> None:
    now = unix_now()
    assert UCANToken(hub.did, partner.did, WIDE, now - 20, now - 10).is_expired()
    assert not UCANToken(hub.did, partner.did, WIDE, now - 20, now - 10).is_active()
    assert not UCANToken(hub.did, partner.did, WIDE, now + 100).is_active()
    assert not UCANToken(hub.did, partner.did, WIDE, now + 100).is_expired()


@pytest.mark.parametrize(
    ("now", "active", "expired"),
    [(NOW - 1, False, False), (NOW, True, False), (NOW + 60, True, False), (NOW + 61, False, True)],
)
def test_the_first_and_the_last_second_count(
    now: int, active: bool, expired: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: now + 0.9)
    token = UCANToken(hub.did, partner.did, WIDE, NOW, NOW + 60)
    assert (token.is_active(), token.is_expired()) == (active, expired)


def test_decoding_gives_the_token_back_without_verifying_it() -> None:
    token = UCANToken(hub.did, partner.did, WIDE, NOW, NOW + 60, "n", ["p"])
    text = token.encode(hub)
    assert UCANToken.decode(text) == token
    header, payload, _ = text.split(".")
    assert UCANToken.decode(f"{header}.{payload}.{encode_base64url(bytes(64))}") == token


def test_from_dict_fills_in_what_is_missing_as_documented() -> None:
    token = UCANToken.from_dict({})
    assert (token.issuer, token.audience, token.scope) == ("", "", DelegationScope())
    assert token.is_active()


def test_only_the_issuer_can_encode_a_token() -> None:
    with pytest.raises(DelegationError):
        UCANToken(hub.did, partner.did, WIDE).encode(partner)


def test_the_documented_class_attenuates_and_its_chain_verifies() -> None:
    root = UCANToken(hub.did, partner.did, replace(WIDE, expires_at=None))
    received = UCANToken.decode(root.encode(hub))
    child = received.attenuate(hub.did, DelegationScope(["events.log"]), partner)
    assert (child.issuer, child.audience, child.expires_at) == (partner.did, hub.did, root.expires_at)
    assert child.proof_chain == [root.encode(hub)]
    result = UCANToken.verify(
        child.encode(partner),
        resolve_key=lambda did: KEYS[did],
        audience=hub.did,
        presenter=partner.did,
        roots=[hub.did],
        now=unix_now(),
    )
    assert result.scope == DelegationScope(["events.log"], ["files.read"], 1)


def test_an_unsigned_parent_is_signed_by_its_issuer_or_not_at_all() -> None:
    scope = DelegationScope(max_delegation_depth=2)
    child = UCANToken(hub.did, partner.did, scope).attenuate(worker.did, scope, hub)
    assert split_token(child.proof_chain[0]).payload["iss"] == hub.did
    with pytest.raises(DelegationError):
        UCANToken(hub.did, partner.did, scope).attenuate(worker.did, scope, partner)


def test_a_parent_changed_after_signing_is_not_passed_on() -> None:
    parent = UCANToken(hub.did, partner.did, DelegationScope(["events.log"], [], 1))
    parent.encode(hub)
    parent.scope = DelegationScope(["events.log", "state.patch"], [], 9)
    with pytest.raises(DelegationError):
        parent.attenuate(worker.did, DelegationScope(), partner)


def test_a_parent_with_claims_that_we_do_not_know_is_passed_on_as_it_is() -> None:
    text = encode_token(ROOT.to_dict() | {"exp": unix_now() + 60, "fct": {"note": 1}}, hub.signing_key().sign)
    assert UCANToken.decode(text).attenuate(hub.did, DelegationScope(), partner).proof_chain == [text]


def test_a_child_begins_no_earlier_than_its_parent() -> None:
    later = replace(ROOT, not_before=NOW + 100)
    assert child_of(later, sign(later, hub), hub.did).not_before == NOW + 100
    assert child_of(ROOT, ROOT_TOKEN, hub.did).not_before == NOW


def test_attenuating_depth_zero_or_an_expired_parent_is_refused() -> None:
    spent = UCANToken(hub.did, partner.did, DelegationScope(max_delegation_depth=0))
    with pytest.raises(ValueError, match="Delegation depth exceeded"):
        spent.attenuate(worker.did, DelegationScope(), hub)
    with pytest.raises(DelegationError) as refusal:
        UCANToken(hub.did, partner.did, DelegationScope(), NOW, NOW + 1).attenuate(worker.did, DelegationScope(), hub)
    assert refusal.value.fault is DelegationFault.EXPIRED


def test_a_chain_ends_where_its_token_would_be_larger_than_a_verifier_takes() -> None:
    claims, token = replace(ROOT, scope=DelegationScope(max_delegation_depth=20)), ""
    sizes = []
    with pytest.raises(DelegationError) as refusal:
        for _ in range(10):
            token = sign(claims, hub)
            sizes.append(len(token))
            claims = child_of(claims, token, hub.did, DelegationScope(max_delegation_depth=20))
    assert refusal.value.fault is DelegationFault.TOO_LARGE
    assert len(sizes) == 5
    assert max(sizes) <= MAX_TOKEN_BYTES


def test_padding_or_another_alphabet_is_refused() -> None:
    padded = ".".join(part + "=" * (-len(part) % 4) for part in ROOT_TOKEN.split("."))
    standard = ".".join(base64.b64encode(decode_base64url(part)).decode().rstrip("=") for part in ROOT_TOKEN.split("."))
    for token in {padded, standard} - {ROOT_TOKEN}:
        with pytest.raises(MalformedMessage):
            UCANToken.decode(token)


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_a_token_whose_signature_has_another_length_is_malformed(size: int) -> None:
    header, payload, _ = ROOT_TOKEN.split(".")
    with pytest.raises(MalformedMessage, match="64 bytes"):
        split_token(f"{header}.{payload}.{encode_base64url(bytes(size))}")


def test_a_payload_that_is_not_json_is_not_signed() -> None:
    with pytest.raises(MalformedMessage, match="not JSON"):
        encode_token({"exp": float("nan")}, hub.signing_key().sign)


def test_claims_read_back() -> None:
    wire: JsonObject = LEAF.to_dict()
    assert UcanClaims.from_dict(wire) == LEAF
