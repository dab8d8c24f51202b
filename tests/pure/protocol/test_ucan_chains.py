"""UCAN chains: valid ones, and each refusal."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers.protocol import (
    DelegationError,
    DelegationFault,
    DelegationScope,
    MalformedMessage,
    ServerIdentity,
    UcanClaims,
    UCANToken,
    VerificationKey,
    VerifiedDelegation,
    verify_chain,
)
from peers.protocol.base_encodings import decode_base64url, encode_base64url
from peers.protocol.ucan import HEADER, attenuate_claims, split_token
from tests.pure.protocol.chains import KEYS, LEAF, LEAF_TOKEN, ROOT, ROOT_TOKEN, WIDE, child_of, sign, worker
from tests.pure.protocol.strategies import many, scopes, some
from tests.pure.protocol.vectors import NOW, hub, identity, partner, stranger


def verified(
    token: str = LEAF_TOKEN,
    audience: str = hub.did,
    presenter: str = partner.did,
    roots: Sequence[str] = (hub.did,),
    now: int = NOW,
    resolve_key: Callable[[str], Sequence[VerificationKey]] = lambda did: KEYS.get(did, ()),
) -> VerifiedDelegation:
    """Verify as the hub that issued the root and now gets a leaf from the partner."""
    return verify_chain(token, resolve_key=resolve_key, audience=audience, presenter=presenter, roots=roots, now=now)


def leaf(**changes: object) -> str:
    """Return the leaf's token with changed claims and a valid signature."""
    return sign(replace(LEAF, **changes), partner)  # type: ignore[arg-type]


def over(root: UcanClaims, **changes: object) -> str:
    """Return a leaf of another root, both with valid signatures."""
    token = sign(root, hub)
    return sign(replace(LEAF, proof_chain=(token,), **changes), partner)  # type: ignore[arg-type]


def test_a_chain_that_holds_says_what_the_presenter_may_do() -> None:
    result = verified()
    assert result.scope == DelegationScope(["events.log"], ["files.read"], 2, "2025-06-15T16:00:00Z")
    assert (result.root, result.leaf) == (ROOT, LEAF)
    assert result.tokens == (ROOT_TOKEN, LEAF_TOKEN)


def test_a_root_alone_is_a_chain() -> None:
    token = sign(replace(ROOT, issuer=partner.did, audience=hub.did), partner)
    assert verified(token, roots=[hub.did, partner.did]).links == (replace(ROOT, issuer=partner.did, audience=hub.did),)


def test_dids_are_compared_in_either_spelling() -> None:
    own = identity("https://hub.example.com:8443", 1)
    token = sign(replace(ROOT, issuer=partner.did, audience="did:web:hub.example.com:8443"), partner)
    assert verified(token, audience=own.did, roots=[partner.did])


def test_both_ends_of_the_time_are_included() -> None:
    root = replace(ROOT, issuer=partner.did, audience=hub.did, scope=DelegationScope())
    token = sign(root, partner)
    for now in (root.not_before, root.expires_at):
        assert verified(token, roots=[partner.did], now=now)


def test_a_rotated_issuers_old_key_still_verifies_and_a_fourth_key_is_not_tried() -> None:
    others = tuple(identity(partner.server_url, number).verification_keys[0] for number in (7, 8, 9))
    assert verified(resolve_key=lambda did: (*others[:2], *KEYS[did]))
    with pytest.raises(DelegationError):
        verified(resolve_key=lambda did: (*others, *KEYS[did]))


MIDDLE = child_of(ROOT, ROOT_TOKEN, worker.did)


MIDDLE_TOKEN = sign(MIDDLE, partner)


LONG = child_of(MIDDLE, MIDDLE_TOKEN, hub.did)


def test_three_links_hold() -> None:
    result = verified(sign(LONG, worker), presenter=worker.did)
    assert result.links == (ROOT, MIDDLE, LONG)
    assert result.scope.max_delegation_depth == 1


Fault = tuple[Callable[[], object], DelegationFault, int | None]


