"""The regions of AWS, from the data that botocore brings along."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import cast

from federations.providers.agentcore.credentials import new_session


@lru_cache(maxsize=1)
def known_regions() -> Mapping[str, str]:
    """Return the name and the description of each region of each partition, sorted by name; no network call.

    botocore's data does not say in which of them AWS offers AgentCore.
    """
    data = cast("dict[str, list[dict[str, dict[str, dict[str, str]]]]]", new_session().get_data("endpoints"))
    found = {
        name: str(region.get("description", ""))
        for partition in data["partitions"]
        for name, region in partition["regions"].items()
    }
    return dict(sorted(found.items()))
