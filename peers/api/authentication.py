"""Who calls the endpoints of federation: an operator by a token, or a peer by its proofs. All of it fails closed.

A peer's request is read, bounded, parsed and proved here, before any view code; the views get a `PeerCredential`, which
exists only where every proof held.
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
from core.api.errors import LengthRequiredError
from core.api.scopes import Credential
from core.errors import InvalidRequestError
from peers.models import Peer
from peers.protocol import UCAN_HEADER
from peers.services.inbox.callbacks import ProvenCallback, prove_callback
from peers.services.inbox.receive.prove import Submission, prove_submission
from peers.services.trust.identity import DISABLED, hub_url, is_enabled
from peers.services.trust.proofs import PUBLIC_KEY_HEADER, UNPROVEN, IncomingRequest, prove_request
from peers.services.trust.tokens import peer_of_token

PEERS_RECEIVE = "peers-receive"
"""All that a token of a peer is good for."""

JSON = "application/json"
_PROOF_HEADERS = ("Content-Type", "Content-Digest", "Signature", "Signature-Input", PUBLIC_KEY_HEADER)
_META_NAMES = {
    name.lower(): "CONTENT_TYPE" if name == "Content-Type" else "HTTP_" + name.upper().replace("-", "_")
    for name in _PROOF_HEADERS
}


@dataclass(frozen=True, slots=True)
class PeerCredential:
    """What a peer's request has proved. It is the request's `auth`.

    `submission` is set on receive, `callback` where a peer reports back.
    """

    peer: Peer
    submission: Submission | None = None
    callback: ProvenCallback | None = None


class OperatorAuthentication(TokenOrSessionAuthentication):
    """Authenticates people and their programs; a peer's token is known, and has none of their scopes: 403, not 401."""

    def authenticate_token(self, raw: str) -> tuple[Any, Credential]:
        """Return whom the token stands for, nobody in particular for a peer's; raise AuthenticationFailed."""
        if peer_of_token(raw, timezone.now()) is not None:
            return AnonymousUser(), Credential(frozenset({PEERS_RECEIVE}))
        return super().authenticate_token(raw)


class ReceiveAuthentication(BaseAuthentication):
    """Authenticates the source server of an envelope by signature or token, and nobody else."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, PeerCredential]:
        """Return the peer's credential with what it submits; never None. Raises HubError and ProtocolError."""
        delegation = request.META.get(_meta_name(UCAN_HEADER), "").strip()
        submission = prove_submission(incoming_message(request), delegation, timezone.now())
        return AnonymousUser(), PeerCredential(submission.proof.peer, submission)

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return 'Bearer realm="fedhub"'


class CallbackAuthentication(BaseAuthentication):
    """Authenticates the peer that a dispatch was sent to, by signature or token, and nobody else."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, PeerCredential]:
        """Return the peer's credential with its callback; never None. Raises HubError and ProtocolError."""
        callback = prove_callback(incoming_message(request), now=timezone.now())
        return AnonymousUser(), PeerCredential(callback.proof.peer, callback=callback)

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return 'Bearer realm="fedhub"'


class VisitorAuthentication(TokenOrSessionAuthentication):
    """Authenticates a peer by its signature or token where one is there, else an operator, else nobody.

    A proof that fails is refused, never taken for none.
    """

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """Return a PeerCredential, a Credential, or None for a request that claims nothing."""
        tokens = presented_tokens(request)
        if not is_peers(tokens) and not _has_signature(request):
            return super().authenticate(request)
        proof = prove_request(incoming_request(request, b"", frozenset(tokens)), timezone.now())
        return (AnonymousUser(), PeerCredential(proof.peer)) if proof else None


class IsProvenPeer(BasePermission):
    """Lets a request pass whose credential is a peer's."""

    message = UNPROVEN

    def has_permission(self, request: Request, view: Any) -> bool:
        """Tell whether an authentication class of this module has proved the peer."""
        return isinstance(request.auth, PeerCredential)


def incoming_message(request: Request) -> IncomingRequest:
    """Return a POST with its JSON body as its proofs see it.

    Raises InvalidRequestError while federation is disabled, APIException for another method or media type or an
    unknown length, RequestDataTooBig.
    """
    if request.method != "POST":
        raise MethodNotAllowed(request.method or "")
    if not is_enabled():
        raise InvalidRequestError(DISABLED)
    if (request.content_type or "").partition(";")[0].strip().lower() != JSON:
        raise UnsupportedMediaType(request.content_type or "")
    if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
        # Under WSGI such a body would read as empty.
        raise LengthRequiredError()
    return incoming_request(request, request._request.body, frozenset(presented_tokens(request)))


def incoming_request(request: Request, body: bytes, tokens: frozenset[str]) -> IncomingRequest:
    """Return a request as its proofs see it; what it calls its host is not looked at."""
    query = request.META.get("QUERY_STRING", "")
    path = escape_uri_path(request._request.path_info)
    return IncomingRequest(
        method=request.method or "",
        target_uri=hub_url() + path + (f"?{query}" if query else ""),
        headers=proof_headers(request.META),
        body=body,
        tokens=tokens,
        address=request.META.get("REMOTE_ADDR", ""),
    )


def proof_headers(meta: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that proofs are made of, by their lower-case names."""
    return {name: str(meta[key]) for name, key in _META_NAMES.items() if key in meta}


def is_peers(tokens: set[str]) -> bool:
    """Tell whether one of the tokens is a live one of a peer."""
    now = timezone.now()
    return any(peer_of_token(token, now) is not None for token in tokens)


def _has_signature(request: Request) -> bool:
    return any(_META_NAMES[name] in request.META for name in ("signature", "signature-input"))


def _meta_name(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")
