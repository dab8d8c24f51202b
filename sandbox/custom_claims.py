"""The `customClaims` of a custom JWT authorizer: conditions on further claims of a token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.strict_json import Json, JsonObject


@dataclass(frozen=True, slots=True)
class CustomClaim:
    """One condition (AWS CustomClaimValidationType): the claim `name`, compared by `operator` with `wanted`.

    EQUALS compares a text. CONTAINS asks for one text in a list of texts, and CONTAINS_ANY for at least one of several.
    """

    name: str
    operator: str
    wanted: tuple[str, ...]

    def accepts(self, claims: JsonObject) -> bool:
        """Tell whether the claims of a token meet the condition; a claim of another type does not meet it."""
        value: Json = claims.get(self.name)
        if self.operator == "EQUALS":
            return isinstance(value, str) and value in self.wanted
        return isinstance(value, list) and any(wanted in value for wanted in self.wanted)


def read_custom_claim(entry: Mapping[str, Any]) -> CustomClaim:
    """Read one entry of `customClaims`."""
    match = entry["authorizingClaimMatchValue"]
    value = match["claimMatchValue"]
    wanted = value.get("matchValueStringList") or [value["matchValueString"]]
    return CustomClaim(str(entry["inboundTokenClaimName"]), str(match["claimMatchOperator"]), tuple(wanted))
