"""System checks of the settings that open the hub: a warning for each value that takes a defense away.

`manage.py check --deploy` runs the checks. The two checks of trusted proxies and the check of DEBUG run with every
command.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import Any
from urllib.parse import urlsplit

from django.apps.config import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from core.net.addresses import holds_metadata_addresses, holds_public_addresses

Network = IPv4Network | IPv6Network

LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}
# A pattern that matches these arbitrary roles matches every role.
ARBITRARY_ROLES = tuple(
    f"arn:{partition}:iam::{account}:role/{name}"
    for partition in ("aws", "aws-cn", "aws-us-gov")
    for account, name in (("135792468013", "q7Wz"), ("864209753186", "service/Xk2-Bv"))
)
# A block of this size or larger is more than one operator's proxies.
LARGE_PREFIXES = {4: 8, 6: 19}
SHORTEST_SYNC_SECONDS = 300


def _warning(number: int, message: str, hint: str) -> Warning:
    return Warning(message, hint=hint, id=f"fedhub.W{number:03}")


@register(Tags.security, deploy=True)
def check_host_patterns(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn of ALLOWED_HOSTS that match hosts of others: a request with such a host can forge the hub's own URLs."""
    wide = [host for host in settings.ALLOWED_HOSTS if host == "*" or (host[:1] == "." and "." not in host[1:])]
    if not wide:
        return []
    return [
        _warning(
            10,
            f"ALLOWED_HOSTS contains {', '.join(wide)}: the hub answers for hosts that are not its own.",
            "Name the host of FEDHUB_SERVER_URL, for example ALLOWED_HOSTS=hub.example.com",
        )
    ]


