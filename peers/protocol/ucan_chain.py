"""The verification of a chain of UCAN tokens, from the root, which grants, to the leaf, which a hub presents.

A chain is valid if the issuer of every token signed it, the issuer of every child is its parent's audience, the scope
and the time of every child lie within those of its parent, an allowed DID issued the root, and the leaf is presented by
its issuer to its audience. The first fault is raised as a DelegationError with the number of the token, 0 for the root.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from peers.protocol.delegation_scope import DelegationScope
from peers.protocol.did import is_same_did
from peers.protocol.ed25519_keys import VerificationKey, find_signer
from peers.protocol.errors import DelegationError, DelegationFault, MalformedMessage
from peers.protocol.ucan import MAX_LINKS, MAX_TOKEN_BYTES, SplitToken, UcanClaims, split_token

ResolveKeys = Callable[[str], Sequence[VerificationKey]]


@dataclass(frozen=True, slots=True)
class VerifiedDelegation:
    """A valid chain of tokens, which `verify_chain` returns.

    `scope` is what the server that presents the leaf may do. `links` are the claims and `tokens` the texts of the
    tokens, both from root to leaf.
    """

    scope: DelegationScope
    links: tuple[UcanClaims, ...]
    tokens: tuple[str, ...]

    @property
    def root(self) -> UcanClaims:
        """The claims of the chain's first token; the caller checks that the issuer of the token has not revoked it."""
        return self.links[0]

    @property
    def leaf(self) -> UcanClaims:
        """The claims of the presented token, which is the last token of the chain."""
        return self.links[-1]


@dataclass(frozen=True, slots=True)
class _Link:
    number: int
    claims: UcanClaims
    parts: SplitToken


def verify_chain(
    token: str, *, resolve_key: ResolveKeys, audience: str, presenter: str, roots: Collection[str], now: int
) -> VerifiedDelegation:
    """Verify a presented token and all its ancestors, at most 8 tokens and 16 KB.

    `resolve_key` returns the approved keys of a DID, an empty sequence for an unknown DID; `audience` is this hub's
    DID, `presenter` the DID that signed the request; `roots` are the DIDs that may issue the root; `now` is Unix
    seconds. Raises DelegationError.
    """
    links = _read_links(token)
    for link, parent in zip(links, [None, *links], strict=False):
        _check_link(link, now)
        if parent is not None:
            _check_step(parent, link)
    _check_ends(links, audience, presenter, roots)
    for link in links:
        _check_signature(link, resolve_key)
    return VerifiedDelegation(
        scope=links[-1].claims.scope,
        links=tuple(link.claims for link in links),
        tokens=tuple(link.parts.text for link in links),
    )


def _read_links(token: str) -> list[_Link]:
    if len(token) > MAX_TOKEN_BYTES:
        raise DelegationError(DelegationFault.TOO_LARGE, f"a token of {len(token)} bytes, at most {MAX_TOKEN_BYTES}")
    leaf = _read_link(token, None)
    chain = (*leaf.claims.proof_chain, token)
    if len(chain) > MAX_LINKS:
        raise DelegationError(DelegationFault.TOO_LONG, f"a chain of {len(chain)} links, at most {MAX_LINKS}")
    links = [_read_link(text, number) for number, text in enumerate(chain)]
    for link in links:
        if link.claims.proof_chain != chain[: link.number]:
            raise _fault(link, DelegationFault.BROKEN_CHAIN, "has other ancestors than the leaf")
    return links


def _read_link(text: str, number: int | None) -> _Link:
    try:
        parts = split_token(text)
        return _Link(number or 0, UcanClaims.from_dict(parts.payload), parts)
    except MalformedMessage as exc:
        raise DelegationError(DelegationFault.MALFORMED, str(exc), link=number) from exc


def _check_link(link: _Link, now: int) -> None:
    claims = link.claims
    if claims.scope.has_wildcard():
        raise _fault(link, DelegationFault.WILDCARD, "has the permission `*`")
    if now < claims.not_before:
        raise _fault(link, DelegationFault.NOT_YET_VALID, f"begins in {claims.not_before - now} seconds")
    scope_end = claims.scope.expiry_seconds()
    if now > claims.expires_at or (scope_end is not None and now > scope_end):
        raise _fault(link, DelegationFault.EXPIRED, "has expired")


def _check_step(parent: _Link, child: _Link) -> None:
    if not is_same_did(child.claims.issuer, parent.claims.audience):
        raise _fault(child, DelegationFault.BROKEN_CHAIN, "is not issued by its parent's audience")
    if child.claims.scope.max_delegation_depth > parent.claims.scope.max_delegation_depth - 1:
        raise _fault(child, DelegationFault.DEPTH, "Delegation depth exceeded")
    if not child.claims.scope.is_within(parent.claims.scope):
        raise _fault(child, DelegationFault.WIDENED, "grants more than its parent")
    if child.claims.not_before < parent.claims.not_before or child.claims.expires_at > parent.claims.expires_at:
        raise _fault(child, DelegationFault.WINDOW, "is valid outside its parent's time")


def _check_ends(links: list[_Link], audience: str, presenter: str, roots: Collection[str]) -> None:
    root, leaf = links[0], links[-1]
    if not is_same_did(leaf.claims.audience, audience):
        raise _fault(leaf, DelegationFault.AUDIENCE, "is meant for another hub")
    if not is_same_did(leaf.claims.issuer, presenter):
        raise _fault(leaf, DelegationFault.PRESENTER, "is not presented by its issuer")
    if not any(is_same_did(root.claims.issuer, allowed) for allowed in roots):
        raise _fault(root, DelegationFault.ROOT, "is issued by a DID that may not grant")


def _check_signature(link: _Link, resolve_key: ResolveKeys) -> None:
    keys = resolve_key(link.claims.issuer)
    if not keys:
        raise _fault(link, DelegationFault.UNKNOWN_KEY, "has an issuer without an approved key")
    if find_signer(keys, link.parts.signed_bytes, link.parts.signature) is None:
        raise _fault(link, DelegationFault.SIGNATURE, "is not signed by its issuer")


def _fault(link: _Link, fault: DelegationFault, message: str) -> DelegationError:
    return DelegationError(fault, message, link=link.number)
