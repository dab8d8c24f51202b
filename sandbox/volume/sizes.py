"""How many rows of each kind a hub with volume has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VolumeSizes:
    """The number of rows. Half of the resources are MCP servers, the others A2A agents.

    A server has `tools` tools on average, the largest one `most_tools`. `dispatches` are those that this hub sent; it
    received a tenth as many. The rows are spread over `days` days before the time of the seed.
    """

    federations: int = 63
    resources: int = 6_000
    tools: int = 8
    most_tools: int = 150
    jobs: int = 2_000
    peers: int = 200
    dispatches: int = 5_000
    days: int = 30