@register(Tags.security, deploy=True)
def check_peer_networks(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn of FEDHUB_ALLOWED_NETWORKS with public addresses or with the address of a cloud's metadata service.

    The hub may use plain http in these networks, and the URL of a peer can make the hub send requests into them.
    """
    networks = settings.FEDHUB_ALLOWED_NETWORKS if settings.FEDHUB_ENABLED else []
    found: list[CheckMessage] = []
    if public := [network for network in networks if holds_public_addresses(network)]:
        found.append(
            _warning(
                11,
                f"FEDHUB_ALLOWED_NETWORKS covers public addresses ({_joined(public)}): plain http is allowed there.",
                "Name only the private networks that hold peers, for example 10.20.0.0/16. Public peers need no entry.",
            )
        )
    if metadata := [network for network in networks if holds_metadata_addresses(network)]:
        found.append(
            _warning(
                12,
                f"FEDHUB_ALLOWED_NETWORKS covers a cloud's metadata service ({_joined(metadata)}): the URL of a peer "
                "could make the hub send it requests.",
                "Name smaller networks, without 169.254.0.0/16, 100.64.0.0/10, 192.0.0.0/24 and fd00:ec2::/32.",
            )
        )
    return found


@register(Tags.security, deploy=True)
def check_assumable_roles(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn if FEDHUB_ASSUMABLE_ROLES is unset or allows every role, because a federation may then name any role."""
    patterns = settings.FEDHUB_ASSUMABLE_ROLES
    if not any(fnmatchcase(role, pattern) for role in ARBITRARY_ROLES for pattern in patterns):
        return []
    return [
        _warning(
            13,
            "FEDHUB_ASSUMABLE_ROLES is unset or allows every role, so that each editor of a federation chooses freely "
            "among the roles that trust the hub.",
            "Name the roles for discovery, for example FEDHUB_ASSUMABLE_ROLES=arn:aws:iam::*:role/fedhub-*",
        )
    ]


@register(Tags.security, deploy=True)
def check_peer_openness(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn of settings that accept unknown hubs as peers, or that show agents or peers to unknown hubs."""
    if not settings.FEDHUB_ENABLED:
        return []
    found: list[CheckMessage] = []
    if settings.FEDHUB_TRUST_POLICY == "open":
        found.append(
            _warning(
                14,
                "FEDHUB_TRUST_POLICY is open: hubs that staff never approved send work to public agents.",
                "Set FEDHUB_TRUST_POLICY=allowlist and approve the peers.",
            )
        )
    if settings.FEDHUB_PUBLISH_PEERS:
        found.append(
            _warning(
                15,
                "FEDHUB_PUBLISH_PEERS is on: the discovery document tells every caller who the approved peers are.",
                "Leave FEDHUB_PUBLISH_PEERS unset unless all peers agree to be named.",
            )
        )
    if settings.FEDHUB_VISIBILITY_DEFAULT == "public":
        found.append(
            _warning(
                16,
                "FEDHUB_VISIBILITY_DEFAULT is public: every caller sees an agent as soon as a sync finds it.",
                "Set FEDHUB_VISIBILITY_DEFAULT=private and choose the visibility of single agents.",
            )
        )
    return found


@register(Tags.security)
def check_public_debug(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn of DEBUG at a public URL: Django's error pages then show code, settings and requests to every caller."""
    if not settings.DEBUG or urlsplit(settings.FEDHUB_SERVER_URL).hostname in LOOPBACK_NAMES:
        return []
    return [
        _warning(
            17,
            f"DEBUG is on at {settings.FEDHUB_SERVER_URL}: error pages show code and settings to every caller.",
            "Remove DEBUG from the environment; it is off by itself at a public URL.",
        )
    ]


@register(Tags.security)
def check_trusted_proxies(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn of an https URL without a trusted proxy, and of trusted networks so large that callers may be in them.

    A caller in a trusted network can forge its address and scheme.
    """
    networks = settings.FEDHUB_TRUSTED_PROXIES
    if settings.FEDHUB_SERVER_URL.startswith("https://") and not networks:
        return [
            _warning(
                18,
                "FEDHUB_TRUSTED_PROXIES is empty, but FEDHUB_SERVER_URL is https: all callers seem to have the address "
                "of the TLS proxy, and so share every limit.",
                "Name the proxy's address or network, for example FEDHUB_TRUSTED_PROXIES=127.0.0.1",
            )
        ]
    if large := [network for network in _merged(networks) if _is_large(network)]:
        return [
            _warning(
                19,
                f"FEDHUB_TRUSTED_PROXIES covers {_joined(large)}: callers in it can forge their address and scheme.",
                "Name only the proxy's own address or network, for example FEDHUB_TRUSTED_PROXIES=127.0.0.1",
            )
        ]
    return []


@register(Tags.security, deploy=True)
def check_limits(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn of each limit of requests per minute that is 0, because 0 means no limit."""
    names = sorted(name for name in dir(settings) if name.startswith("FEDHUB_") and name.endswith("_PER_MINUTE"))
    return [
        _warning(
            20,
            f"{name} is 0: the number is not limited.",
            f"Remove {name} from the environment; its default fits most hubs.",
        )
        for name in names
        if getattr(settings, name) == 0
    ]


def _merged(networks: Iterable[Network]) -> list[Network]:
    """Return the networks with neighbors joined, so that two halves of the Internet are one block."""
    found = list(networks)
    v4 = collapse_addresses(network for network in found if isinstance(network, IPv4Network))
    v6 = collapse_addresses(network for network in found if isinstance(network, IPv6Network))
    return [*v4, *v6]


def _is_large(network: Network) -> bool:
    if isinstance(network, IPv6Network) and network.subnet_of(IPv6Network("::ffff:0:0/96")):
        return network.prefixlen - 96 < LARGE_PREFIXES[4] and holds_public_addresses(network)
    return network.prefixlen < LARGE_PREFIXES[network.version] and holds_public_addresses(network)


def _joined(networks: Iterable[Network]) -> str:
    return ", ".join(map(str, networks))


@register(Tags.security, deploy=True)
def check_shortest_sync(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse syncs at gaps under five minutes: AWS throttles the listings, and each sync reads a whole account."""
    seconds = settings.FEDHUB_SHORTEST_SYNC_SECONDS
    if seconds >= SHORTEST_SYNC_SECONDS:
        return []
    return [
        Error(
            f"FEDHUB_SHORTEST_SYNC_SECONDS is {seconds}, which is for tests.",
            hint=f"Remove it, or set it to {SHORTEST_SYNC_SECONDS} or more.",
            id="fedhub.E007",
        )
    ]
