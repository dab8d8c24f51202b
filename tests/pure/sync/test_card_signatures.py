"""The verdict on signed agent cards: what verifies, and what one change makes of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from a2a.utils.signing import create_agent_card_signer
from google.protobuf.json_format import MessageToDict
from jwcrypto.jwk import JWK
from jwt import PyJWK

from federations.sync.card_keys import CardKey, CardKeyError, read_jwk, read_jwk_set
from federations.sync.card_payload import signed_payload
from federations.sync.card_signatures import SignatureState, verify_card
from federations.sync.resources import Json, JsonObject
from tests.pure.sync.signed_cards import CARD, KINDS, key_pair, public, signature, signed

VERIFIED, UNSIGNED, UNKNOWN, BAD = SignatureState


def pinned(key: JWK, **fields: Any) -> CardKey:
    return CardKey("Routes", str(key.get("kid")), read_jwk(public(key)), **fields)


@pytest.mark.parametrize("algorithm", KINDS)
def test_a_card_signed_by_another_library_verifies(algorithm: str) -> None:
    key, other = key_pair(algorithm), key_pair(algorithm)
    card = signed(key, algorithm)
    verdict = verify_card(card, [pinned(other), pinned(key)])
    assert (verdict.state, verdict.kid, verdict.key_name) == (VERIFIED, "key-1", "Routes")
    assert verify_card(card, [pinned(other)]).state is BAD
    assert verify_card(card, []).state is UNKNOWN
    assert verify_card({**card, "signatures": []}, [pinned(key)]).state is UNSIGNED


def changes(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of each leaf of a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield from changes(each, (*place, key))
    if not isinstance(value, dict | list) or not value:
        yield place


def changed(card: JsonObject, place: tuple[Any, ...]) -> JsonObject:
    found: Any = copy.deepcopy(card)
    holder = found
    for key in place[:-1]:
        holder = holder[key]
    old = holder[place[-1]]
    holder[place[-1]] = f"{old}x" if isinstance(old, str) else not old if isinstance(old, bool) else 7
    return found  # type: ignore[no-any-return]


def test_each_changed_part_of_a_signed_card_is_found() -> None:
    key = key_pair()
    card, keys = signed(key), [pinned(key)]
    places = list(changes(card))
    assert len(places) > 20
    # A changed protected header can name another key.
    assert {verify_card(changed(card, place), keys).state for place in places} <= {BAD, UNKNOWN}
    for place in places[:-2]:
        assert verify_card(changed(card, place), keys).state is BAD, place
    added: list[JsonObject] = [{"url": "x"}, {"iconUrl": ""}, {"unknown": ""}, {"provider": {}}, {"skills": []}]
    assert {verify_card({**card, **each}, keys).state for each in added} == {BAD}
    assert verify_card(dict(reversed(card.items())), keys).state is VERIFIED


def test_members_without_presence_are_left_out_and_all_others_count() -> None:
    # The example of A2A 1.0, section 8.4.1.
    capabilities: JsonObject = {"streaming": False, "pushNotifications": False, "extensions": []}
    card: JsonObject = {"name": "Example Agent", "description": "", "capabilities": capabilities, "skills": []}
    expected = (
        b'{"capabilities":{"pushNotifications":false,"streaming":false},"description":"",'
        b'"name":"Example Agent","skills":[]}'
    )
    assert signed_payload(card) == expected
    absent: JsonObject = {"securityRequirements": [], "securitySchemes": {}, "provider": None, "signatures": [{}]}
    assert signed_payload({**card, **absent}) == expected
    of_proto: JsonObject = {"capabilities": {"streaming": False, "push_notifications": False}}
    assert signed_payload({**card, **of_proto}) == expected
    deep: JsonObject = {
        "securityRequirements": [{"schemes": {"oauth": {"list": []}}}],
        "securitySchemes": {"key": {"apiKeySecurityScheme": {"description": "", "location": "", "name": "k"}}},
        "skills": [{"id": "", "examples": [], "tags": [], "extra": ""}],
    }
    assert json.loads(signed_payload(deep)) == {
        "securityRequirements": [{"schemes": {"oauth": {}}}],
        "securitySchemes": {"key": {"apiKeySecurityScheme": {"location": "", "name": "k"}}},
        "skills": [{"id": "", "tags": [], "extra": ""}],
    }


def test_the_sdks_signer_is_understood() -> None:
    key = key_pair("ES256")
    interface = AgentInterface(url="https://x.example.com", protocol_binding="JSONRPC", protocol_version="1.0")
    skill = AgentSkill(id="a", name="A", description="Does a.", tags=["t"])
    card = AgentCard(
        name="n", description="dé", version="1", supported_interfaces=[interface], skills=[skill],
        capabilities=AgentCapabilities(streaming=False), default_input_modes=["text"], default_output_modes=["text"],
    )  # fmt: skip
    private = PyJWK(json.loads(key.export_private()), algorithm="ES256")
    sign = create_agent_card_signer(private, {"kid": "key-1", "alg": "ES256", "jku": None, "typ": "JOSE"})
    served = MessageToDict(sign(card))
    assert verify_card(served, [pinned(key)]).state is VERIFIED


def test_refused_algorithms_extensions_and_malformed_signatures_are_bad() -> None:
    key, secret = key_pair(), JWK.generate(kty="oct", size=256, kid="key-1")
    payload, keys = signed_payload(CARD), [pinned(key)]
    none: JsonObject = {"protected": "eyJhbGciOiJub25lIiwia2lkIjoia2V5LTEifQ", "signature": "AA"}
    good = signature(payload, key)
    wrong: list[Any] = [
        none,
        signature(payload, secret, "HS256"),
        signature(payload, key_pair("ES256"), "ES256"),
        signature(payload, key, kid=None),
        signature(payload, key, b64=True, crit=["b64"]),
        {**good, "protected": f"{good['protected']}="},
        {**good, "protected": "e30"},
        {**good, "signature": ""},
        {**good, "signature": str(good["signature"])[:-2]},
        {"protected": 1},
        "text",
    ]
    for each in wrong:
        assert verify_card({**CARD, "signatures": [each]}, keys).state is BAD, each
    assert verify_card({**CARD, "signatures": {}}, keys).state is BAD
    many: list[Json] = [good] * 11
    assert verify_card({**CARD, "signatures": many}, keys).state is BAD
    # A rotation: one signature by a key that is not known yet, or not any more.
    both: list[Json] = [signature(payload, key_pair(kid="next")), good]
    assert verify_card({**CARD, "signatures": both}, keys).state is VERIFIED
    assert verify_card({**CARD, "signatures": [*both[:1], none]}, keys).state is BAD


def test_a_key_counts_for_its_organization_alone() -> None:
    key = key_pair()
    card = signed(key)
    assert verify_card(card, [pinned(key, organization="Routes Ltd")]).state is VERIFIED
    assert verify_card(card, [pinned(key, organization="Other Ltd")]).state is UNKNOWN


def test_only_usable_public_keys_are_read() -> None:
    key = public(key_pair())
    refused: list[JsonObject] = [
        json.loads(key_pair().export_private()),
        json.loads(JWK.generate(kty="oct", size=256, kid="k").export()),
        public(JWK.generate(kty="RSA", size=1024, kid="k")),
        public(JWK.generate(kty="EC", crv="P-384", kid="k")),
        {**key, "kid": ""},
        {**key, "use": "enc"},
        {**key, "key_ops": ["sign"]},
        {**key, "alg": "ES256"},
        {**key, "x": "AA"},
        {"kid": "k"},
    ]
    for each in refused:
        with pytest.raises(CardKeyError):
            read_jwk(each)
    other = public(key_pair(kid="key-2"))
    assert read_jwk_set({"keys": [key, other, public(key_pair()), *refused, 7]}) == [other]
    with pytest.raises(CardKeyError):
        read_jwk_set({"keys": [key, key]})
