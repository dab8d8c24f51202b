"""Clients of an OpenIntent federation server (RFC-0022), synchronous and asynchronous.

`federation_clients` holds the two clients and sends, `request_builder` signs, `federation_calls` describes requests
and reads responses.
"""

from peers.client.federation_calls import FederationClientError, RequestRefused, TryAgainLater, UnexpectedAnswer
from peers.client.federation_clients import AsyncFederationClient, FederationClient

__all__ = [
    "AsyncFederationClient",
    "FederationClient",
    "FederationClientError",
    "RequestRefused",
    "TryAgainLater",
    "UnexpectedAnswer",
]
