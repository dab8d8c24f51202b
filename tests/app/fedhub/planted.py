"""Secrets planted in every place where the hub takes one, and the search for them in what the hub writes or answers."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from oauth2_provider.models import get_application_model
from pytest_django import Settings

from core import environment
from core.oidc.rotation import announce_oidc_key, switch_oidc_key
from core.people import codes
from core.tokens.services import issue_token
from peers.models import Peer
from peers.services.trust.identity import hub_identity
from peers.services.trust.peer_tokens import issue_peer_token
from peers.services.trust.peers import outbound_key_of
from peers.services.trust.rotation import announce_key, switch_key
from tests.api.test_authorization_code import CALLBACK, QUESTION, VERIFIER
from tests.app.federations.admin.cloud import ROLE, STAFF
from tests.app.fedhub.test_rights_pages import program_form
from tests.app.fedhub.test_settings_documented import documented_variables
from tests.browser.rows import address

Planted = dict[str, bytes]
Found = dict[str, set[str]]
ADDRESSES = {"DATABASE_URL": "postgres", "MONGODB_URI": "mongodb", "CELERY_BROKER_URL": "redis"}


def new_secret(kind: str) -> str:
    """Return a secret in which no two bytes repeat a pattern, and which a search tells from all others."""
    return f"{kind}-{secrets.token_urlsafe(24)}"


def spellings(secret: bytes) -> Iterator[bytes]:
    """Yield the texts by which a secret would be recognized."""
    yield secret
    yield quote(secret, safe="").encode()
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for offset, first in enumerate((0, 2, 3)):
            # The characters at both ends mix the secret with its neighbors.
            yield encode(bytes(offset) + secret)[first : (offset + len(secret)) // 3 * 4]


class Search:
    """What was looked through, and which secrets were found there."""

    def __init__(self) -> None:
        self.planted: Planted = {}
        self.looked_at: list[tuple[str, bytes]] = []

    def plant(self, name: str, secret: str | bytes) -> str:
        octets = secret.encode() if isinstance(secret, str) else secret
        assert len(octets) >= 20, name
        self.planted[name] = octets
        return octets.decode("latin-1")

    def look_at(self, place: str, content: bytes | str) -> None:
        self.looked_at.append((place, content.encode() if isinstance(content, str) else content))

    def look_at_response(self, place: str, response: Any) -> None:
        body = b"".join(response.streaming_content) if response.streaming else response.content
        self.look_at(place, f"{dict(response.headers)} {response.cookies}".encode() + body)

    def found(self) -> Found:
        needles = {name: set(spellings(secret)) for name, secret in self.planted.items()}
        return {
            name: places
            for name, texts in needles.items()
            if (places := {place for place, content in self.looked_at if any(text in content for text in texts)})
        }


def plant_environment(search: Search, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every secret variable of the hub, and AWS's, a value, as the environment of the process would have it."""
    monkeypatch.setattr(environment, "_secrets", dict(environment._secrets))
    for name, is_secret in documented_variables().items():
        if is_secret:
            secret = search.plant(name, new_secret(name.lower()))
            value = f"{ADDRESSES[name]}://hub:{secret}@db.example/hub" if name in ADDRESSES else secret
            monkeypatch.setenv(name, value)
            environment.secret(name)
            if name in ADDRESSES:
                # Libraries read the variables of servers themselves, and would look for the server.
                monkeypatch.delenv(name)
            if name not in ("DATABASE_URL", "MONGODB_URI", "CELERY_BROKER_URL", "SECRET_KEY_FALLBACKS"):
                setattr(settings, name, value)
    settings.SECRET_KEY_FALLBACKS = [search.planted["SECRET_KEY_FALLBACKS"].decode()]
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, search.plant(name, new_secret(name.lower())))


def plant_keys(search: Search, settings: Settings, folder: Path) -> None:
    """Make the key files, and the ones before and after them."""
    settings.FEDHUB_KEY_PATH, settings.FEDHUB_OIDC_KEY_PATH = folder / "hub_key", folder / "oidc.pem"
    hub_identity()
    announce_oidc_key(settings.FEDHUB_OIDC_KEY_PATH)
    switch_oidc_key(settings.FEDHUB_OIDC_KEY_PATH)
    announce_oidc_key(settings.FEDHUB_OIDC_KEY_PATH)
    announce_key(by=STAFF)
    switch_key(by=STAFF)
    announce_key(by=STAFF)
    for path in folder.iterdir():
        content = path.read_bytes()
        # Of a PEM file a part that is private: the public numbers stand at its beginning.
        search.plant(f"file {path.name}", content if len(content) == 32 else content[-900:-200].replace(b"\n", b""))
    assert len([name for name in search.planted if name.startswith("file ")]) == 6


