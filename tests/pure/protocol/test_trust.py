"""Trust policies, with URLs and DIDs in every equal form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers.protocol import InvalidIdentifier, TrustEnforcer, TrustPolicy
from tests.pure.protocol.strategies import some
from tests.pure.protocol.vectors import PARTNER, STRANGER

DID = "did:web:partner.example.com"


@pytest.mark.parametrize("source", [PARTNER, STRANGER, "garbage", ""])
def test_open_trusts_all_and_trustless_none(source: str) -> None:
    assert TrustEnforcer(TrustPolicy.OPEN).is_trusted(source)
    assert not TrustEnforcer(TrustPolicy.TRUSTLESS, allowed_peers=[PARTNER]).is_trusted(source)


@pytest.mark.parametrize(
    "spelling",
    [PARTNER, PARTNER + "/", "HTTPS://PARTNER.example.com", PARTNER + ":443", PARTNER + ".", PARTNER + ".:443//"],
)
def test_spellings_of_a_listed_server_are_that_server(spelling: str) -> None:
    assert TrustEnforcer(TrustPolicy.ALLOWLIST, [PARTNER]).is_trusted(spelling)
    assert TrustEnforcer(TrustPolicy.ALLOWLIST, [spelling]).is_trusted(PARTNER)


@pytest.mark.parametrize(
    "other",
    [
        STRANGER,
        "http://partner.example.com",
        PARTNER + ":8443",
        PARTNER + "/hub",
        PARTNER + "?x",
        PARTNER + "#x",
        "https://user@partner.example.com",
        "https://partner.example.com@evil.example",
        "https://partner.example.com.evil.example",
        "https://evil.example/partner.example.com",
        "https://partner.exampⅼe.com",
        "https://pаrtner.example.com",
        "https://partner。example.com",
        "partner.example.com",
        "",
    ],
)
def test_others_are_not_trusted(other: str) -> None:
    assert not TrustEnforcer(TrustPolicy.ALLOWLIST, [PARTNER]).is_trusted(other)


def test_a_listed_did_is_enough_in_either_spelling() -> None:
    enforcer = TrustEnforcer(TrustPolicy.ALLOWLIST, ["did:web:partner.example.com%3A8443"])
    assert enforcer.is_trusted(STRANGER, source_did="did:web:partner.example.com:8443")
    assert enforcer.is_trusted(STRANGER, "did:web:PARTNER.example.com%3a8443")
    assert not enforcer.is_trusted(STRANGER, DID)
    assert not enforcer.is_trusted(STRANGER, "garbage")
    assert not enforcer.is_trusted("https://partner.example.com:8443")


def test_a_url_and_its_did_are_two_entries() -> None:
    assert not TrustEnforcer(TrustPolicy.ALLOWLIST, [PARTNER]).is_trusted(STRANGER, DID)


def test_peers_are_added_and_removed_in_any_spelling() -> None:
    enforcer = TrustEnforcer(TrustPolicy.ALLOWLIST)
    assert not enforcer.is_trusted(PARTNER)
    enforcer.add_peer(PARTNER + "/")
    assert enforcer.is_trusted(PARTNER)
    enforcer.remove_peer("HTTPS://partner.example.com:443")
    assert not enforcer.is_trusted(PARTNER)
    enforcer.remove_peer(PARTNER)


def test_the_policy_may_be_its_string_and_no_other() -> None:
    assert TrustEnforcer(TrustPolicy("open")).policy is TrustPolicy.OPEN
    with pytest.raises(ValueError, match="maybe"):
        TrustEnforcer(TrustPolicy("maybe"))


@pytest.mark.parametrize("peer", ["", "garbage", "https://user@partner.example.com", "did:web:", "did:key:z6Mk"])
def test_a_peer_that_names_no_server_cannot_be_listed(peer: str) -> None:
    with pytest.raises(InvalidIdentifier):
        TrustEnforcer(TrustPolicy.ALLOWLIST, [peer])
    with pytest.raises(InvalidIdentifier):
        TrustEnforcer(TrustPolicy.ALLOWLIST).add_peer(peer)


@some
@given(st.text(max_size=30), st.none() | st.text(max_size=30))
def test_no_text_breaks_the_allow_list(source: str, did: str | None) -> None:
    assert not TrustEnforcer(TrustPolicy.ALLOWLIST, [PARTNER, DID]).is_trusted(source, did)