REFUSED: dict[str, Fault] = {
    "root signed by another": (lambda: over_signed(stranger, partner), DelegationFault.SIGNATURE, 0),
    "root signed with the child's key": (lambda: over_signed(partner, partner), DelegationFault.SIGNATURE, 0),
    "leaf signed by another": (lambda: over_signed(hub, stranger), DelegationFault.SIGNATURE, 1),
    "leaf signed by the root's issuer": (lambda: over_signed(hub, hub), DelegationFault.SIGNATURE, 1),
    "root's key unknown": (
        lambda: verified(resolve_key=lambda did: () if did == hub.did else KEYS[did]),
        DelegationFault.UNKNOWN_KEY,
        0,
    ),
    "leaf's key unknown": (
        lambda: verified(resolve_key=lambda did: () if did == partner.did else KEYS[did]),
        DelegationFault.UNKNOWN_KEY,
        1,
    ),
    "middle signed by another": (
        lambda: verified(
            sign(replace(LONG, proof_chain=(ROOT_TOKEN, sign(MIDDLE, stranger))), worker), presenter=worker.did
        ),
        DelegationFault.SIGNATURE,
        1,
    ),
    "issuer is not the parent's audience": (
        lambda: verified(sign(replace(LEAF, issuer=stranger.did), stranger), presenter=stranger.did),
        DelegationFault.BROKEN_CHAIN,
        1,
    ),
    "more permissions than the parent": (
        lambda: verified(leaf(scope=replace(LEAF.scope, permissions=["events.log", "agents.call"]))),
        DelegationFault.WIDENED,
        1,
    ),
    "a denial dropped": (
        lambda: verified(leaf(scope=replace(LEAF.scope, denied_operations=[]))),
        DelegationFault.WIDENED,
        1,
    ),
    "the scope's end dropped": (
        lambda: verified(leaf(scope=replace(LEAF.scope, expires_at=None))),
        DelegationFault.WIDENED,
        1,
    ),
    "the scope's end later": (
        lambda: verified(leaf(scope=replace(LEAF.scope, expires_at="2025-06-15T16:00:01Z"))),
        DelegationFault.WIDENED,
        1,
    ),
    "depth not decremented": (
        lambda: verified(leaf(scope=replace(LEAF.scope, max_delegation_depth=3))),
        DelegationFault.DEPTH,
        1,
    ),
    "depth used up": (
        lambda: verified(over(replace(ROOT, scope=replace(WIDE, max_delegation_depth=0)), scope=no_depth())),
        DelegationFault.DEPTH,
        1,
    ),
    "begins before its parent": (lambda: verified(leaf(not_before=NOW - 11)), DelegationFault.WINDOW, 1),
    "ends after its parent": (lambda: verified(leaf(expires_at=NOW + 3601)), DelegationFault.WINDOW, 1),
    "leaf has ended": (lambda: verified(leaf(expires_at=NOW - 1)), DelegationFault.EXPIRED, 1),
    "leaf begins later": (lambda: verified(leaf(not_before=NOW + 1)), DelegationFault.NOT_YET_VALID, 1),
    "root has ended": (lambda: verified(over(replace(ROOT, expires_at=NOW - 1))), DelegationFault.EXPIRED, 0),
    "root begins later": (lambda: verified(over(replace(ROOT, not_before=NOW + 1))), DelegationFault.NOT_YET_VALID, 0),
    "root's scope has ended": (
        lambda: verified(over(replace(ROOT, scope=replace(WIDE, expires_at="2025-06-15T15:00:00Z")))),
        DelegationFault.EXPIRED,
        0,
    ),
    "all has ended": (lambda: verified(now=NOW + 3601), DelegationFault.EXPIRED, 0),
    "a wildcard in the leaf": (lambda: verified(leaf(scope=DelegationScope(["*"]))), DelegationFault.WILDCARD, 1),
    "a wildcard in the root": (
        lambda: verified(over(replace(ROOT, scope=replace(WIDE, permissions=["*"])))),
        DelegationFault.WILDCARD,
        0,
    ),
    "meant for another hub": (lambda: verified(audience=stranger.did), DelegationFault.AUDIENCE, 1),
    "made out to another hub": (lambda: verified(leaf(audience=stranger.did)), DelegationFault.AUDIENCE, 1),
    "presented by another": (lambda: verified(presenter=stranger.did), DelegationFault.PRESENTER, 1),
    "presented by the root's issuer": (lambda: verified(presenter=hub.did), DelegationFault.PRESENTER, 1),
    "a foreign root": (lambda: verified(roots=[stranger.did]), DelegationFault.ROOT, 0),
    "no root": (lambda: verified(roots=[]), DelegationFault.ROOT, 0),
    "a root that nobody granted": (
        lambda: verified(sign(replace(ROOT, issuer=partner.did, audience=hub.did), partner)),
        DelegationFault.ROOT,
        0,
    ),
    "an ancestor left out": (
        lambda: verified(sign(replace(LONG, proof_chain=(MIDDLE_TOKEN,)), worker), presenter=worker.did),
        DelegationFault.BROKEN_CHAIN,
        0,
    ),
    "ancestors in another order": (
        lambda: verified(sign(replace(LONG, proof_chain=(MIDDLE_TOKEN, ROOT_TOKEN)), worker), presenter=worker.did),
        DelegationFault.BROKEN_CHAIN,
        0,
    ),
    "an ancestor twice": (lambda: verified(leaf(proof_chain=(ROOT_TOKEN,) * 2)), DelegationFault.BROKEN_CHAIN, 1),
    "an ancestor that is garbage": (lambda: verified(leaf(proof_chain=("x.y.z",))), DelegationFault.MALFORMED, 0),
    "nine links": (lambda: verified(leaf(proof_chain=("a.b.c",) * 8)), DelegationFault.TOO_LONG, None),
    "a thousand links": (lambda: verified(leaf(proof_chain=("a.b.c",) * 1000)), DelegationFault.TOO_LONG, None),
    "more than 16 KB": (lambda: verified("A" * 20_000 + ".B.C"), DelegationFault.TOO_LARGE, None),
    "garbage": (lambda: verified("x.y.z"), DelegationFault.MALFORMED, None),
    "nothing": (lambda: verified(""), DelegationFault.MALFORMED, None),
}


