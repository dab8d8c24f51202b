"""The usage of a run: what the hub measures, what the agent reports, and the limits on both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from core.strict_json import Json, JsonObject

USAGE_OF_LIMIT: Mapping[str, str] = {
    "max_llm_tokens": "llm_tokens",
    "max_tool_calls": "tool_calls",
    "cost_ceiling_usd": "cost_usd",
}
"""The member of the usage that each limit of a budget bounds."""

_WARN_AT = 0.8
_LARGEST = 1e15
_INPUT, _OUTPUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
_TOTALS = ("llm_tokens", "total_tokens")
_WHOLE = ("llm_tokens", "tool_calls")


@dataclass(frozen=True, slots=True)
class Passed:
    """A limit that the usage has passed, or 80 % of it."""

    limit: str
    used: float
    bound: float

    def to_dict(self) -> JsonObject:
        """Return the payload of the event `budget_warning`."""
        return {"limit": self.limit, "used": self.used, "bound": self.bound}

    @property
    def reason(self) -> str:
        """Return the reason with which a run ends that passes the limit."""
        return f"budget exceeded: {self.limit} is {self.bound:g}, used {self.used:g}"


def reported_usage(metadata: Iterable[JsonObject]) -> dict[str, float]:
    """Return the figures in an agent's metadata objects: `llm_tokens`, `tool_calls`, `cost_usd`, where reported.

    An agent reports them as the member `usage`, or by OpenTelemetry's names `gen_ai.usage.input_tokens` and
    `gen_ai.usage.output_tokens`. A figure is the total of the task so far, so the highest one is taken. What is not a
    finite number of 0 or more is ignored.
    """
    found: dict[str, float] = {}
    for holder in metadata:
        for source in _sources(holder):
            for name, value in _figures(source):
                found[name] = max(value, found.get(name, 0))
    return found


def merged(usage: Mapping[str, Json], reported: Mapping[str, float]) -> JsonObject:
    """Return `usage` with the reported figures; a figure never becomes smaller."""
    result: JsonObject = dict(usage)
    for name, value in reported.items():
        known = _number(result.get(name))
        highest = value if known is None else max(known, value)
        result[name] = int(highest) if name in _WHOLE else highest
    return result


def passed_limits(usage: Mapping[str, Json], limits: Mapping[str, Json]) -> list[Passed]:
    """Return the limits that the usage has passed."""
    return [found for found in _compared(usage, limits) if found.used > found.bound]


def near_limits(usage: Mapping[str, Json], limits: Mapping[str, Json]) -> list[Passed]:
    """Return the limits of which the usage has passed 80 %."""
    return [found for found in _compared(usage, limits) if found.used > found.bound * _WARN_AT]


def _compared(usage: Mapping[str, Json], limits: Mapping[str, Json]) -> Iterator[Passed]:
    for limit, name in USAGE_OF_LIMIT.items():
        bound, used = _number(limits.get(limit)), _number(usage.get(name))
        if bound is not None and used is not None:
            yield Passed(limit, used, bound)


def _sources(holder: JsonObject) -> Iterator[JsonObject]:
    yield {name: value for name, value in holder.items() if name.startswith("gen_ai.")}
    inner = holder.get("usage")
    if isinstance(inner, dict):
        yield inner


def _figures(source: JsonObject) -> Iterator[tuple[str, float]]:
    parts = [_number(source.get(name)) for name in (_INPUT, _OUTPUT)]
    parts += [_number(source.get(name)) for name in ("input_tokens", "output_tokens")]
    known = [value for value in parts if value is not None]
    totals = [value for name in _TOTALS if (value := _number(source.get(name))) is not None]
    if totals or known:
        yield "llm_tokens", max([*totals, sum(known)])
    for name in ("tool_calls", "cost_usd"):
        if (value := _number(source.get(name))) is not None:
            yield name, value


def _number(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and 0 <= number <= _LARGEST else None
