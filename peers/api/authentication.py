"""Authentication of the protocol's endpoints: an operator by a token or session, a peer by signatures or its token.

The authentication classes read, bound, parse and prove a peer's request before any view code runs. A view gets a
`PeerCredential` only if every given proof holds; every other request is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from django.utils.encoding import escape_uri_path
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import MethodNotAllowed, UnsupportedMediaType
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from core.api.authentication import TokenOrSessionAuthentication, presented_tokens
from core.api.scopes import Credential
from core.api.viewsets import check_body_readable
from core.errors import InvalidRequestError
from peers.models import Peer
from peers.protocol import UCAN_HEADER
from peers.services.inbox.callbacks import ProvenCallback, prove_callback
from peers.services.inbox.log_exchange import ProvenExchange, prove_exchange
from peers.services.inbox.receive.prove_sender import Submission, prove_submission
from peers.services.trust.identity import DISABLED, hub_url, is_enabled
from peers.services.trust.peer_tokens import peer_of_token
from peers.services.trust.proofs import UNPROVEN, IncomingRequest, prove_request

PEERS_RECEIVE = "peers-receive"
"""The only scope of a peer-bound token."""

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class PeerCredential:
    """The verified peer of a request, and its verified message; views read the credential from `request.auth`.

    `submission` is the message of a request to the receive endpoint, `callback` that of a request to the callback
    endpoint, `exchange` that of an exchange of checkpoints; the fields that the endpoint does not use are None.
    """

    peer: Peer
    submission: Submission | None = None
    callback: ProvenCallback | None = None
    exchange: ProvenExchange | None = None


class OperatorAuthentication(TokenOrSessionAuthentication):
    """Authenticates people and their programs.

    A peer-bound token is a known token without the scopes of these endpoints, so the response is 403, not 401.
    """

    def authenticate_token(self, raw: str, address: str = "", *, audience: str = "") -> tuple[Any, Credential]:
        """Return the token's user and scopes, an anonymous user for a peer-bound token; raise AuthenticationFailed."""
        if peer_of_token(raw, timezone.now()) is not None:
            return AnonymousUser(), Credential(frozenset({PEERS_RECEIVE}))
        return super().authenticate_token(raw, address, audience=audience)


class ReceiveAuthentication(BaseAuthentication):
    """Authenticates the source server of an envelope, by signature or token."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, PeerCredential]:
        """Return the peer's credential with its submission, never None; raise HubError or ProtocolError."""
        delegation = request.META.get(_meta_name(UCAN_HEADER), "").strip()
        submission = prove_submission(incoming_message(request), delegation, timezone.now())
        return AnonymousUser(), PeerCredential(submission.proof.peer, submission)

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return 'Bearer realm="fedhub"'


class CallbackAuthentication(BaseAuthentication):
    """Authenticates the peer that got the dispatch, by signature or token."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, PeerCredential]:
        """Return the peer's credential with its callback, never None; raise HubError or ProtocolError."""
        callback = prove_callback(incoming_message(request), now=timezone.now())
        return AnonymousUser(), PeerCredential(callback.proof.peer, callback=callback)

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return 'Bearer realm="fedhub"'


class ExchangeAuthentication(BaseAuthentication):
    """Authenticates the source server of an exchange of checkpoints, by signature or token."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, PeerCredential]:
        """Return the peer's credential with its exchange, never None; raise HubError or ProtocolError."""
        exchange = prove_exchange(incoming_message(request), now=timezone.now())
        return AnonymousUser(), PeerCredential(exchange.peer, exchange=exchange)

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return 'Bearer realm="fedhub"'


class AnyCallerAuthentication(TokenOrSessionAuthentication):
    """Authenticates a peer if the request has a signature or a peer-bound token, otherwise an operator.

    A request without any proof passes as anonymous. A request with a proof that does not hold is refused.
    """

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """Return a PeerCredential, a Credential, or None for a request without a proof."""
        tokens = presented_tokens(request)
        if not has_peer_token(tokens) and not _has_signature(request):
            return super().authenticate(request)
        proof = prove_request(incoming_request(request, b"", frozenset(tokens)), timezone.now())
        return (AnonymousUser(), PeerCredential(proof.peer)) if proof else None


class IsProvenPeer(BasePermission):
    """Permits a request whose credential is a PeerCredential."""

    message = UNPROVEN

    def has_permission(self, request: Request, view: Any) -> bool:
        """Tell whether an authentication class of this module has proved the peer."""
        return isinstance(request.auth, PeerCredential)


def incoming_message(request: Request) -> IncomingRequest:
    """Return the parts of a POST with a JSON body that its proofs cover.

    Raises InvalidRequestError while the protocol is disabled, APIException for another method or media type or an
    unknown length, and RequestDataTooBig.
    """
    if request.method != "POST":
        raise MethodNotAllowed(request.method or "")
    if not is_enabled():
        raise InvalidRequestError(DISABLED)
    if (request.content_type or "").partition(";")[0].strip().lower() != JSON:
        raise UnsupportedMediaType(request.content_type or "")
    check_body_readable(request)
    return incoming_request(request, request._request.body, frozenset(presented_tokens(request)))


def incoming_request(request: Request, body: bytes, tokens: frozenset[str]) -> IncomingRequest:
    """Return the parts of a request that its proofs cover. The target URI comes from this hub's URL, not from Host."""
    query = request.META.get("QUERY_STRING", "")
    path = escape_uri_path(request._request.path_info)
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


def has_peer_token(tokens: set[str]) -> bool:
    """Tell whether one of the tokens is a valid peer-bound token."""
    now = timezone.now()
    return any(peer_of_token(token, now) is not None for token in tokens)


def _has_signature(request: Request) -> bool:
    return any(_meta_name(name) in request.META for name in ("Signature", "Signature-Input"))


def _meta_name(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")
