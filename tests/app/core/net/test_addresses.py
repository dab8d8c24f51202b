"""The addresses to which the guarded client connects: the test resolves the names, and the servers are real."""

from __future__ import annotations

import time
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import pytest

from core.net.client import Address, Blocked, Resolve, TransportError, is_permitted_url, send
from tests.app.core.net.loopback import LOOPBACK, serve

PRIVATE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "168.63.129.16", "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1",
    "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
    "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1",
    "2001:0:7f00:1::", "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::", "3fff::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "4000::1",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "172.15.255.255", "172.32.0.1", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::808:808"]

# URLs that never reach a resolver: other spellings of an address, and names that are local by definition.
REFUSED_URLS = [
    "https://localhost/", "https://localhost./", "https://LOCALHOST/", "https://a.localhost/", "https://a.b.localhost./",
    "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://0177.0.0.1/", "https://017700000001/",
    "https://127.1/", "https://127.0.1/", "https://0/", "https://127.0.0.1./", "https://127.0.0.01/", "https://1.1/",
    "https://metadata.google.internal/", "https://metadata/", "https://hub.local/", "https://hub.internal/",
    "https://user@hub.example/", "https://user:password@hub.example/", "https://hub.example@127.0.0.1/",
    "https://h\u00fcb.example/", "https://\uff11\uff12\uff17.0.0.1/", "https://\u2460\u2461\u2466.0.0.1/",
    "https://hub.example\\@127.0.0.1/", "https://hub.example:0/", "https://hub.example:65536/",
    "https://hub.example:/x y", "https://[::1%25lo]/", "https://[::ffff:127.0.0.1]/", "https:///", "https://",
    "//hub.example/", "hub.example", "file:///etc/passwd", "gopher://hub.example/", "ftp://hub.example/", "data:,x",
    "javascript:alert(1)", "",
    "https://hub.example/\r\nX: 1", "https://hub.example/%zz", "http://hub.example/", "http://8.8.8.8/",
    *(f"https://[{address}]/" if ":" in address else f"https://{address}/" for address in PRIVATE),
]  # fmt: skip


class Resolver:
    """A resolver that returns one list of addresses after another, the last for each further call; it counts calls."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = answers
        self.calls = 0

    def __call__(self, host: str, port: int) -> Sequence[Address]:
        answer = self.answers[min(self.calls, len(self.answers) - 1)]
        self.calls += 1
        return [ip_address(address) for address in answer]


def never(host: str, port: int) -> Sequence[Address]:
    raise AssertionError(f"{host} was looked up")


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_a_url_that_leads_inside_is_blocked_before_any_look_up(url: str) -> None:
    assert not is_permitted_url(url)
    with pytest.raises(Blocked) as caught:
        send("GET", url, resolve=never)
    assert caught.value.permanent


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_resolves_to_an_address_inside_is_blocked(address: str) -> None:
    for found in ([address], [address, "8.8.8.8"], ["8.8.8.8", "2606:4700:4700::1111", address]):
        with pytest.raises(Blocked, match="not a public address"):
            send("GET", "https://hub.example/", resolve=Resolver(found))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_permitted(address: str) -> None:
    assert is_permitted_url(f"https://[{address}]/" if ":" in address else f"https://{address}/")
    assert is_permitted_url("https://hub.example/")


def test_a_name_that_answers_another_address_the_second_time_is_not_asked_twice() -> None:
    """The first answer is checked and used; a connection to the second one would miss the server."""
    only = [ip_network("127.0.0.1/32")]
    resolver = Resolver(["127.0.0.1"], ["127.0.0.2"])
    with serve(address="127.0.0.1") as server:
        url = server.url(host="rebinding.example")
        assert send("GET", url, allowed_networks=only, resolve=resolver).status == 200
        assert resolver.calls == 1
        assert len(server.requests) == 1
        with pytest.raises(Blocked):
            send("GET", url, allowed_networks=only, resolve=resolver)
        assert resolver.calls == 2
        assert len(server.requests) == 1


def test_an_allowed_network_is_reached_by_address_and_by_name_and_nothing_beside_it() -> None:
    with serve() as server:
        assert send("GET", server.url(), allowed_networks=LOOPBACK).status == 200
        assert send("GET", server.url(host="localhost"), allowed_networks=LOOPBACK).status == 200
        with pytest.raises(Blocked):
            send("GET", "http://10.0.0.1/", allowed_networks=LOOPBACK)
        with pytest.raises(Blocked):
            send("GET", "http://hub.example/", allowed_networks=LOOPBACK, resolve=Resolver(["8.8.8.8"]))
        with pytest.raises(Blocked):
            send("GET", "https://localhost/", allowed_networks=LOOPBACK, resolve=Resolver(["8.8.8.8"]))
    assert len(server.requests) == 2


def test_of_several_addresses_only_those_in_allowed_networks_are_tried() -> None:
    with serve() as server:
        resolver = Resolver(["::1", "10.0.0.1", "127.0.0.1"])
        assert send("GET", server.url(host="hub.example"), allowed_networks=LOOPBACK, resolve=resolver).status == 200


def test_an_address_that_refuses_leaves_the_next_one_to_try() -> None:
    with serve(address="127.0.0.3") as server:
        resolver = Resolver(["127.0.0.2", "127.0.0.3"])
        assert send("GET", server.url(host="hub.example"), allowed_networks=LOOPBACK, resolve=resolver).status == 200


def test_plain_http_needs_leave_or_an_allowed_network() -> None:
    assert not is_permitted_url("http://hub.example/")
    assert is_permitted_url("http://hub.example/", allow_http=True)
    assert is_permitted_url("http://hub.example/", allowed_networks=LOOPBACK)
    assert not is_permitted_url("http://10.0.0.1/", allow_http=True)
    with pytest.raises(Blocked):
        send("GET", "http://hub.example/", allow_http=True, resolve=Resolver(["10.0.0.1"]))


def no_name(host: str, port: int) -> Sequence[Address]:
    raise OSError("Name or service not known")


def slow_resolver(host: str, port: int) -> Sequence[Address]:
    time.sleep(2)
    return [ip_address("127.0.0.1")]


@pytest.mark.parametrize("resolve", [no_name, slow_resolver, Resolver([])])
def test_a_name_that_does_not_resolve_is_an_error_that_another_try_may_mend(resolve: Resolve) -> None:
    started = time.monotonic()
    with pytest.raises(TransportError) as caught:
        send("GET", "https://hub.example/", resolve=resolve, timeout_seconds=0.3)
    assert not caught.value.permanent
    assert not isinstance(caught.value, Blocked)
    assert time.monotonic() - started < 1.5


def test_the_systems_resolver_finds_a_name() -> None:
    from core.net.client import resolve_name

    assert ip_address("127.0.0.1") in resolve_name("localhost", 80)