def over_signed(root_signer: ServerIdentity, leaf_signer: ServerIdentity) -> VerifiedDelegation:
    """Verify a well-formed chain that the given identities signed."""
    return verified(sign(replace(LEAF, proof_chain=(sign(ROOT, root_signer),)), leaf_signer))


def no_depth() -> DelegationScope:
    """Return the leaf's scope without depth."""
    return replace(LEAF.scope, max_delegation_depth=0)


@pytest.mark.parametrize("name", REFUSED)
def test_a_chain_is_refused_at_its_link_with(name: str) -> None:
    call, fault, link = REFUSED[name]
    with pytest.raises(DelegationError) as refusal:
        call()
    assert (refusal.value.fault, refusal.value.link) == (fault, link)
    assert refusal.value.status_hint == 403


@pytest.mark.parametrize("link", [0, 1])
@pytest.mark.parametrize("part", [0, 1, 2])
def test_changing_any_character_of_any_part_of_any_link_is_refused(link: int, part: int) -> None:
    token = (ROOT_TOKEN, LEAF_TOKEN)[link]
    start = sum(len(text) + 1 for text in token.split(".")[:part])
    for position in range(start, start + len(token.split(".")[part]), 7):
        changed = token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :]
        with pytest.raises(DelegationError):
            verified(changed if link == 1 else leaf(proof_chain=(changed,)))


CLAIM_CHANGES: dict[str, object] = {
    "iss": stranger.did,
    "aud": stranger.did,
    "nbf": NOW - 9,
    "exp": NOW + 3599,
    "nonce": "other",
    "prf": [],
    "scope": WIDE.to_dict(),
}


@pytest.mark.parametrize("claim", CLAIM_CHANGES)
def test_changing_any_claim_without_signing_again_is_refused(claim: str) -> None:
    header, payload, signature = LEAF_TOKEN.split(".")
    changed = json.loads(decode_base64url(payload)) | {claim: CLAIM_CHANGES[claim]}
    body = encode_base64url(json.dumps(changed, sort_keys=True).encode())
    with pytest.raises(DelegationError):
        verified(f"{header}.{body}.{signature}")


def raw_token(payload: object, header: object = None, signer: ServerIdentity = partner) -> str:
    """Return a token with any payload and header and a valid signature."""
    first = HEADER if header is None else encode_base64url(json.dumps(header).encode())
    signing_input = f"{first}.{encode_base64url(json.dumps(payload).encode())}"
    return f"{signing_input}.{encode_base64url(signer.signing_key().sign(signing_input.encode()))}"


SELF_MADE = replace(ROOT, issuer=partner.did, audience=hub.did).to_dict()


