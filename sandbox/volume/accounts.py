"""The accounts of a hub with volume: their names, their sizes, and how the last sync of each ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sandbox.volume.sizes import VolumeSizes

AREAS = (
    "payments", "claims", "logistics", "retail", "energy", "research", "clinics", "travel", "legal", "hr", "finance",
    "supply", "support", "fleet", "grid", "pharmacy", "insights", "security", "media", "housing", "insurance",
)  # fmt: skip
STAGES = ("production", "staging", "test")
REGIONS = ("eu-central-1", "us-east-1", "eu-west-1", "us-west-2", "ap-southeast-1")
# The first account is the largest; one account has nothing.
WEIGHTS = (5, 2, 1, 2, 1, 3, 1, 0.5, 1, 2)


class Outcome(StrEnum):
    """How the last sync of an account ended."""

    SUCCESS = "success"
    ERRORS = "errors"
    LIST_FAILED = "list_failed"
    HELD_DELETIONS = "held_deletions"
    HELD_CHANGES = "held_changes"
    RUNNING = "running"
    PENDING = "pending"
    DISABLED = "disabled"
    NEVER = "never"


# Each way is among the first ten, so that a small hub has them all; then most syncs go well.
OUTCOMES = (
    Outcome.ERRORS, Outcome.HELD_DELETIONS, Outcome.SUCCESS, Outcome.LIST_FAILED, Outcome.HELD_CHANGES, Outcome.RUNNING,
    Outcome.NEVER, Outcome.DISABLED, Outcome.PENDING, Outcome.SUCCESS, Outcome.LIST_FAILED,
    *[Outcome.SUCCESS] * 9, Outcome.ERRORS, Outcome.LIST_FAILED, *[Outcome.SUCCESS] * 6,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Account:
    """One account: its place in the list, its names, and the number of its runtimes of each kind."""

    number: int
    area: str
    stage: str
    region: str
    servers: int
    agents: int
    outcome: Outcome

    @property
    def name(self) -> str:
        """Return the display name of the federation."""
        round_number = self.number // (len(AREAS) * len(STAGES))
        tail = f" {round_number + 1}" if round_number else ""
        return f"{self.area.upper() if self.area == 'hr' else self.area.capitalize()} {self.stage}{tail}"

    @property
    def account_id(self) -> str:
        """Return the 12 digits of the account."""
        return f"{999_900_000_000 + self.number}"

    @property
    def suffix(self) -> str:
        """Return the end of the names of the account's runtimes, which no other account has."""
        round_number = self.number // (len(AREAS) * len(STAGES))
        return f"{self.area}_{self.stage[:4]}{round_number + 1 if round_number else ''}"


def make_accounts(sizes: VolumeSizes) -> list[Account]:
    """Return the accounts; together they have as many resources as `sizes` says."""
    outcomes = [OUTCOMES[number % len(OUTCOMES)] for number in range(sizes.federations)]
    weights = [
        0.0 if outcome is Outcome.NEVER else WEIGHTS[number % len(WEIGHTS)] for number, outcome in enumerate(outcomes)
    ]
    servers = _shares(sizes.resources - sizes.resources // 2, weights)
    agents = _shares(sizes.resources // 2, weights)
    return [
        Account(
            number,
            AREAS[number % len(AREAS)],
            STAGES[number // len(AREAS) % len(STAGES)],
            REGIONS[number % len(REGIONS)],
            servers[number],
            agents[number],
            outcomes[number],
        )
        for number in range(sizes.federations)
    ]


def _shares(total: int, weights: Sequence[float]) -> list[int]:
    """Return `total` parted by weight; the first part gets the rest."""
    whole = sum(weights)
    parts = [int(total * weight / whole) for weight in weights]
    parts[0] += total - sum(parts)
    return parts
