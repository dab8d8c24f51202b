"""The URL that is signed is the URL that the guarded client requests, whatever its spelling."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from core.net.client import send
from peers.protocol import MessageSignature
from tests.app.core.net.loopback import LOOPBACK, Loopback, serve
from tests.pure.protocol.strategies import some
from tests.pure.protocol.test_http_signatures_interoperability import BODY, Message, verify_theirs
from tests.pure.protocol.vectors import partner

LOCALHOST = ip_address("127.0.0.1")


def cased(text: str) -> SearchStrategy[str]:
    """Return spellings of `text` with letters in both cases."""
    return st.lists(st.booleans(), min_size=len(text), max_size=len(text)).map(
        lambda uppers: "".join(c.upper() if upper else c for c, upper in zip(text, uppers, strict=True))
    )


_pieces = st.text("abzAZ09-._~!$&'()*+,;=:@/", max_size=8) | st.sampled_from(
    ["%7e", "%7E", "%2F", "%c3%bc", "/./", "/../"]
)
_path = st.just("") | st.lists(_pieces, max_size=3).map(lambda pieces: "/" + "".join(pieces))
_rest = st.none() | st.lists(_pieces | st.sampled_from(["?", "a=1&b=%20"]), max_size=3).map("".join)


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    """A server that keeps the requests of the guarded client, one for all examples."""
    with serve() as running:
        yield running


def verify_the_request_of(url: str, server: Loopback) -> str:
    """Sign `url`, request it, verify the request by their package at the URL that came, and return that URL."""
    headers = MessageSignature.create(partner, "POST", url, body=BODY).request_headers()
    send("POST", url, body=BODY, headers=headers, allowed_networks=LOOPBACK, resolve=lambda host, port: [LOCALHOST])
    head = server.requests[-1].partition(b"\r\n\r\n")[0].decode("ascii").split("\r\n")
    came = dict(line.split(": ", 1) for line in head[1:])
    requested = f"http://{came['Host']}{head[0].split(' ')[1]}"
    (result,) = verify_theirs(Message("POST", requested, came), partner)
    assert result.covered_components['"@target-uri"'] == requested
    return requested


@some
@given(
    scheme=cased("http"),
    host=cased("hub.example.com") | st.just("127.0.0.1"),
    dot=st.sampled_from(["", "."]),
    path=_path,
    query=_rest,
    fragment=_rest,
)
def test_what_is_signed_is_the_url_that_is_requested(
    server: Loopback, scheme: str, host: str, dot: str, path: str, query: str | None, fragment: str | None
) -> None:
    rest = path + ("" if query is None else f"?{query}") + ("" if fragment is None else f"#{fragment}")
    requested = verify_the_request_of(f"{scheme}://{host}{dot}:{server.port}{rest}", server)
    assert requested.startswith(f"http://{host.lower()}:{server.port}/")
