"""Calls the A2A agents of one AgentCore account for the runs of one event loop."""

from __future__ import annotations

from collections.abc import Callable, Collection

from federations.providers.agentcore.a2a_client import A2aClient
from federations.providers.agentcore.bearer import BearerKey
from federations.providers.agentcore.connections import PooledTransport, connection_pool
from federations.providers.agentcore.control import ControlPlane
from federations.providers.agentcore.data_plane import authorize_calls
from federations.providers.base import AgentAddress

CONNECT_SECONDS = 10.0


class A2aCaller:
    """The AgentCaller of one account; see `providers.base.AgentCaller`. It serves `connections` runs at a time."""

    def __init__(
        self,
        control: ControlPlane,
        bearer_key: Callable[[], BearerKey],
        foreign_audiences: Callable[[str], Collection[str]],
        connections: int,
    ) -> None:
        self._control = control
        self._bearer_key = bearer_key
        self._foreign_audiences = foreign_audiences
        self._origin, self._ca_bundle = control.data_plane_url(), control.ca_bundle()
        self._connections = connections
        self._pool: PooledTransport | None = None

    def client(self, address: AgentAddress) -> A2aClient:
        """Return the client of one run."""
        # Made here and not in a thread, because the pool belongs to the event loop.
        if self._pool is None:
            self._pool = connection_pool(self._origin, self._connections, self._ca_bundle, CONNECT_SECONDS)
        authorize, renew = authorize_calls(self._control, address, self._bearer_key, self._foreign_audiences)
        return A2aClient(self._pool, address, authorize, renew)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            await self._pool.aclose()
