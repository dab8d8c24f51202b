"""A registry that lies: a list that is not complete fails the discovery, and a false entry harms no other server."""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from io import BufferedIOBase
from ipaddress import ip_network
from typing import Any

import pytest
from pytest_django import Settings

from core.actors import Actor
from federations.models import Federation, McpServer
from federations.providers.base import DiscoveryRequest, ProviderError
from federations.providers.mcp_registry.listing import Limits, RegistryDoor
from federations.providers.mcp_registry.provider import McpRegistryProvider
from federations.providers.mcp_registry.reading import read_server
from federations.services.federations import create_federation
from federations.services.run import run_sync
from federations.services.start import start_sync
from federations.sync.registry_server import OWN_META, read_entry
from federations.sync.resources import EnrichedMcpServer
from tests.registry_server import JSON, entry, small_registry

ME = Actor("999", "tests")
LOOPBACK = [ip_network("127.0.0.0/8")]
LIMITS = Limits(answer_bytes=20_000, total_bytes=50_000, pages=8, servers=50, request_seconds=0.5, wait_seconds=2.0)
PROVIDER = McpRegistryProvider(LOOPBACK, "example.here", 4, LIMITS)
HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n"


def page(*entries: Any, following: Any = None) -> dict[str, Any]:
    return {"servers": list(entries), "metadata": {} if following is None else {"nextCursor": following}}


def text(body: str | bytes, *, status: int = 200, media_type: str = JSON, **headers: str) -> tuple[Any, ...]:
    content = body.encode() if isinstance(body, str) else body
    return status, media_type, content, {name.replace("_", "-"): value for name, value in headers.items()}


def drip(file: BufferedIOBase) -> None:
    """Write a body that never ends, slowly."""
    file.write(HEAD + b'\r\n{"servers": [')
    for _ in range(40):
        file.write(b" ")
        file.flush()
        time.sleep(0.05)


def flood(file: BufferedIOBase) -> None:
    """Write headers that never end, at most 2 MB of them."""
    file.write(HEAD)
    for number in range(20_000):
        file.write(b"X-%d: " % number + b"x" * 100 + b"\r\n")


def cut(file: BufferedIOBase) -> None:
    """Write half of the body that the header promises."""
    file.write(HEAD + b'Content-Length: 1000\r\n\r\n{"servers": []')


def full(following: Any = None) -> dict[str, Any]:
    return page(entry("a.b/c"), {"padding": "x" * 15_000}, following=following)


LISTS: dict[str, tuple[list[Any], str]] = {
    "HTML": ([text("<html>Sign in</html>", media_type="text/html")], "its answer is not JSON but text/html"),
    "HTML that says it is JSON": ([text("<html>Sign in</html>")], "its answer is not JSON but application/json"),
    "no content": ([text("", status=204)], "its answer is not JSON"),
    "a refusal": ([text("{}", status=401)], "it answers 401"),
    "not there": ([text("no", status=404)], "it answers 404"),
    "an error": ([text("later", status=500)], "it answers 500"),
    "an error on the second page": ([page(entry("a.b/c"), following="1"), text("", status=500)], "it answers 500"),
    "brackets": ([text("[" * 9000)], "its answer is not JSON"),
    "an array": ([text("[]")], "its answer is not a JSON object"),
    "no list": ([{"servers": {}}], "its answer has no list of servers"),
    "a list that is nested": (
        [text('{"servers":' + '{"servers":' * 1500 + "1" + "}" * 1501)],
        "has no list of servers",
    ),
    "a body past the bound": ([text("x" * 30_000)], "the answer is larger than 20000 bytes"),
    "a list past the bound": ([full("1"), full("2"), full("3"), full()], "larger than 50000 bytes"),
    "a body without an end": ([drip], "no complete answer within 0.5 seconds"),
    "headers without an end": ([flood], "no answer"),
    "half a body": ([cut], "no answer"),
    "a compressed body": ([text(gzip.compress(b"[" * 1_000_000), Content_Encoding="gzip")], "its answer is not JSON"),
    "a cursor again": ([page(entry("a.b/c"), following="0")], "a cursor came again"),
    "new cursors without an end": ([page(following=str(number)) for number in range(1, 10)], "more than 8 pages"),
    "a cursor as long as a page": ([page(following="1" * 5000)], "its cursor is no short text"),
    "a cursor that is no text": ([page(following={"page": 1})], "its cursor is no short text"),
    "too many servers": ([page(*(entry(f"a.b/{n}") for n in range(51)))], "it has more than 50 servers"),
    "a redirect": ([text("", status=302, Location="http://127.0.0.1:9/v0.1/servers")], "it answers 302"),
    "a pause of an hour": ([text("", status=429, Retry_After="3600")], "it answers 429"),
    "pauses without an end": ([text("", status=503, Retry_After="1")], "it answers 503"),
}


