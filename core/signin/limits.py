"""The limits of failures: pure functions of the state that a SigninRecord holds. Times are seconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

State = tuple[float, ...]


class Limit(Protocol):
    """A limit on the failures of one address, one name, or one name at an address; core.signin.attempts asks it.

    A limit is only a rule; the caller keeps the state. The empty state means that no failure was counted.
    """

    def wait(self, state: State, now: float) -> float:
        """Return the seconds until a further attempt is allowed; 0 if it is allowed now."""

    def count(self, state: State, now: float) -> State:
        """Return the state after a failure at `now`, which the limit allows."""

    def forget_at(self, state: State) -> float:
        """Return the time from which `state` has the same effect as the empty state, so that its row may be deleted."""


@dataclass(frozen=True, slots=True)
class Window:
    """A limit of `most` failures in any period of `seconds` seconds; the state holds the time of each failure."""

    most: int
    seconds: float

    def wait(self, state: State, now: float) -> float:
        recent = self._recent(state, now)
        return recent[0] + self.seconds - now if len(recent) >= self.most else 0.0

    def count(self, state: State, now: float) -> State:
        return (*self._recent(state, now), now)

    def forget_at(self, state: State) -> float:
        return max(state, default=0.0) + self.seconds

    def _recent(self, state: State, now: float) -> State:
        # A time ahead of `now` comes from a machine whose clock is ahead; it is taken for now.
        return tuple(sorted(min(time, now) for time in state if time > now - self.seconds))[-self.most :]


@dataclass(frozen=True, slots=True)
class Bucket:
    """A limit of `size` failures, of which one is forgiven each `seconds` seconds (a token bucket).

    The state holds one time: the time at which the bucket is full again if no further failure comes.
    """

    size: int
    seconds: float

    def wait(self, state: State, now: float) -> float:
        return max(0.0, self._lacks(state, now) - (self.size - 1) * self.seconds)

    def count(self, state: State, now: float) -> State:
        return (now + self._lacks(state, now) + self.seconds,)

    def forget_at(self, state: State) -> float:
        return max(state, default=0.0)

    def _lacks(self, state: State, now: float) -> float:
        """Return the seconds until the bucket is full, never more than an empty bucket needs."""
        return min(max(0.0, max(state, default=0.0) - now), self.size * self.seconds)


PER_ADDRESS = Window(most=10, seconds=60)
PER_NAME = Bucket(size=30, seconds=30)
PER_KNOWN_ADDRESS = Window(most=10, seconds=60)


def write_state(state: State) -> str:
    """Return the text in which a SigninRecord stores `state`."""
    return " ".join(f"{time:.3f}" for time in state)


def read_state(text: str) -> State:
    """Return the state of a text that `write_state` made."""
    return tuple(float(word) for word in text.split())
