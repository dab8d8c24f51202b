"""The pure check of a URL that someone else chose: no DNS, no connection.

A name that passes may still resolve to a private address; whoever connects checks each address with
`is_public_address` and connects to the one it checked.
"""

from core.malformed import InvalidIdentifier
from core.net.addresses import is_public_address
from core.net.urls import split_url

_LOCAL_NAMES = frozenset(
    {"localhost", "ip6-localhost", "ip6-loopback", "broadcasthost", "metadata", "instance-data", "local", "internal"}
)
# RFC 6761 (localhost), RFC 6762 (local), RFC 8375 (home.arpa), ICANN's private-use internal; clouds name their
# metadata services below internal.
_LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".localdomain", ".home.arpa")


def validate_ssrf(url: object) -> bool:
    """Tell whether a URL may be requested on someone else's word: http(s), and no local name or address.

    Malformed input of any type, userinfo, non-ASCII hosts and numbers in any spelling but four decimal ones are False.
    Names that do not resolve are fine.
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