@pytest.mark.parametrize("lie", LISTS)
def test_a_list_that_is_not_complete_fails_the_discovery(lie: str) -> None:
    pages, says = LISTS[lie]
    began = time.monotonic()
    with small_registry(*pages) as found, pytest.raises(ProviderError, match=says) as raised:
        PROVIDER.discover(DiscoveryRequest({"url": found.url}))
    assert len(str(raised.value)) <= 500
    assert time.monotonic() - began < 10


def test_a_pause_that_the_registry_asks_for_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    with small_registry(text("", status=429, Retry_After="2")) as found:

        def recover(seconds: float) -> None:
            slept.append(seconds)
            found.pages = [page(entry("a.b/c"))]

        monkeypatch.setattr(time, "sleep", recover)
        listed = PROVIDER.list_runtimes(DiscoveryRequest({"url": found.url}))
        found.pages = [text("", status=429, Retry_After="2")]
        # A person who waits for a test of the connection gets the refusal at once.
        with pytest.raises(ProviderError, match="it answers 429"):
            PROVIDER.probe(DiscoveryRequest({"url": found.url}), seconds=5)
        # Nor does a sync wait whose time for the list is over, however many servers it still reads.
        door = RegistryDoor(found.url, allowed_networks=LOOPBACK, limits=replace(LIMITS, seconds=0.0))
        assert door.get("servers").status == 429
    assert ([one.runtime_id for one in listed], slept) == (["a.b/c"], [2.0])


Change = Callable[[dict[str, Any]], None]


def of_server(**members: Any) -> Change:
    return lambda each: each["server"].update(members)


def of_meta(key: str, **members: Any) -> Change:
    return lambda each: each["_meta"].setdefault(key, {}).update(members)


