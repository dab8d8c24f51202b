"""What hypothesis draws: JSON that a strict reader takes, and every model of the protocol."""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

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
    PeerInfo,
    PeerRelationship,
    ReceiveResult,
    TrustPolicy,
)
from tests.examples import examples

few, some, many = (examples(count) for count in (25, 60, 120))

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
words = texts.filter(bool)
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
json_values: SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
json_objects: SearchStrategy[JsonObject] = st.dictionaries(texts, json_values, max_size=4)
text_lists = st.lists(texts, max_size=4)
optional_words = st.none() | words
counts = st.integers(0, 2**53)
timestamps = st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat() + "Z")
operations = st.sampled_from(["state.patch", "events.log", "cost.report", "agents.call", "files.read"])

scopes = st.builds(
    DelegationScope,
    permissions=st.lists(operations, max_size=5),
    denied_operations=st.lists(operations, max_size=3),
    max_delegation_depth=st.integers(0, 6),
    expires_at=st.none() | timestamps,
)
policies = st.builds(FederationPolicy, governance=json_objects, budget=json_objects, observability=json_objects)
attestations = st.builds(
    FederationAttestation,
    dispatch_id=texts,
    governance_compliant=st.booleans(),
    usage=json_objects,
    trace_references=text_lists,
    timestamp=optional_words,
    signature=optional_words,
)
envelopes = st.builds(
    FederationEnvelope,
    dispatch_id=texts,
    source_server=texts,
    target_server=texts,
    intent_id=texts,
    intent_title=texts,
    intent_description=texts,
    intent_state=json_objects,
    intent_constraints=json_objects,
    agent_id=optional_words,
    delegation_scope=st.none() | scopes,
    federation_policy=st.none() | policies,
    trace_context=st.none() | st.dictionaries(texts, texts, min_size=1, max_size=3),
    callback_url=optional_words,
    idempotency_key=optional_words,
    created_at=optional_words,
    signature=optional_words,
)
callbacks = st.builds(
    FederationCallback,
    dispatch_id=texts,
    event_type=st.sampled_from(CallbackEventType),
    state_delta=json_objects,
    attestation=st.none() | attestations,
    trace_id=optional_words,
    idempotency_key=optional_words,
    timestamp=optional_words,
)
peers = st.builds(
    PeerInfo,
    server_url=texts,
    server_did=optional_words,
    relationship=st.sampled_from(PeerRelationship),
    trust_policy=st.sampled_from(TrustPolicy),
    public_key=optional_words,
)
manifests = st.builds(
    FederationManifest,
    server_did=texts,
    server_url=texts,
    protocol_version=texts,
    trust_policy=st.sampled_from(TrustPolicy),
    visibility_default=st.sampled_from(AgentVisibility),
    supported_rfcs=text_lists,
    peers=text_lists,
    public_key=optional_words,
    endpoints=st.dictionaries(texts, texts, max_size=3),
)
statuses = st.builds(
    FederationStatus,
    enabled=st.booleans(),
    server_did=optional_words,
    trust_policy=st.sampled_from(TrustPolicy),
    peer_count=counts,
    active_dispatches=counts,
    total_dispatches=counts,
    total_received=counts,
)
dispatch_results = st.builds(
    DispatchResult,
    dispatch_id=texts,
    status=st.sampled_from(DispatchStatus),
    target_server=texts,
    message=texts,
    remote_intent_id=optional_words,
)
receive_results = st.builds(
    ReceiveResult, dispatch_id=texts, accepted=st.booleans(), local_intent_id=optional_words, message=texts
)
agents = st.builds(
    FederatedAgent,
    agent_id=texts,
    server_url=texts,
    capabilities=text_lists,
    visibility=st.sampled_from(AgentVisibility),
    server_did=optional_words,
    status=texts,
)

Instance = (
    DelegationScope
    | DispatchResult
    | FederatedAgent
    | FederationAttestation
    | FederationCallback
    | FederationEnvelope
    | FederationManifest
    | FederationPolicy
    | FederationStatus
    | PeerInfo
    | ReceiveResult
)
MODELS: dict[type[Instance], SearchStrategy[Instance]] = {
    DelegationScope: scopes,
    FederationPolicy: policies,
    FederationAttestation: attestations,
    FederationEnvelope: envelopes,
    FederationCallback: callbacks,
    PeerInfo: peers,
    FederationManifest: manifests,
    FederationStatus: statuses,
    DispatchResult: dispatch_results,
    ReceiveResult: receive_results,
    FederatedAgent: agents,
}
