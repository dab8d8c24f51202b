"""The hub's own key: made once, private, read again after it is replaced."""

from __future__ import annotations

import io
import os
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import call_command

from core.actors import Actor
from core.errors import ConflictError
from peers.protocol import HubIdentity, InvalidKey, ServerIdentity, VerificationKey
from peers.protocol.did_document import read_did_document
from peers.protocol.errors import InvalidIdentifier
from peers.protocol.key_continuity import is_continued
from peers.services.trust.identity import KEY_OVERLAP, beside_key, choose_identity, did_document, hub_identity, hub_url
from peers.services.trust.rotation import announce_key, switch_key

STAFF = Actor(id="1", name="staff")


@pytest.fixture
def key_path(settings: LazySettings, tmp_path: Path) -> Iterator[Path]:
    settings.FEDHUB_KEY_PATH = tmp_path / "keys" / "hub_key"
    yield tmp_path / "keys" / "hub_key"
    choose_identity(None)


def test_the_key_is_made_on_first_use_private_and_kept(key_path: Path) -> None:
    first = hub_identity()
    assert key_path.stat().st_size == 32
    assert stat.S_IMODE(key_path.stat().st_mode) == 0o600
    assert [path.name for path in key_path.parent.iterdir()] == ["hub_key"]
    assert hub_identity() is first
    assert repr(key_path.read_bytes()) not in repr(first)


def test_all_processes_that_start_at_once_get_one_key(key_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = list(pool.map(lambda _: hub_identity().public_key_b64, range(64)))
    assert len(set(keys)) == 1


def test_a_key_that_was_replaced_is_read_again(key_path: Path) -> None:
    before = hub_identity().public_key_b64
    ServerIdentity.generate(hub_url()).save_key(key_path, overwrite=True)
    assert hub_identity().public_key_b64 != before


def test_the_did_follows_from_the_url(key_path: Path, settings: LazySettings) -> None:
    settings.FEDHUB_SERVER_URL = "HTTPS://Hub.Example.com:443/"
    assert hub_url() == "https://hub.example.com"
    assert hub_identity().did == "did:web:hub.example.com"
    settings.FEDHUB_SERVER_URL = "http://localhost:8001"
    assert hub_identity().did == "did:web:localhost%3A8001"


@pytest.mark.parametrize("content", [b"", b"short", b"-----BEGIN PRIVATE KEY-----\n", b"a" * 64, b"a" * 33])
def test_a_file_that_is_not_a_key_is_refused_and_not_changed(key_path: Path, content: bytes) -> None:
    key_path.parent.mkdir()
    key_path.write_bytes(content)
    with pytest.raises(InvalidKey):
        hub_identity()
    assert key_path.read_bytes() == content


def test_a_process_may_sign_as_an_identity_of_the_same_server_and_no_other(key_path: Path) -> None:
    own = ServerIdentity.generate(hub_url())
    choose_identity(own)
    assert hub_identity() is own
    assert not key_path.exists()
    with pytest.raises(InvalidIdentifier):
        choose_identity(ServerIdentity.generate("https://other.example.com"))
    with pytest.raises(InvalidIdentifier):
        choose_identity(HubIdentity(hub_url(), did="did:web:other.example.com", private_key_bytes=b"1" * 32))
    with pytest.raises(InvalidKey):
        choose_identity(HubIdentity(hub_url()))
    assert hub_identity() is own


def test_the_next_key_is_announced_before_it_signs_and_the_old_one_stays_for_a_while(key_path: Path, db: None) -> None:
    def documents() -> tuple[list[str], list[VerificationKey]]:
        """Return the published keys, and those that are continuous for a peer which trusts `trusted`."""
        document = did_document()
        keys = read_did_document(document, hub_identity().did)
        continuous = [key for key in keys if is_continued(document, hub_identity().did, key, trusted)]
        return [key.base64 for key in keys], continuous

    old = hub_identity()
    trusted = old.verification_keys
    assert documents() == ([old.public_key_b64], [])

    new = announce_key(by=STAFF)
    assert stat.S_IMODE(beside_key("next").stat().st_mode) == 0o600
    assert hub_identity().public_key_b64 == old.public_key_b64
    assert documents() == ([old.public_key_b64, new.base64], [new])
    with pytest.raises(ConflictError):
        announce_key(by=STAFF)

    assert switch_key(by=STAFF) == new
    assert sorted(path.name for path in key_path.parent.iterdir()) == ["hub_key", "hub_key.previous"]
    assert stat.S_IMODE(beside_key("previous").stat().st_mode) == 0o600
    assert hub_identity().public_key_b64 == new.base64
    assert hub_identity().verify(b"text", old.sign(b"text"))
    assert documents() == ([new.base64, old.public_key_b64], [new])
    with pytest.raises(ConflictError):
        switch_key(by=STAFF)

    long_ago = time.time() - KEY_OVERLAP.total_seconds() - 1
    os.utime(key_path, (long_ago, long_ago))
    assert documents() == ([new.base64], [])
    assert not hub_identity().verify(b"text", old.sign(b"text"))


def test_a_running_process_follows_a_key_that_another_one_changed(key_path: Path, db: None) -> None:
    before = hub_identity().public_key_b64
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: hub_identity().public_key_b64).result() == before
        call_command("peer", "rotate-key", stdout=io.StringIO())
        call_command("peer", "rotate-key", "--switch", stdout=io.StringIO())
        assert pool.submit(lambda: hub_identity().public_key_b64).result() == hub_identity().public_key_b64 != before
