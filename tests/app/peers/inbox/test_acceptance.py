"""The single checks of a received intent: trust, terms, and reading the message."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import LazySettings

from peers.models import Peer
from peers.protocol import FederationEnvelope, FederationPolicy, MalformedMessage
from peers.services.inbox.receive.prove_sender import read_message
from peers.services.inbox.receive.scope_and_policy import agreed_policy, is_budget_spent, trace_id_of
from peers.services.trust.proofs import IncomingRequest, is_trusted_state, shown_key

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ENVELOPE = b'{"dispatch_id": "d-1", "source_server": "https://a.example.org", "intent_id": "i", "intent_title": ""}'


def envelope(**values: Any) -> FederationEnvelope:
    return FederationEnvelope("d-1", "https://a.example.org", "https://b.example.org", "i", "t", **values)


@pytest.mark.parametrize(
    ("state", "policy", "is_trusted"),
    [
        ("approved", "allowlist", True),
        ("approved", "open", True),
        ("approved", "trustless", False),
        ("proposed", "allowlist", False),
        ("proposed", "open", True),
        ("proposed", "trustless", False),
        ("suspended", "open", False),
        ("rejected", "open", False),
        ("retired", "open", False),
        ("retired", "allowlist", False),
    ],
)
def test_trust_depends_on_state_and_policy(state: str, policy: str, is_trusted: bool) -> None:
    assert is_trusted_state(Peer(state=state), policy) is is_trusted


@pytest.mark.parametrize(
    ("budget", "spent"),
    [
        ({}, False),
        ({"max_llm_tokens": 0}, True),
        ({"max_llm_tokens": 1}, False),
        ({"max_llm_tokens": -1}, True),
        ({"cost_ceiling_usd": 0.0}, True),
        ({"cost_ceiling_usd": 5.0, "max_llm_tokens": 0}, True),
        ({"token_limit": 0}, True),
        ({"warn_at": 0}, False),
        ({"max_llm_tokens": False}, False),
        ({"max_llm_tokens": "0"}, False),
        ({"max_llm_tokens": None}, False),
    ],
)
def test_a_budget_is_spent_where_a_limit_is_zero(budget: dict[str, Any], spent: bool) -> None:
    assert is_budget_spent(FederationPolicy(budget=budget)) is spent


def test_the_agreed_policy_is_the_strictest_of_both(settings: LazySettings) -> None:
    settings.FEDHUB_POLICY = {"budget": {"max_llm_tokens": 100, "cost_ceiling_usd": 9}}

    agreed = agreed_policy(envelope(federation_policy=FederationPolicy(budget={"cost_ceiling_usd": 5})))

    assert agreed.budget == {"max_llm_tokens": 100, "cost_ceiling_usd": 5}
    assert agreed_policy(envelope()).budget == {"max_llm_tokens": 100, "cost_ceiling_usd": 9}


@pytest.mark.parametrize(
    ("context", "trace_id"),
    [
        (None, ""),
        ({}, ""),
        ({"trace_id": "t-1"}, "t-1"),
        ({"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}, "a" * 32),
        ({"traceparent": "nonsense"}, ""),
        ({"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "trace_id": "t-1"}, "t-1"),
        ({"trace_id": "t" * 300}, "t" * 200),
    ],
)
def test_the_trace_id_is_the_senders_own_else_that_of_traceparent(
    context: dict[str, str] | None, trace_id: str
) -> None:
    assert trace_id_of(envelope(trace_context=context)) == trace_id


@pytest.mark.parametrize("key", ["", "AAAA", "<script>", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="])
def test_a_malformed_shown_key_is_ignored(key: str) -> None:
    assert shown_key(IncomingRequest("POST", "", {"x-openintent-public-key": key}, b"")) is None
    assert shown_key(IncomingRequest("POST", "", {}, b"")) is None


def test_reading_a_message_keeps_the_object_as_received() -> None:
    message, read = read_message(ENVELOPE)

    assert message == {
        "dispatch_id": "d-1", "source_server": "https://a.example.org", "intent_id": "i", "intent_title": "",
    }  # fmt: skip
    assert read.dispatch_id == "d-1"


@pytest.mark.parametrize("dispatch_id", ["", "a/b", "a" * 201, "\u00e4", "a b"])
def test_a_dispatch_id_must_fit_into_a_url(dispatch_id: str) -> None:
    with pytest.raises(MalformedMessage):
        read_message(ENVELOPE.replace(b"d-1", dispatch_id.encode()))
