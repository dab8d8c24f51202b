"""The comparison of the usage of some work with the limits of its policy: what is kept, what cannot be checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core.strict_json import Json, JsonMapping
from federations.runs.usage import USAGE_OF_LIMIT, passed_limits
from peers.protocol import FederationPolicy

REQUIRE_APPROVAL = "require_approval"


@dataclass(frozen=True, slots=True)
class Compliance:
    """Whether every limit was checked and kept, and the names of the limits that the hub could not check."""

    is_kept: bool
    unverified: tuple[str, ...] = ()


def compliance(policy: FederationPolicy, usage: JsonMapping, *, was_approved: bool = False) -> Compliance:
    """Compare the usage of work with the limits of its policy: the keys of `budget` and `governance` that limit.

    A key with the value null, false or an empty one does not limit. A limit of the budget is checked if the hub knows
    its name and has a figure. `require_approval` is kept if staff approved the work. Any other limit is unverified.
    `observability` obliges to record, and limits no work, so it is not compared.
    """
    unverified = [*_unverified_budget(policy.budget, usage), *_unverified_governance(policy.governance)]
    is_approved = was_approved or not policy.governance.get(REQUIRE_APPROVAL)
    is_kept = is_approved and not unverified and not passed_limits(usage, policy.budget)
    return Compliance(is_kept, tuple(sorted(set(unverified))))


def _unverified_budget(budget: JsonMapping, usage: JsonMapping) -> Iterator[str]:
    for name, limit in budget.items():
        # A zero is a limit; a boolean and a text are limits that the hub does not understand.
        if limit is None or limit is False or limit in ("", [], {}):
            continue
        if not (_is_number(limit) and _is_number(usage.get(USAGE_OF_LIMIT.get(name, "")))):
            yield name


def _unverified_governance(governance: JsonMapping) -> Iterator[str]:
    for name, limit in governance.items():
        is_limit = limit is not None and limit is not False and limit not in ("", [], {})
        if is_limit and name != REQUIRE_APPROVAL:
            yield name


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
