"""The constraints that an intent carries, and the rules that combine two sets of them (OpenIntent RFC-0022).

`compose_strictest` compares each key of each section:

| Values | Result |
|---|---|
| on one side only, or null on the other | the value that is present: null never loosens |
| both booleans | true if either is true; for `allow*` and `permit*` keys true only if both are |
| both numbers | the smaller; the larger for `min_*` keys and for rates and retentions of `observability` |
| both lists | the union (`denied_*`, `required_*` and others); the intersection for `allow*` and `permit*` keys |
| both objects | an object that these rules combine key by key |
| both log levels (`observability`, keys that end in `level`) | the more verbose level |
| equal | that value |
| other strings, or types that do not match | the local value, because the stricter one is not known |

A combined list is sorted, unless both lists are equal. Except for the last row, the result does not depend on the order
or the grouping of the sides, a policy composed with itself does not change, and the result is never looser than either
side.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from core.strict_json import Json, JsonMapping, JsonObject
from peers.protocol.json_fields import read_json_object, read_object

# The most verbose level comes first. More verbose is stricter, because it obliges a server to record more.
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
_MINIMUM_PREFIX = "min_"
_OBSERVABILITY_MINIMUMS = ("rate", "retention")

Rule = Callable[[str, Json, Json], Json]


@dataclass
class FederationPolicy:
    """The constraints that a source server sends with an intent, and that the target server combines with its own.

    `governance`, `budget` and `observability` are the sections; a section is an object with any keys and JSON values.
    """

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
        """Read the wire form; raises MalformedMessage if a section is not an object."""
        data = read_object(data, "federation_policy")
        return cls(
            governance=read_json_object(data, "governance"),
            budget=read_json_object(data, "budget"),
            observability=read_json_object(data, "observability"),
        )

    def compose_strictest(self, other: "FederationPolicy") -> "FederationPolicy":
        """Return the policy that satisfies this policy and `other`, by the rules of the module.

        This policy is the local side of the rules.
        """
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
        return max(local, remote) if key.startswith(_MINIMUM_PREFIX) else min(local, remote)
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
    if _is_number(local) and _is_number(remote) and any(word in key for word in _OBSERVABILITY_MINIMUMS):
        return _stricter(_MINIMUM_PREFIX, local, remote)
    return _stricter(key, local, remote)


def _more_verbose(local: str, remote: str) -> str:
    ours, theirs = _LOG_RANK.get(local.lower()), _LOG_RANK.get(remote.lower())
    if ours is None or theirs is None:
        return local
    # Two names of one level, such as warn and warning: the choice must not depend on the side.
    return min((ours, local), (theirs, remote))[1]


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
