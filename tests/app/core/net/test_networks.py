"""Networks of public and of metadata addresses, compared with the address by address test."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.net.addresses import holds_metadata_addresses, holds_public_addresses, is_public_address

EDGES_V4 = [int(IPv4Address(text)) for text in ("9.255.255.250", "168.63.129.16", "192.0.0.255", "223.255.255.254")]
EDGES_V6 = [int(IPv6Address(text)) for text in ("::ffff:9.255.255.250", "64:ff9b::a00:0", "1fff:ffff::", "2001:1ff::")]


@given(st.one_of(st.sampled_from(EDGES_V4), st.integers(0, 2**32 - 1)), st.integers(26, 32))
def test_a_small_ipv4_network_is_public_if_one_of_its_addresses_is(start: int, prefix: int) -> None:
    network = IPv4Network((start, prefix), strict=False)
    assert holds_public_addresses(network) == any(is_public_address(address) for address in network)


@given(st.one_of(st.sampled_from(EDGES_V6), st.integers(0, 2**128 - 1)), st.integers(122, 128))
def test_a_small_ipv6_network_is_public_if_one_of_its_addresses_is(start: int, prefix: int) -> None:
    network = IPv6Network((start, prefix), strict=False)
    assert holds_public_addresses(network) == any(is_public_address(address) for address in network)


@pytest.mark.parametrize(
    ("text", "is_public", "has_metadata"),
    [
        ("0.0.0.0/0", True, True),
        ("10.0.0.0/8", False, False),
        ("10.0.0.0/7", True, False),
        ("169.254.0.0/16", False, True),
        ("::/0", True, True),
        ("::/80", True, True),
        ("fc00::/7", False, True),
        ("2001:db8::/32", False, False),
        ("2001:db8::/31", True, False),
        ("64:ff9b::a9fe:a9fe/128", False, True),
    ],
)
def test_a_network_of_any_size(text: str, is_public: bool, has_metadata: bool) -> None:
    network = ip_network(text)
    assert (holds_public_addresses(network), holds_metadata_addresses(network)) == (is_public, has_metadata)
