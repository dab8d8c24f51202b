"""The outcome of encrypting stored secrets again with the first key of FEDHUB_SECRETS_KEY."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reencryption:
    """How many stored secrets were encrypted again or had the first key already, and which no key can read.

    `unreadable` names the holders of the secrets that must be set anew.
    """

    rewritten: int
    unchanged: int
    unreadable: tuple[str, ...]

    def __add__(self, other: Reencryption) -> Reencryption:
        return Reencryption(
            self.rewritten + other.rewritten, self.unchanged + other.unchanged, self.unreadable + other.unreadable
        )
