"""The check of a source server against the trust policy (OpenIntent RFC-0023)."""

from collections.abc import Iterable

from core.net.url_grammar import normalize_server_url
from peers.protocol.did import DID_WEB, normalize_did
from peers.protocol.enums import TrustPolicy
from peers.protocol.errors import InvalidIdentifier


class TrustEnforcer:
    """A trust policy with its list of allowed peers, which a receiver asks whether it trusts a source server.

    The list holds normalized URLs and DIDs: URLs that differ in a trailing slash, case, the default port or a trailing
    dot are equal. A URL with userinfo or a host that is not ASCII is refused. Verify the signature of the request too,
    because a sender can write the URL of a trusted server into its request.
    """

    def __init__(self, policy: TrustPolicy, allowed_peers: Iterable[str] | None = None) -> None:
        """Raises InvalidIdentifier for a peer that is neither URL nor did:web, ValueError for an unknown policy."""
        self.policy = TrustPolicy(policy)
        self.allowed_peers = {_normalize(peer) for peer in allowed_peers or ()}

    def is_trusted(self, source_server: str, source_did: str | None = None) -> bool:
        """Tell whether the policy trusts a source: OPEN any, ALLOWLIST a listed URL or DID, TRUSTLESS no source."""
        if self.policy is TrustPolicy.OPEN:
            return True
        if self.policy is TrustPolicy.ALLOWLIST:
            return self._is_listed(source_server) or (source_did is not None and self._is_listed(source_did))
        return False

    def add_peer(self, peer: str) -> None:
        """Add a server URL or DID to the allow list; raises InvalidIdentifier."""
        self.allowed_peers.add(_normalize(peer))

    def remove_peer(self, peer: str) -> None:
        """Remove a server URL or DID, in any equal form, from the allow list; raises InvalidIdentifier."""
        self.allowed_peers.discard(_normalize(peer))

    def _is_listed(self, peer: str) -> bool:
        try:
            return _normalize(peer) in self.allowed_peers
        except InvalidIdentifier:
            return False


def _normalize(peer: str) -> str:
    return normalize_did(peer) if peer.startswith(DID_WEB) else normalize_server_url(peer)
