"""Each key of the hub is replaced with a time in which the old and the new one are valid."""

from __future__ import annotations

import io
import os
import stat
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from core.oidc.rotation import KEY_OVERLAP
from core.oidc.signing_key import load_or_create
from core.people import ciphers
from core.people.models import SecondFactor
from peers.models import JournalEntry, Peer
from peers.services.trust.peers import add_peer, outbound_key_of, set_outbound_key
from peers.services.trust.secrets import is_of_first_key
from tests.app.federations.admin.cloud import STAFF
from tests.conftest import MakeUser


def rotate(*arguments: str) -> list[str]:
    out = io.StringIO()
    call_command("rotate_key", *arguments, stdout=out)
    return out.getvalue().splitlines()


@pytest.fixture
def oidc_key(settings: Settings, tmp_path: Path) -> Path:
    settings.FEDHUB_OIDC_KEY_PATH = tmp_path / "keys" / "oidc.pem"
    return Path(settings.FEDHUB_OIDC_KEY_PATH)


def verifies(token: str) -> bool:
    """Tell whether a runtime that reads the published keys now accepts the token."""
    keys = jwt.PyJWKSet.from_dict(Client().get("/.well-known/jwks.json").json())
    kid = jwt.get_unverified_header(token)["kid"]
    found = [key for key in keys.keys if key.key_id == kid]
    return bool(found) and jwt.decode(token, found[0], algorithms=["RS256"]) == {"sub": "x"}


def signed(path: Path) -> str:
    key = load_or_create(path)
    return jwt.encode({"sub": "x"}, key.private_key, algorithm="RS256", headers={"kid": key.kid})


def test_the_next_oidc_key_is_published_before_it_signs_and_the_old_one_for_a_day(oidc_key: Path) -> None:
    old = signed(oidc_key)
    assert verifies(old)
    told = rotate("oidc")
    following = load_or_create(oidc_key.with_name("oidc.pem.next")).kid
    assert told[0] == f"Published: {following}."
    assert load_or_create(oidc_key).kid != following
    assert len(Client().get("/.well-known/jwks.json").json()["keys"]) == 2
    with pytest.raises(CommandError, match="announced already"):
        rotate("oidc")

    assert rotate("oidc", "--switch")[0] == f"Tokens for runtimes are signed with {following}."
    assert load_or_create(oidc_key).kid == following
    assert verifies(old) and verifies(signed(oidc_key))
    assert {stat.S_IMODE(path.stat().st_mode) for path in oidc_key.parent.iterdir()} == {0o600}
    with pytest.raises(CommandError, match="No key is announced"):
        rotate("oidc", "--switch")

    long_ago = time.time() - KEY_OVERLAP.total_seconds() - 1
    os.utime(oidc_key, (long_ago, long_ago))
    assert not verifies(old)
    assert verifies(signed(oidc_key))


@pytest.mark.django_db
def test_the_identity_is_rotated_by_the_same_command(settings: Settings, tmp_path: Path) -> None:
    settings.FEDHUB_KEY_PATH = tmp_path / "hub_key"
    announced = rotate("identity")[0].removeprefix("Announced: ")
    assert rotate("identity", "--switch")[0] == f"This hub signs for peers with {announced}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hub_key", "hub_key.previous"]


@pytest.mark.django_db
def test_stored_secrets_move_to_the_first_key(settings: Settings, make_user: MakeUser) -> None:
    settings.FEDHUB_SECRETS_KEY = "old"
    app = SecondFactor.objects.create(user=make_user("ada"), kind="app", name="Phone", secret=ciphers.encrypt("JBSW"))
    peers = [add_peer(f"https://p{number}.example", by=STAFF) for number in range(3)]
    for peer in peers[:2]:
        set_outbound_key(peer, "k-1 of p".replace(" ", "-"), by=STAFF)
    settings.FEDHUB_SECRETS_KEY = "new,old"
    assert outbound_key_of(peers[0]) == "k-1-of-p"

    assert rotate("secrets")[0] == "3 encrypted again, 0 had the first key already."
    assert rotate("secrets")[0] == "0 encrypted again, 3 had the first key already."
    assert JournalEntry.objects.filter(text="Outbound key encrypted again").count() == 2
    settings.FEDHUB_SECRETS_KEY = "new"
    stored = Peer.objects.exclude(outbound_key="")
    assert [outbound_key_of(peer) for peer in stored] == ["k-1-of-p"] * 2
    assert all(is_of_first_key(peer.outbound_key) for peer in stored)
    app.refresh_from_db()
    assert ciphers.decrypt(app.secret) == "JBSW"

    settings.FEDHUB_SECRETS_KEY = "another"
    with pytest.raises(CommandError, match=r"https://p1\.example, the app of ada:"):
        rotate("secrets")
    with pytest.raises(CommandError, match="one step"):
        rotate("secrets", "--switch")


@pytest.mark.django_db
def test_sessions_outlive_a_new_secret_key_while_the_old_one_is_a_fallback(
    settings: Settings, client: Client, make_user: MakeUser
) -> None:
    client.force_login(make_user("ada", is_staff=True))
    old, new = settings.SECRET_KEY, "n" * 60

    def status(**values: Any) -> int:
        for name, value in values.items():
            setattr(settings, name, value)
        return client.get("/admin/").status_code

    assert status() == 200
    assert status(SECRET_KEY=new, SECRET_KEY_FALLBACKS=[old]) == 200
    assert status(SECRET_KEY_FALLBACKS=[]) == 200, "the session was signed anew"
    client.force_login(make_user("bob", is_staff=True))
    assert status(SECRET_KEY="m" * 60) == 302
