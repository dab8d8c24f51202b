"""Authentication of the protocol's endpoints: an operator by a token or session, a peer by signatures or its token.

A view gets a `PeerCredential` only if every given proof holds; every other request with a proof is refused. The
endpoints to which peers post messages prove the messages themselves (`peers.api.message_views`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils import timezone
from django.utils.encoding import escape_uri_path
from rest_framework.request import Request

from core.api.authentication import TokenOrSessionAuthentication, presented_tokens
from core.api.scopes import Credential
from peers.models import Peer
from peers.services.trust.identity import hub_url
from peers.services.trust.peer_tokens import peer_of_token
from peers.services.trust.proofs import IncomingRequest, prove_request

PEERS_RECEIVE = "peers-receive"
"""The only scope of a peer-bound token."""


@dataclass(frozen=True, slots=True)
class PeerCredential:
    """The verified peer of a request; views read the credential from `request.auth`."""

    peer: Peer


class OperatorAuthentication(TokenOrSessionAuthentication):
    """Authenticates people and their programs.

    A peer-bound token is a known token without the scopes of these endpoints, so the response is 403, not 401.
    """

    def authenticate_token(self, raw: str, address: str = "", *, audience: str = "") -> tuple[Any, Credential]:
        """Return the token's user and scopes, an anonymous user for a peer-bound token; raise AuthenticationFailed."""
        if peer_of_token(raw, timezone.now()) is not None:
            return AnonymousUser(), Credential(frozenset({PEERS_RECEIVE}))
        return super().authenticate_token(raw, address, audience=audience)


class AnyCallerAuthentication(TokenOrSessionAuthentication):
    """Authenticates a peer if the request has a signature or a peer-bound token, otherwise an operator.

    A request without any proof passes as anonymous. A request with a proof that does not hold is refused.
    """

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """Return a PeerCredential, a Credential, or None for a request without a proof."""
        tokens = presented_tokens(request)
        if not has_peer_token(tokens) and not _has_signature(request):
            return super().authenticate(request)
        proof = prove_request(incoming_request(request._request, b"", frozenset(tokens)), timezone.now())
        return (AnonymousUser(), PeerCredential(proof.peer)) if proof else None


def incoming_request(request: HttpRequest, body: bytes, tokens: frozenset[str]) -> IncomingRequest:
    """Return the parts of a request that its proofs cover. The target URI comes from this hub's URL, not from Host."""
    query = request.META.get("QUERY_STRING", "")
    path = escape_uri_path(request.path_info)
    return IncomingRequest(
        method=request.method or "",
        target_uri=hub_url() + path + (f"?{query}" if query else ""),
        headers=headers_of(request.META),
        body=body,
        tokens=tokens,
        address=request.META.get("REMOTE_ADDR", ""),
    )


def headers_of(meta: Mapping[str, Any]) -> dict[str, str]:
    """Return all headers as received, by their lower-case names: a signature may cover any of them."""
    # WSGI gives these two without the prefix (PEP 3333).
    bare = {name: meta[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if meta.get(name)}
    prefixed = {key.removeprefix("HTTP_"): value for key, value in meta.items() if key.startswith("HTTP_")}
    return {name.lower().replace("_", "-"): str(value) for name, value in (prefixed | bare).items()}


def header_of(request: HttpRequest, name: str) -> str | None:
    """Return a header of the request, or None."""
    value: str | None = request.META.get(_meta_name(name))
    return value


def has_peer_token(tokens: set[str]) -> bool:
    """Tell whether one of the tokens is a valid peer-bound token."""
    now = timezone.now()
    return any(peer_of_token(token, now) is not None for token in tokens)


def _has_signature(request: Request) -> bool:
    return any(_meta_name(name) in request.META for name in ("Signature", "Signature-Input"))


def _meta_name(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")
