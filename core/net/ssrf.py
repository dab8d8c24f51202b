"""The pure check of a URL that another party chose, without DNS and without a connection.

A name that passes may still resolve to a private address. The client that connects checks each address with
`is_public_address` and connects to a checked address.
"""

from core.malformed_input import InvalidIdentifier
from core.net.addresses import is_public_address
from core.net.url_grammar import split_url

_LOCAL_NAMES = frozenset(
    {"localhost", "ip6-localhost", "ip6-loopback", "broadcasthost", "metadata", "instance-data", "local", "internal"}
)
# RFC 6761 (localhost), RFC 6762 (local), RFC 8375 (home.arpa), ICANN's private-use internal; clouds name their
# metadata services below internal.
_LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".localdomain", ".home.arpa")


def validate_ssrf(url: object) -> bool:
    """Tell whether the hub may request a URL that another party chose: http(s) with a public name or address.

    Return False also for malformed input of any type, for userinfo, for a host that is not ASCII, and for an IPv4
    address that is not spelled as four decimal numbers. The check does not resolve a name, so a name without an
    address passes.
    """
    if not isinstance(url, str):
        return False
    try:
        parts = split_url(url)
    except InvalidIdentifier:
        return False
    if parts.address is not None:
        return is_public_address(parts.address)
    return parts.host not in _LOCAL_NAMES and not parts.host.endswith(_LOCAL_SUFFIXES)
