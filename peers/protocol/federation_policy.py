"""The constraints that travel with an intent, and how two sets of them become one (OpenIntent RFC-0022).

`compose_strictest` looks at each key of each section:

| Values | Result |
|---|---|
| on one side only, or null on the other | the value that is there: null never loosens |
| both booleans | true where either is (a requirement); `allow*` and `permit*` keys: true only where both are |
| both numbers | the smaller; keys starting with `min_`, and rates and retentions of `observability`: the larger |
| both lists | `allow*` and `permit*` keys intersect, all others (`denied_*`, `required_*`) unite; sorted unless equal |
| both objects | key by key, by these rules |
| both log levels (`observability`, keys ending in `level`) | the more verbose |
| equal | that value |
| other strings, or types that do not match | the local value: nobody can say which is stricter |

But for the last row the result does not depend on the order or the grouping of the sides, composing a policy with
itself changes nothing, and the result is never looser than either side.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from core.strict_json import Json, JsonMapping, JsonObject
from peers.protocol.json_fields import read_json_object, read_object

# Most verbose first: who must observe more is bound more strictly.
_LOG_LEVELS = (
    ("trace",),
    ("debug",),
    ("info",),
    ("warn", "warning"),
    ("error",),
    ("critical", "fatal"),
    ("off", "none"),
)
_LOG_RANK = {name: rank for rank, names in enumerate(_LOG_LEVELS) for name in names}
_PERMISSIVE_PREFIXES = ("allow", "permit")
_FLOOR_PREFIX = "min_"
_OBSERVED_FLOORS = ("rate", "retention")

Rule = Callable[[str, Json, Json], Json]


@dataclass
class FederationPolicy:
    """Constraints on governance, budget and observability, each an open object of JSON values."""

    governance: JsonObject = field(default_factory=dict)
    budget: JsonObject = field(default_factory=dict)
    observability: JsonObject = field(default_factory=dict)

    def to_dict(self) -> JsonObject:
        """Return the wire form; all three sections are always written."""
        return {
            "governance": dict(self.governance),
            "budget": dict(self.budget),
            "observability": dict(self.observability),
        }

    @classmethod
    def from_dict(cls, data: JsonMapping) -> Self:
        """Read the wire form; raises MalformedMessage when a section is not an object."""
        data = read_object(data, "federation_policy")
        return cls(
            governance=read_json_object(data, "governance"),
            budget=read_json_object(data, "budget"),
            observability=read_json_object(data, "observability"),
        )

    def compose_strictest(self, other: "FederationPolicy") -> "FederationPolicy":
        """Return the policy that satisfies both, this one being the local side. The rules are the module's."""
        return FederationPolicy(
            governance=_compose_objects(self.governance, other.governance, _stricter),
            budget=_compose_objects(self.budget, other.budget, _stricter),
            observability=_compose_objects(self.observability, other.observability, _stricter_observed),
        )


def _compose_objects(local: JsonObject, remote: JsonObject, rule: Rule) -> JsonObject:
    composed = dict(local)
    for key, value in remote.items():
        composed[key] = _compose(key, local.get(key), value, rule)
    return composed


def _compose(key: str, local: Json, remote: Json, rule: Rule) -> Json:
    if local is None or remote is None:
        return remote if local is None else local
    if isinstance(local, dict) and isinstance(remote, dict):
        return _compose_objects(local, remote, rule)
    return rule(key, local, remote)


def _stricter(key: str, local: Json, remote: Json) -> Json:
    if isinstance(local, bool) or isinstance(remote, bool):
        return _stricter_flag(key, local, remote)
    if isinstance(local, int | float) and isinstance(remote, int | float):
        return max(local, remote) if key.startswith(_FLOOR_PREFIX) else min(local, remote)
    if isinstance(local, list) and isinstance(remote, list):
        return _stricter_list(key, local, remote)
    return local


def _stricter_flag(key: str, local: Json, remote: Json) -> Json:
    if not (isinstance(local, bool) and isinstance(remote, bool)):
        return local
    return (local and remote) if key.startswith(_PERMISSIVE_PREFIXES) else (local or remote)


def _stricter_list(key: str, local: list[Json], remote: list[Json]) -> Json:
    if _spelling(local) == _spelling(remote):
        return local
    ours = {_spelling(item): item for item in local}
    theirs = {_spelling(item): item for item in remote}
    kept = ours.keys() & theirs.keys() if key.startswith(_PERMISSIVE_PREFIXES) else ours.keys() | theirs.keys()
    either = theirs | ours
    return [either[spelling] for spelling in sorted(kept)]


def _spelling(item: Json) -> str:
    return json.dumps(item, sort_keys=True)


def _stricter_observed(key: str, local: Json, remote: Json) -> Json:
    if isinstance(local, str) and isinstance(remote, str) and key.endswith("level"):
        return _more_verbose(local, remote)
    if _is_number(local) and _is_number(remote) and any(word in key for word in _OBSERVED_FLOORS):
        return _stricter(_FLOOR_PREFIX, local, remote)
    return _stricter(key, local, remote)


def _more_verbose(local: str, remote: str) -> str:
    ours, theirs = _LOG_RANK.get(local.lower()), _LOG_RANK.get(remote.lower())
    if ours is None or theirs is None:
        return local
    # Two spellings of one level: any choice will do that does not depend on the side.
    return min((ours, local), (theirs, remote))[1]


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
