"""Scopes and UCAN chains that are wider than their grant: refused, and nothing is stored."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from peers.models import Dispatch, IssuedDelegation, Peer, ReceivedDispatch
from peers.protocol import DelegationScope, UcanClaims
from peers.protocol.base_encodings import encode_base64url
from peers.protocol.compat import make_nonce
from peers.protocol.ucan import encode_token
from peers.services.outbox.delegations import delegation_digest
from peers.services.trust.identity import hub_identity
from peers.services.trust.peer_tokens import issue_peer_token
from peers.services.trust.peers import suspend_peer
from tests.api.peers.conftest import Refused
from tests.api.peers.partner import HUB_DID, OPERATOR, UCAN, Partner, ago, body_of, send

pytestmark = pytest.mark.django_db
SCOPE: dict[str, Any] = {"permissions": ["state.patch"], "denied_operations": [], "max_delegation_depth": 1}


def present(partner: Partner, token: str, **changes: Any) -> Any:
    body = body_of(partner.signed(**changes))
    return send(body, partner.headers(body) | {UCAN: token})


def child_of(parent: str, partner: Partner, scope: DelegationScope, **changes: Any) -> str:
    """Pass a token on to the hub under test, with any scope."""
    now = int(time.time())
    values: dict[str, Any] = {
        "issuer": partner.identity.did,
        "audience": HUB_DID,
        "scope": scope,
        "not_before": now - 10,
        "expires_at": now + 600,
        "nonce": make_nonce(),
        "proof_chain": (parent,),
    }
    return encode_token(UcanClaims(**(values | changes)).to_dict(), partner.key.sign)


def issue(peer: Peer, *, depth: int = 2, **row: Any) -> str:
    """Have the hub under test issue a delegation to a peer, as a dispatch does."""
    now = timezone.now()
    claims = UcanClaims(
        issuer=HUB_DID,
        audience=peer.did,
        scope=DelegationScope(max_delegation_depth=depth),
        not_before=int(now.timestamp()) - 60,
        expires_at=int(now.timestamp()) + 3600,
        nonce=make_nonce(),
    )
    token = encode_token(claims.to_dict(), hub_identity().signing_key().sign)
    dispatch = Dispatch.objects.create(id=make_nonce(), intent_id="i", intent_title="t", target_server=peer.server_url)
    values = {"expires_at": now + timedelta(hours=1), "token_digest": delegation_digest(token)}
    IssuedDelegation.objects.create(peer=peer, dispatch=dispatch, **(values | row))
    return token


# Accepted chains ----------------------------------------------------------------------------------------------------
def test_the_effective_scope_is_the_envelopes_within_the_chains(alpha: Partner, alpha_peer: Peer) -> None:
    token = alpha.ucan(scope=DelegationScope(["state.patch", "agents.read"], ["events.log"], 3))

    assert present(alpha, token, delegation_scope=SCOPE | {"permissions": ["state.patch", "other"]}).status_code == 200

    received = ReceivedDispatch.objects.get()
    assert received.delegation == token
    assert received.scope == {
        "permissions": ["state.patch"],
        "denied_operations": ["events.log"],
        "max_delegation_depth": 1,
    }


def test_a_grant_of_this_hub_is_accepted_until_it_is_revoked(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused
) -> None:
    token = child_of(issue(alpha_peer), alpha, DelegationScope(max_delegation_depth=1))
    assert present(alpha, token).status_code == 200

    IssuedDelegation.objects.update(revoked_at=timezone.now())
    assert_refused.start()
    assert_refused(present(alpha, token), 403, "this hub has revoked the delegation or never issued it")


def test_a_grant_of_this_hub_without_a_row_is_refused(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused
) -> None:
    token = child_of(issue(alpha_peer), alpha, DelegationScope(max_delegation_depth=1))
    IssuedDelegation.objects.all().delete()
    assert_refused.start()

    assert_refused(present(alpha, token), 403, "this hub has revoked the delegation or never issued it")


def test_suspending_a_peer_revokes_what_this_hub_granted_it(alpha: Partner, alpha_peer: Peer) -> None:
    issue(alpha_peer)

    suspend_peer(alpha_peer, reason="Incident", by=OPERATOR)

    assert IssuedDelegation.objects.filter(revoked_at=None).count() == 0


# Scopes -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("scope", "status"),
    [
        (SCOPE | {"max_delegation_depth": -5}, 422),
        (SCOPE | {"max_delegation_depth": 1.5}, 422),
        (SCOPE | {"max_delegation_depth": True}, 422),
        (SCOPE | {"permissions": ["*"]}, 403),
        (SCOPE | {"permissions": ["state.patch", "*"]}, 403),
        (SCOPE | {"permissions": "state.patch"}, 422),
        (SCOPE | {"permissions": [1]}, 422),
        (SCOPE | {"expires_at": "tomorrow"}, 422),
        (SCOPE | {"expires_at": ago(seconds=1)}, 403),
    ],
)
def test_an_impossible_scope_is_refused(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused, scope: dict[str, Any], status: int
) -> None:
    assert_refused.start()

    body = body_of(alpha.signed(delegation_scope=scope))
    assert_refused(send(body, alpha.headers(body)), status)


# Chains -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"audience": "did:web:third.example.org"}, "is meant for another hub"),
        ({"issuer": "did:web:evil.example.com"}, "is not presented by its issuer"),
        ({"expires_at": 1_000_000_000, "not_before": 900_000_000}, "has expired"),
        ({"not_before": 4_000_000_000, "expires_at": 4_000_000_100}, "begins in"),
        ({"scope": DelegationScope(["*"])}, "has the permission `*`"),
        ({"scope": DelegationScope(expires_at="2020-01-01T00:00:00Z")}, "has expired"),
    ],
)
def test_a_token_that_grants_nothing_here_is_refused(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused, changes: dict[str, Any], reason: str
) -> None:
    assert_refused.start()

    assert_refused(present(alpha, alpha.ucan(**changes)), 403, reason)


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        (DelegationScope(["state.patch", "secrets.read"], [], 0), "grants more than its parent"),
        (DelegationScope(["state.patch"], [], 2), "Delegation depth exceeded"),
        (DelegationScope(["*"], [], 0), "has the permission `*`"),
    ],
)
def test_a_child_wider_than_its_parent_is_refused(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused, scope: DelegationScope, reason: str
) -> None:
    token = child_of(issue(alpha_peer), alpha, scope)
    assert_refused.start()

    assert_refused(present(alpha, token), 403, reason)


def test_a_child_that_drops_a_denial_or_outlives_its_parent_is_refused(
    alpha: Partner, alpha_peer: Peer, beta: Partner, assert_refused: Refused
) -> None:
    denying = beta.ucan(audience=alpha.identity.did, scope=DelegationScope(["state.patch"], ["agents.call"], 2))
    dropped = child_of(denying, alpha, DelegationScope(["state.patch"], [], 0))
    outliving = child_of(issue(alpha_peer), alpha, DelegationScope(max_delegation_depth=0), expires_at=4_000_000_000)
    assert_refused.start()

    assert_refused(present(alpha, dropped), 403, "grants more than its parent")
    assert_refused(present(alpha, outliving), 403, "is valid outside its parent's time")


def test_an_expired_parent_is_refused(alpha: Partner, alpha_peer: Peer, assert_refused: Refused) -> None:
    old = alpha.ucan(audience=alpha.identity.did, scope=DelegationScope(max_delegation_depth=3), not_before=1,
                     expires_at=1_000_000_000)  # fmt: skip
    token = child_of(old, alpha, DelegationScope(max_delegation_depth=0), not_before=2, expires_at=999_999_999)
    assert_refused.start()

    assert_refused(present(alpha, token), 403, "link 0: has expired")


def test_a_foreign_root_is_refused(alpha: Partner, alpha_peer: Peer, beta: Partner, assert_refused: Refused) -> None:
    root = beta.ucan(audience=alpha.identity.did, scope=DelegationScope(max_delegation_depth=3))
    assert_refused.start()

    assert_refused(
        present(alpha, child_of(root, alpha, DelegationScope(max_delegation_depth=0))),
        403,
        "by a DID that may not grant",
    )


def test_a_token_presented_by_another_is_refused(
    alpha: Partner, alpha_peer: Peer, beta: Partner, assert_refused: Refused
) -> None:
    stolen = alpha.ucan()
    assert_refused.start()

    assert_refused(present(beta, stolen), 403, "is not presented by its issuer")


def test_a_token_needs_a_request_that_its_presenter_signed(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused
) -> None:
    headers = {"HTTP_X_API_KEY": issue_peer_token(alpha_peer, days=1, by=OPERATOR), UCAN: alpha.ucan()}
    assert_refused.start()

    assert_refused(send(alpha.envelope(), headers), 403, "that its presenter signed")


def test_a_link_signed_by_another_issuer_is_refused(alpha: Partner, alpha_peer: Peer, assert_refused: Refused) -> None:
    forged = encode_token(
        UcanClaims(
            HUB_DID, alpha.identity.did, DelegationScope(max_delegation_depth=5), 1, 4_000_000_000, "n"
        ).to_dict(),
        alpha.key.sign,
    )
    token = child_of(forged, alpha, DelegationScope(max_delegation_depth=0))
    assert_refused.start()

    assert_refused(present(alpha, token), 403, "link 0: is not signed by its issuer")


def test_a_chain_of_a_thousand_links_is_refused_before_it_is_verified(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused
) -> None:
    claims = json.loads(json.dumps(UcanClaims(alpha.identity.did, HUB_DID, DelegationScope(), 1, 4_000_000_000, "n",
                                              ("a.b.c",) * 1000).to_dict()))  # fmt: skip
    signed = f"{alpha.ucan().split('.')[0]}.{encode_base64url(json.dumps(claims, sort_keys=True).encode())}"
    token = f"{signed}.{encode_base64url(alpha.key.sign(signed.encode()))}"
    assert_refused.start()

    assert_refused(present(alpha, token), 403)
    assert_refused(present(alpha, "x" * 20_000), 403, "at most 16384")


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES256"])
def test_a_token_of_another_algorithm_is_refused(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused, algorithm: str
) -> None:
    _, payload, signature = alpha.ucan().split(".")
    header = encode_base64url(json.dumps({"alg": algorithm, "typ": "UCAN"}).encode())
    assert_refused.start()

    assert_refused(present(alpha, f"{header}.{payload}.{signature}"), 403, "not the header of an EdDSA UCAN")
    assert_refused(present(alpha, f"{header}.{payload}."), 403)
