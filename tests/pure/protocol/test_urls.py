"""URLs of servers: their canonical form, and those that must not be requested."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.net.addresses import embedded_ipv4
from core.net.url_grammar import split_url
from peers.protocol import (
    InvalidIdentifier,
    is_public_address,
    is_same_origin,
    is_same_server,
    normalize_server_url,
    validate_ssrf,
)
from tests.pure.protocol.strategies import many, some
from tests.pure.protocol.vectors import load

TABLE = load("urls.json")
ALLOWED, BLOCKED, MALFORMED = TABLE["allowed"], TABLE["blocked"], TABLE["malformed"]
assert isinstance(ALLOWED, list) and isinstance(BLOCKED, dict) and isinstance(MALFORMED, list)
BLOCKED_URLS = [(kind, url) for kind, urls in BLOCKED.items() if isinstance(urls, list) for url in urls]
SPELLINGS = [
    ("https://hub.example.com", "https://hub.example.com"),
    ("https://hub.example.com/", "https://hub.example.com"),
    ("HTTPS://HUB.example.COM", "https://hub.example.com"),
    ("https://hub.example.com.", "https://hub.example.com"),
    ("https://hub.example.com:443/", "https://hub.example.com"),
    ("http://hub.example.com:80", "http://hub.example.com"),
    ("http://hub.example.com:443", "http://hub.example.com:443"),
    ("https://hub.example.com:08443", "https://hub.example.com:8443"),
    ("https://hub.example.com/a/B/", "https://hub.example.com/a/B"),
    ("https://[2606:4700:0::1111]:443/x", "https://[2606:4700::1111]/x"),
    ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
]
NOT_SERVERS = [
    "https://hub.example.com?x=1", "https://hub.example.com/?", "https://hub.example.com/#x", "https://hub.example.com/a/../b",
    "https://hub.example.com/./a", "https://hub.example.com//a", "https://hub.example.com/%2e%2E/a",
]  # fmt: skip


@pytest.mark.parametrize(("url", "normal"), SPELLINGS)
def test_a_server_has_one_spelling(url: str, normal: str) -> None:
    assert normalize_server_url(url) == normal
    assert normalize_server_url(normal) == normal
    assert is_same_server(url, normal)


@pytest.mark.parametrize("url", MALFORMED)
def test_what_readers_repair_differently_is_no_url(url: str) -> None:
    with pytest.raises(InvalidIdentifier):
        split_url(url)
    assert not is_same_server(url, url)
    assert not is_same_origin(url, url)
    assert not validate_ssrf(url)


@pytest.mark.parametrize("url", NOT_SERVERS)
def test_a_server_url_has_no_query_fragment_or_odd_segment(url: str) -> None:
    with pytest.raises(InvalidIdentifier):
        normalize_server_url(url)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("https://a.example/x", "https://A.example:443/y?z", True),
        ("https://a.example", "http://a.example", False),
        ("https://a.example", "https://a.example:8443", False),
        ("https://a.example", "https://b.example", False),
        ("http://[::1]:80", "http://[0::1]", True),
    ],
)
def test_an_origin_is_scheme_host_and_port(first: str, second: str, same: bool) -> None:
    assert is_same_origin(first, second) is same


@pytest.mark.parametrize("url", ALLOWED)
def test_public_names_and_addresses_may_be_requested(url: str) -> None:
    assert validate_ssrf(url)


@pytest.mark.parametrize(("kind", "url"), [*BLOCKED_URLS, ("NUL", "\0")])
def test_local_names_and_addresses_in_any_spelling_may_not(kind: str, url: str) -> None:
    assert not validate_ssrf(url)


@pytest.mark.parametrize("value", [None, 1, [], {}, b"https://partner.example.com"])
def test_what_is_no_text_may_not_be_requested(value: object) -> None:
    assert not validate_ssrf(value)


def test_the_table_has_more_than_sixty_rows() -> None:
    assert len({url for _, url in BLOCKED_URLS}) > 100


@some
@given(st.integers(0, 255), st.integers(0, 255))
def test_of_172_only_the_private_twelfth_is_refused(second: int, third: int) -> None:
    assert validate_ssrf(f"https://172.{second}.{third}.1") is not (16 <= second <= 31)


@many
@given(st.ip_addresses(v=4))
def test_what_python_calls_private_is_never_public(address: object) -> None:
    parsed = ip_address(str(address))
    if not parsed.is_global or parsed.is_multicast or parsed.is_reserved:
        assert not is_public_address(parsed)


@many
@given(st.ip_addresses(v=6))
def test_ipv6_outside_global_unicast_is_public_only_by_the_ipv4_address_inside(address: object) -> None:
    parsed = ip_address(str(address))
    assert parsed.version == 6
    inside = embedded_ipv4(parsed)
    if inside is not None:
        assert is_public_address(parsed) <= is_public_address(inside)
    elif int(parsed) >> 125 != 1 or not parsed.is_global:
        assert not is_public_address(parsed)


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("64:ff9b::10.0.0.1", "10.0.0.1"),
        ("2002:a9fe:a9fe::1", "169.254.169.254"),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "192.0.2.45"),
    ],
)
def test_transitional_addresses_are_unwrapped(address: str, inside: str) -> None:
    parsed = ip_address(address)
    assert parsed.version == 6
    assert embedded_ipv4(parsed) == ip_address(inside)


def test_an_address_with_a_scope_is_not_public() -> None:
    assert not is_public_address(ip_address("2606:4700::1111%eth0"))


@many
@given(st.text(max_size=60) | st.text(max_size=40).map("http://".__add__))
def test_any_text_is_true_false_or_refused_and_nothing_else(text: str) -> None:
    assert validate_ssrf(text) in (True, False)
    try:
        assert normalize_server_url(normalize_server_url(text)) == normalize_server_url(text)
    except InvalidIdentifier:
        assert not is_same_server(text, text)
