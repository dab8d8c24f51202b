"""Clients of a federation server (OpenIntent RFC-0022), synchronous and asynchronous, for programs."""

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