def plant_by_doors(search: Search, root: Client) -> None:
    """Give the hub a secret at every form, command and endpoint that takes or makes one."""
    password = search.plant("password of a new user", new_secret("Pass"))
    form = {"username": "grace", "password1": password, "password2": password, "usable_password": "true"}
    assert root.post(reverse("admin:auth_user_add"), form).status_code == 302
    search.plant("wrong password", wrong := new_secret("Wrong"))
    search.look_at_response("login", Client().post("/admin/login/", {"username": "grace", "password": wrong}))
    search.look_at_response("login", Client().post("/api/auth/login/", {"username": "grace", "password": wrong}))

    # The page that answers shows the secret once, so it is not looked at.
    answer = root.post(reverse("admin:oauth2_provider_application_add"), program_form(), follow=True)
    assert answer.status_code == 200
    secret = search.plant("client secret", answer.context["secret"])
    robot = get_application_model().objects.get(name="robot").client_id
    granted = Client().post(
        "/o/token", {"grant_type": "client_credentials", "client_id": robot, "client_secret": secret}
    )
    search.plant("token of a program", granted.json()["access_token"])
    search.plant("wrong client secret", wrong := new_secret("client"))
    basic = base64.b64encode(f"{robot}:{wrong}".encode()).decode()
    for extra in ({"client_id": robot, "client_secret": wrong}, {}):
        headers = {} if extra else {"Authorization": f"Basic {basic}"}
        refused = Client().post("/o/token", {"grant_type": "client_credentials", **extra}, headers=headers)
        assert refused.status_code == 401
        search.look_at_response("token endpoint", refused)
    search.plant("personal token", issue_token("operator", scopes=["federations-read"], days=1))

    peer = Peer.objects.get(server_url="https://partner.example.org")
    search.plant("peer token", issue_peer_token(peer, days=1, by=STAFF))
    key = search.plant("outbound key", new_secret("outbound"))
    sent = root.post(address(Peer, "outbound_key", peer), {"_form_submitted": "True", "key": key}, follow=True)
    peer.refresh_from_db()
    assert outbound_key_of(peer) == key
    search.look_at_response("outbound key", sent)
    plant_sign_in(search, root)
    plant_factors(search)

    # A federation needs no credentials: what somebody sends nevertheless is neither stored nor repeated.
    key = search.plant("credentials of a federation", new_secret("aws"))
    config = {"region": "us-east-1", "assumeRoleArn": ROLE, "secretAccessKey": key}
    federation = {"displayName": "x", "providerType": "aws_agentcore", "providerConfig": config}
    for body, status in ((federation, 201), (federation | {"providerConfig": config | {"region": [key]}}, 400)):
        answer = root.post("/api/v1/federations", body, "application/json")
        assert answer.status_code == status
        search.look_at_response("federation", answer)


def plant_factors(search: Search) -> None:
    """Give a person an authenticator app and recovery codes."""
    user = User.objects.get(username="grace")
    key = search.plant("key of an app", codes.new_key())
    search.plant("octets of the key", base64.b32decode(key))
    code = TOTP(base64.b32decode(key), codes.DIGITS, SHA1(), codes.STEP_SECONDS).generate(time.time()).decode()
    assert codes.add_app(user, key, name="Phone", code=code)
    # A code alone is too short to be told from chance; two of them in a row are not.
    recovery = codes.make_recovery_codes(user)
    assert len(recovery) == codes.RECOVERY_CODES
    search.plant("recovery codes", "".join(recovery[:2]))
    search.plant("plain recovery codes", "".join(recovery[:2]).replace("-", ""))


def plant_sign_in(search: Search, root: Client) -> None:
    """Let a person sign in to a program, and refresh its token."""
    model = get_application_model()
    model.objects.create(
        name="Desk", client_id="desk", client_type="public", authorization_grant_type="authorization-code",
        redirect_uris=CALLBACK, client_secret=search.plant("unused client secret", new_secret("client")),
    )  # fmt: skip
    allowed = root.post(f"/o/authorize?{urlencode(QUESTION)}", {"allow": "1"})
    code = search.plant("authorization code", parse_qs(urlsplit(allowed["Location"]).query)["code"][0])
    form = {"grant_type": "authorization_code", "client_id": "desk", "redirect_uri": CALLBACK, "code": code}
    tokens = Client().post("/o/token", form | {"code_verifier": VERIFIER}).json()
    form = {"grant_type": "refresh_token", "client_id": "desk"}
    renewed = Client().post("/o/token", form | {"refresh_token": tokens["refresh_token"]}).json()
    for age, found in (("first", tokens), ("second", renewed)):
        for kind in ("access_token", "refresh_token"):
            search.plant(f"{age} {kind}", found[kind])
    refused = Client().post("/o/token", form | {"refresh_token": tokens["refresh_token"]})
    search.look_at_response("token endpoint", refused)
