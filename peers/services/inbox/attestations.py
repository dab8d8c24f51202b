"""Attestations: signed statements of the usage of work, and of its compliance with the policy of its envelope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils import timezone

from federations.runs.usage import USAGE_OF_LIMIT
from peers.models import ReceivedDispatch
from peers.protocol import FederationAttestation, FederationPolicy, JsonMapping, JsonObject, sign_envelope
from peers.services.inbox.compliance import compliance
from peers.services.trust.identity import hub_identity

WARN_AT = 0.8
"""The share of a budget above which its peer is warned."""


def attest(
    received: ReceivedDispatch,
    *,
    usage: JsonMapping,
    trace_references: Sequence[str] = (),
    was_approved: bool = False,
) -> FederationAttestation:
    """Return this hub's signed statement of the usage of the work for a received dispatch, and of its compliance.

    The usage has the member `unverified` if the policy has limits that could not be checked. `was_approved` tells that
    staff approved the work before it began.
    """
    found = compliance(FederationPolicy.from_dict(received.policy), usage, was_approved=was_approved)
    stated: JsonObject = dict(usage)
    if found.unverified:
        stated["unverified"] = list(found.unverified)
    attestation = FederationAttestation(
        dispatch_id=received.dispatch_id,
        governance_compliant=found.is_kept,
        usage=stated,
        trace_references=list(trace_references),
        timestamp=timezone.now().isoformat(),
    )
    attestation.signature = sign_envelope(hub_identity(), attestation.to_dict())
    return attestation


def budgets_used(received: ReceivedDispatch, usage: JsonMapping, *, share: float) -> dict[str, float]:
    """Return the used share of each budget, by name, of which more than `share` is used; 1.0 is the whole budget."""
    budget = FederationPolicy.from_dict(received.policy).budget
    shares = {name: _share(budget, name, usage.get(used)) for name, used in USAGE_OF_LIMIT.items()}
    return {name: used for name, used in shares.items() if used > share}


def _share(budget: Mapping[str, object], name: str, used: object) -> float:
    limit = budget.get(name)
    if not isinstance(limit, int | float) or not isinstance(used, int | float):
        return 0.0
    return used / limit if limit > 0 else float(used > 0) * 2
