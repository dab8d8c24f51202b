"""The models' wire forms: documented fields and defaults, omitted fields, refusals."""

from dataclasses import MISSING, fields
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers.protocol import (
    AgentVisibility,
    CallbackEventType,
    DelegationScope,
    DispatchResult,
    DispatchStatus,
    FederatedAgent,
    FederationAttestation,
    FederationCallback,
    FederationEnvelope,
    FederationManifest,
    FederationPolicy,
    FederationStatus,
    Json,
    JsonObject,
    MalformedMessage,
    PeerInfo,
    PeerRelationship,
    ReceiveResult,
    TrustPolicy,
)
from tests.pure.protocol.strategies import MODELS, Instance, few, some

REQUIRED = object()
ENDPOINTS = {
    "status": "/api/v1/federation/status",
    "agents": "/api/v1/federation/agents",
    "dispatch": "/api/v1/federation/dispatch",
    "receive": "/api/v1/federation/receive",
}
DOCUMENTED: dict[type[Instance], dict[str, object]] = {
    DelegationScope: {
        "permissions": ["state.patch", "events.log"],
        "denied_operations": [],
        "max_delegation_depth": 1,
        "expires_at": None,
    },
    FederationPolicy: {"governance": {}, "budget": {}, "observability": {}},
    FederationEnvelope: {
        "dispatch_id": REQUIRED,
        "source_server": REQUIRED,
        "target_server": REQUIRED,
        "intent_id": REQUIRED,
        "intent_title": REQUIRED,
        "intent_description": "",
        "intent_state": {},
        "intent_constraints": {},
        "agent_id": None,
        "delegation_scope": None,
        "federation_policy": None,
        "trace_context": None,
        "callback_url": None,
        "idempotency_key": None,
        "created_at": None,
        "signature": None,
    },
    FederationCallback: {
        "dispatch_id": REQUIRED,
        "event_type": REQUIRED,
        "state_delta": {},
        "attestation": None,
        "trace_id": None,
        "idempotency_key": None,
        "timestamp": None,
    },
    FederationAttestation: {
        "dispatch_id": REQUIRED,
        "governance_compliant": True,
        "usage": {},
        "trace_references": [],
        "timestamp": None,
        "signature": None,
    },
    PeerInfo: {
        "server_url": REQUIRED,
        "server_did": None,
        "relationship": PeerRelationship.PEER,
        "trust_policy": TrustPolicy.ALLOWLIST,
        "public_key": None,
    },
    FederationManifest: {
        "server_did": REQUIRED,
        "server_url": REQUIRED,
        "protocol_version": "0.1",
        "trust_policy": TrustPolicy.ALLOWLIST,
        "visibility_default": AgentVisibility.PUBLIC,
        "supported_rfcs": ["RFC-0022", "RFC-0023"],
        "peers": [],
        "public_key": None,
        "endpoints": ENDPOINTS,
    },
    FederationStatus: {
        "enabled": True,
        "server_did": None,
        "trust_policy": TrustPolicy.ALLOWLIST,
        "peer_count": 0,
        "active_dispatches": 0,
        "total_dispatches": 0,
        "total_received": 0,
    },
    DispatchResult: {
        "dispatch_id": REQUIRED,
        "status": REQUIRED,
        "target_server": REQUIRED,
        "message": "",
        "remote_intent_id": None,
    },
    ReceiveResult: {"dispatch_id": REQUIRED, "accepted": REQUIRED, "local_intent_id": None, "message": ""},
    FederatedAgent: {
        "agent_id": REQUIRED,
        "server_url": REQUIRED,
        "capabilities": [],
        "visibility": AgentVisibility.PUBLIC,
        "server_did": None,
        "status": "active",
    },
}
LEFT_OUT_WHEN_FALSY: dict[type[Instance], set[str]] = {
    FederationEnvelope: {
        "agent_id",
        "delegation_scope",
        "federation_policy",
        "trace_context",
        "callback_url",
        "idempotency_key",
        "created_at",
        "signature",
    },
    FederationCallback: {"attestation", "trace_id", "idempotency_key", "timestamp"},
    FederationAttestation: {"timestamp", "signature"},
    DelegationScope: {"expires_at"},
    PeerInfo: {"server_did", "public_key"},
    FederationManifest: {"public_key"},
    DispatchResult: {"remote_intent_id"},
    ReceiveResult: {"local_intent_id"},
}
VALUES: dict[type[StrEnum], str] = {
    AgentVisibility: "public unlisted private",
    PeerRelationship: "peer upstream downstream",
    TrustPolicy: "open allowlist trustless",
    CallbackEventType: "state_delta status_changed attestation budget_warning completed failed",
    DispatchStatus: "accepted rejected pending",
}


@pytest.mark.parametrize("enum", VALUES)
def test_enum_values_are_the_lower_case_names_and_equal_their_strings(enum: type[StrEnum]) -> None:
    assert [member.value for member in enum] == VALUES[enum].split()
    assert all(member == member.value and member.name == member.value.upper() for member in enum)


@pytest.mark.parametrize("enum", VALUES)
def test_an_unknown_enum_value_raises_value_error(enum: type[StrEnum]) -> None:
    with pytest.raises(ValueError, match="unknown"):
        enum("unknown")


@pytest.mark.parametrize("model", DOCUMENTED)
def test_fields_come_in_the_documented_order_with_the_documented_defaults(model: type[Instance]) -> None:
    defaults = {
        field.name: field.default_factory()
        if field.default_factory is not MISSING
        else REQUIRED
        if field.default is MISSING
        else field.default
        for field in fields(model)
    }
    assert list(defaults.items()) == list(DOCUMENTED[model].items())