@pytest.mark.parametrize("claim", ["iss", "aud", "scope", "nbf", "exp", "nonce", "prf"])
def test_a_missing_claim_is_not_revived_by_verification(claim: str) -> None:
    token = raw_token({name: value for name, value in SELF_MADE.items() if name != claim})
    with pytest.raises(DelegationError) as refusal:
        verified(token, roots=[partner.did])
    assert refusal.value.fault is DelegationFault.MALFORMED


@pytest.mark.parametrize("name", ["permissions", "denied_operations", "max_delegation_depth"])
def test_a_scope_with_a_part_missing_gets_no_defaults_from_verification(name: str) -> None:
    scope = {key: value for key, value in WIDE.to_dict().items() if key != name}
    with pytest.raises(DelegationError, match=name):
        verified(raw_token(SELF_MADE | {"scope": scope}), roots=[partner.did])


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "typ": "UCAN"},
        {"alg": "HS256", "typ": "UCAN"},
        {"alg": "EdDSA", "typ": "JWT"},
        {"alg": "EdDSA"},
        {"typ": "UCAN", "alg": "EdDSA"},
        {"alg": "EdDSA", "typ": "UCAN", "kid": "x"},
        [],
    ],
)
def test_any_other_header_is_refused_even_when_signed(header: object) -> None:
    with pytest.raises(DelegationError) as refusal:
        verified(raw_token(SELF_MADE, header), roots=[partner.did])
    assert refusal.value.fault is DelegationFault.MALFORMED


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": "x"},
        {"exp": -1},
        {"exp": 1e300},
        {"exp": True},
        {"nbf": None},
        {"iss": 1},
        {"prf": "x"},
        {"prf": [1]},
        {"scope": []},
        {"scope": WIDE.to_dict() | {"max_delegation_depth": -5}},
        {"scope": WIDE.to_dict() | {"expires_at": "never"}},
    ],
)
def test_a_claim_of_another_type_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(DelegationError) as refusal:
        verified(raw_token(SELF_MADE | changes), roots=[partner.did])
    assert refusal.value.fault is DelegationFault.MALFORMED


@some
@given(
    st.text(max_size=60) | st.lists(st.binary(max_size=30).map(encode_base64url), min_size=3, max_size=3).map(".".join)
)
def test_any_token_text_is_refused_with_a_protocol_error(token: str) -> None:
    with pytest.raises(MalformedMessage):
        split_token(token)
    with pytest.raises(MalformedMessage):
        UCANToken.decode(token)
    with pytest.raises(DelegationError):
        verified(token)


@many
@given(st.lists(scopes, min_size=1, max_size=4), st.integers(0, 2**31))
def test_every_attenuated_chain_verifies_and_never_widens(asked: list[DelegationScope], start: int) -> None:
    people = [hub, partner, worker, stranger, hub]
    root_scope = DelegationScope(["cost.report", "events.log", "state.patch"], [], 9)
    claims = UcanClaims(people[0].did, people[1].did, root_scope, start, start + 100, "n")
    token = sign(claims, people[0])
    for step, scope in enumerate((replace(one, max_delegation_depth=9, expires_at=None) for one in asked[:3]), start=1):
        parent = claims
        claims = attenuate_claims(
            claims, token, audience=people[step + 1].did, child_scope=scope, now=start + step, nonce="n"
        )
        token = sign(claims, people[step])
        assert claims.scope.is_within(parent.scope)
        assert set(claims.scope.permissions) <= set(scope.permissions)
        assert claims.scope.max_delegation_depth < parent.scope.max_delegation_depth
        assert parent.not_before <= claims.not_before <= claims.expires_at <= parent.expires_at
        result = verified(token, audience=claims.audience, presenter=claims.issuer, roots=[hub.did], now=start + step)
        assert result.scope == claims.scope


def test_a_payload_with_two_readings_is_refused() -> None:
    text = json.dumps(SELF_MADE)[:-1] + ', "iss": "did:web:evil.example"}'
    signing_input = f"{HEADER}.{encode_base64url(text.encode())}"
    token = f"{signing_input}.{encode_base64url(partner.signing_key().sign(signing_input.encode()))}"
    with pytest.raises(DelegationError, match="duplicate key"):
        verified(token, roots=[partner.did])