OFFICIAL = "io.modelcontextprotocol.registry/official"
NESTED: Any = json.loads("[" * 150 + "]" * 150)
# Each change of the entry `a.b/liar`, and the beginning of the one error that the sync tells, if it tells one.
ENTRIES: dict[str, tuple[Change, str]] = {
    "a description of 10 MB": (of_server(description="x" * 7_000_000), ""),
    "a title of 10 MB": (of_server(title="x" * 7_000_000), ""),
    "a description that is no text": (of_server(description=["x"] * 1000), ""),
    "NUL and half a surrogate": (of_server(description="a\x00\ud800b", title="\ud800\x00", version="\x001"), ""),
    "control characters": (of_server(version="1\n\x1b[31m2", title="a\nb\x07"), ""),
    "a version of 300 characters": (of_server(version="1" * 300), "names no version"),
    "a version that is no text": (of_server(version={"n": 1}), "names no version"),
    "a time before all times": (of_meta(OFFICIAL, updatedAt="0001-01-01T00:00:00+14:00"), ""),
    "a time after all times": (of_meta(OFFICIAL, updatedAt="9999-12-31T23:59:59-14:00"), ""),
    "a time that is no text": (of_meta(OFFICIAL, updatedAt=[1], publishedAt=1e400), ""),
    "a status that nobody knows": (of_meta(OFFICIAL, status="burning"), ""),
    "no list of addresses": (of_server(remotes={"type": "streamable-http"}), ""),
    "many addresses": (of_server(remotes=[{"type": "streamable-http", "url": "x"}] * 100_000), ""),
    "an address of 1 MB": (of_server(remotes=[{"type": "streamable-http", "url": "https://a/" + "x" * 1_000_000}]), ""),
    "an address with a user": (of_server(remotes=[{"type": "streamable-http", "url": "https://u:p@a.example/"}]), ""),
    "facts that are nested": (of_meta(OWN_META, digest="0" * 64, content={"tools": NESTED}), "nested more than"),
    "facts without a content": (of_meta(OWN_META, digest="0" * 64), "does not say what the server offers"),
    "facts with another digest": (
        of_meta(OWN_META, digest="0" * 64, content={"tools": []}),
        "does not have the digest",
    ),
    "facts that are no object": (lambda each: each["_meta"].update({OWN_META: [1]}), ""),
    "no facts at all": (lambda each: each.pop("_meta"), ""),
    "a server that is no object": (lambda each: each.update(server=[]), "absent"),
    "a name that is none": (of_server(name="../../etc/passwd"), "absent"),
    "a name of 201 characters": (of_server(name="a.b/" + "x" * 197), "absent"),
    "the name of another server": (of_server(name="a.b/honest"), "absent"),
    "a name with the path of another server": (of_server(name="a/b_honest"), "is already used by runtime"),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("lie", ENTRIES)
def test_a_false_entry_is_bounded_and_harms_no_other_server(lie: str, settings: Settings) -> None:
    settings.FEDHUB_ALLOWED_NETWORKS = LOOPBACK
    change, says = ENTRIES[lie]
    liar = entry("a.b/liar")
    change(liar)
    with small_registry(page(entry("a.b/honest", title="Honest"), liar)) as found:
        found.whole = liar
        federation = create_federation(
            provider_type="mcp_registry", provider_config={"url": found.url}, provider_secret="", by=ME,
            display_name="Other", description=None, tags=[],
        )  # fmt: skip
        job = run_sync(start_sync(Federation.objects.get(pk=federation.pk), by=ME).id)
    is_failed = says not in ("", "absent")
    # Every server that could not be read is told by the job, which has stored the others.
    assert (job.status, is_failed) == ("failed" if is_failed else "success", is_failed), job.error
    rows = {row.server_name: row for row in McpServer.objects.all()}
    assert "a.b/honest" in rows
    told = " ".join((job.summary or {})["errorMessages"])
    assert (says in told) if is_failed else not told, told
    assert (len(rows) == 2) == (not says), list(rows)
    for row in rows.values():
        sizes = {field.attname: len(str(getattr(row, field.attname))) for field in row._meta.concrete_fields}
        assert max(sizes.values()) <= 12_000, sizes


PRIVATE = (
    "http://10.0.0.1/mcp", "https://10.0.0.1/mcp", "https://169.254.169.254/latest/meta-data", "https://localhost/mcp",
    "https://127.0.0.1:8000/mcp", "https://[::1]/mcp", "https://[::ffff:10.0.0.1]/mcp", "https://[fd00:ec2::254]/mcp",
    "https://[64:ff9b::a00:1]/mcp", "https://2130706433/mcp", "https://0x7f.1/mcp", "https://hub.internal/mcp",
    "https://metadata.google.internal/", "http://public.example/mcp",
)  # fmt: skip


@pytest.mark.parametrize("url", PRIVATE)
def test_a_public_registry_leads_to_no_private_address(url: str) -> None:
    door = RegistryDoor("https://registry.example", allowed_networks=LOOPBACK)
    finding = read_server(door, read_entry(entry("a.b/mcp", url=url)), "")
    assert isinstance(finding, EnrichedMcpServer)
    said = finding.catalog.warnings[0].message
    assert re.search(
        "is not a public address|a local name|plain http is not allowed|not an IP address in its plain", said
    ), said


def test_a_registry_on_loopback_is_not_reached_through_a_public_one_or_a_redirect() -> None:
    with small_registry() as inside, small_registry() as remote:
        remote.moved_to = f"{inside.url}/mcp"
        named = read_entry(entry("a.b/mcp", url=f"{inside.url}/mcp"))
        read_server(RegistryDoor("https://registry.example", allowed_networks=LOOPBACK), named, "")
        # The registry is on loopback itself, so its servers may be; but what they answer leads nowhere.
        door = RegistryDoor(remote.url, allowed_networks=LOOPBACK, is_internal=True)
        finding = read_server(door, read_entry(entry("a.b/mcp", url=f"{remote.url}/mcp")), "")
    assert isinstance(finding, EnrichedMcpServer) and "307" in finding.catalog.warnings[0].message
    assert remote.requests and inside.requests == []