@pytest.mark.parametrize("model", DOCUMENTED)
def test_defaults_are_not_shared_between_instances(model: type[Instance]) -> None:
    first, second = model.from_dict({}), model.from_dict({})
    shared = [
        field.name
        for field in fields(model)
        if isinstance(getattr(first, field.name), list | dict)
        and getattr(first, field.name) is getattr(second, field.name)
    ]
    assert shared == []


@pytest.mark.parametrize("model", DOCUMENTED)
def test_optional_fields_are_left_out_when_falsy_and_all_others_are_written(model: type[Instance]) -> None:
    expected = set(DOCUMENTED[model]) - LEFT_OUT_WHEN_FALSY.get(model, set())
    assert set(model.from_dict({}).to_dict()) == expected
    empty: JsonObject = dict.fromkeys(LEFT_OUT_WHEN_FALSY.get(model, set()), None)
    assert set(model.from_dict(empty).to_dict()) == expected


def test_an_empty_string_is_left_out_like_none() -> None:
    envelope = FederationEnvelope("d", "s", "t", "i", "title", agent_id="", callback_url="", trace_context={})
    assert set(envelope.to_dict()) == set(DOCUMENTED[FederationEnvelope]) - LEFT_OUT_WHEN_FALSY[FederationEnvelope]


def test_a_scope_or_policy_object_is_always_written() -> None:
    envelope = FederationEnvelope(
        "d", "s", "t", "i", "", delegation_scope=DelegationScope([], [], 0), federation_policy=FederationPolicy()
    )
    assert envelope.to_dict()["delegation_scope"] == {
        "permissions": [],
        "denied_operations": [],
        "max_delegation_depth": 0,
    }
    assert envelope.to_dict()["federation_policy"] == {"governance": {}, "budget": {}, "observability": {}}


def test_an_envelope_is_written_with_the_sixteen_known_keys_at_most() -> None:
    data: JsonObject = {"dispatch_id": "d", "surprise": 1}
    assert "surprise" not in FederationEnvelope.from_dict(data).to_dict()
    assert len(fields(FederationEnvelope)) == 16


def test_a_manifest_without_endpoints_has_none_and_a_callback_without_type_is_a_state_delta() -> None:
    assert FederationManifest.from_dict({}).endpoints == {}
    assert FederationCallback.from_dict({}).event_type is CallbackEventType.STATE_DELTA
    assert DispatchResult.from_dict({}).status is DispatchStatus.PENDING
    assert ReceiveResult.from_dict({}).accepted is False


@pytest.mark.parametrize("model", MODELS)
def test_unknown_keys_are_ignored(model: type[Instance]) -> None:
    assert model.from_dict({"surprise": [1]}) == model.from_dict({})


@pytest.mark.parametrize("model", MODELS)
@some
@given(data=st.data())
def test_reading_what_was_written_gives_the_same(model: type[Instance], data: st.DataObject) -> None:
    instance = data.draw(MODELS[model])
    assert model.from_dict(instance.to_dict()) == instance


@pytest.mark.parametrize("model", MODELS)
@few
@given(data=st.data())
def test_a_field_of_another_type_is_refused(model: type[Instance], data: st.DataObject) -> None:
    wire = data.draw(MODELS[model]).to_dict()
    name = data.draw(st.sampled_from(sorted(wire)))
    wrong: dict[type[object], Json] = {str: 1, int: "1", bool: 1, list: {"a": 1}, dict: ["a"], type(None): 1}
    with pytest.raises(MalformedMessage, match=name):
        model.from_dict(wire | {name: wrong[type(wire[name])]})


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("value", [None, [], "text", 1, True, [("a", 1)], {1: 2}])
def test_what_is_not_an_object_is_refused(model: type[Instance], value: JsonObject) -> None:
    with pytest.raises(MalformedMessage):
        model.from_dict(value)


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (FederationCallback, {"event_type": "exploded"}),
        (DispatchResult, {"status": "unknown"}),
        (PeerInfo, {"relationship": "friend"}),
        (PeerInfo, {"trust_policy": "OPEN"}),
        (FederationManifest, {"visibility_default": "secret"}),
        (FederatedAgent, {"visibility": ""}),
        (DelegationScope, {"max_delegation_depth": -5}),
        (DelegationScope, {"max_delegation_depth": True}),
        (DelegationScope, {"max_delegation_depth": 1.0}),
        (DelegationScope, {"permissions": ["a", 1]}),
        (DelegationScope, {"permissions": None}),
        (DelegationScope, {"expires_at": "tomorrow"}),
        (FederationEnvelope, {"trace_context": {"a": 1}}),
        (FederationEnvelope, {"intent_state": None}),
        (FederationEnvelope, {"delegation_scope": {"max_delegation_depth": -1}}),
        (FederationManifest, {"endpoints": {"status": None}}),
        (FederationStatus, {"peer_count": -1}),
        (ReceiveResult, {"accepted": "yes"}),
    ],
)
def test_a_value_that_no_field_can_have_is_refused(model: type[Instance], data: JsonObject) -> None:
    with pytest.raises(MalformedMessage):
        model.from_dict(data)


def test_changing_a_written_dict_does_not_change_the_model() -> None:
    scope = DelegationScope()
    wire = scope.to_dict()
    assert isinstance(wire["permissions"], list)
    wire["permissions"].append("*")
    assert scope.permissions == ["state.patch", "events.log"]
