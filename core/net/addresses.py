"""The test for public IP addresses, by tables of our own (IANA's special-purpose registries, RFC 6890).

Python's `is_global` is not used: it is true for NAT64, 6to4, site-local and multicast addresses.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeVar

N = TypeVar("N", IPv4Network, IPv6Network)

_NOT_PUBLIC_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT, and Alibaba's metadata service
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host, from inside every machine
        "169.254.0.0/16",  # link-local, and the metadata services
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments, and Oracle's metadata service
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3ffe::/16",  # the former 6bone
        "3fff::/20",  # documentation
    )
)
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")
_METADATA = tuple(
    ip_address(address)
    for address in (
        "169.254.169.254",  # AWS, Azure, Google, OpenStack
        "169.254.170.2",  # AWS, for containers
        "169.254.170.23",  # AWS, for pods
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure's host
        "192.0.0.192",  # Oracle
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS, for pods
        "fd20:ce::254",  # Google
        "fe80::a9fe:a9fe",  # OpenStack
    )
)


def embedded_ipv4(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address inside a mapped, NAT64, 6to4 or Teredo address, or None.

    RFC 4291, section 2.5.5.2; RFC 6052, section 2.1; RFC 3056, section 2; RFC 4380, section 4.
    """
    number = int(address)
    if address in _MAPPED or address in _NAT64:
        return IPv4Address(number & 0xFFFF_FFFF)
    if address in _SIX_TO_FOUR:
        return IPv4Address(number >> 80 & 0xFFFF_FFFF)
    if address in _TEREDO:
        return IPv4Address(~number & 0xFFFF_FFFF)
    return None


def is_public_address(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether a connection to the address goes to the public Internet.

    The IPv4 address inside decides for a mapped or NAT64 address. 6to4 and Teredo addresses are not public: servers
    do not use them, and a relay could lead to any address. An IPv6 address with a scope id is not public.
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    if address.scope_id is not None:
        return False
    if address in _MAPPED or address in _NAT64:
        inner = embedded_ipv4(address)
        return inner is not None and is_public_address(inner)
    return address in _GLOBAL_UNICAST_V6 and not any(address in network for network in _NOT_PUBLIC_V6)


def network_of(address: str) -> str:
    """Return the text under which a caller is counted: an IPv4 address, or the /64 network of an IPv6 address.

    A text that is no address is returned as it is.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or ip_network((found, 64), strict=False))


def holds_public_addresses(network: IPv4Network | IPv6Network) -> bool:
    """Tell whether at least one address of the network is public, by the rules of `is_public_address`."""
    if isinstance(network, IPv4Network):
        return bool(_without(network, _NOT_PUBLIC_V4))
    for block in (_MAPPED, _NAT64):
        if block.supernet_of(network):
            return holds_public_addresses(_inner_network(network))
        if network.supernet_of(block):
            return True
    if network.supernet_of(_GLOBAL_UNICAST_V6):
        return True
    return network.subnet_of(_GLOBAL_UNICAST_V6) and bool(_without(network, _NOT_PUBLIC_V6))


def holds_metadata_addresses(network: IPv4Network | IPv6Network) -> bool:
    """Tell whether the address of a cloud's metadata service, which hands out credentials, is in the network."""
    if isinstance(network, IPv6Network):
        for block in (_MAPPED, _NAT64):
            if block.supernet_of(network):
                return holds_metadata_addresses(_inner_network(network))
            if network.supernet_of(block):
                return True
    return any(address in network for address in _METADATA)


def _inner_network(network: IPv6Network) -> IPv4Network:
    """Return the IPv4 addresses inside a network of mapped or NAT64 addresses."""
    return IPv4Network((int(network.network_address) & 0xFFFF_FFFF, network.prefixlen - 96))


def _without(network: N, excluded: Iterable[N]) -> list[N]:
    """Return the parts of `network` that are in none of the `excluded` networks."""
    parts = [network]
    for other in excluded:
        # Two networks are disjoint, or one holds the other.
        apart = [part for part in parts if not part.overlaps(other)]
        larger = [part for part in parts if part.overlaps(other) and not part.subnet_of(other)]
        parts = apart + [rest for part in larger for rest in part.address_exclude(other)]
    return parts
