"""Signing in at providers: each forged or misdirected answer is refused, and a right one finds the right account."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.messages import get_messages
from django.test import Client
from joserfc.jwk import ECKey, OctKey
from pytest_django.fixtures import Settings

from core.people.models import SignInIdentity
from core.people.providers import sign_in_providers
from fedhub.debug import hide
from tests.app.core.people.conftest import Configure
from tests.app.core.people.provider import Provider, come_back, is_signed_in, sign_in, start

pytestmark = pytest.mark.django_db


def other_key(provider: Provider) -> None:
    provider.signing_key = ECKey.generate_key("P-256", {"kid": "1"})


def signs_with_the_client_secret(provider: Provider) -> None:
    provider.algorithm, provider.signing_key = "HS256", OctKey.import_key("s3cret-words-of-the-hub", {"kid": "1"})
    provider.metadata["id_token_signing_alg_values_supported"] = ["HS256", "ES256"]


def does_not_sign(provider: Provider) -> None:
    provider.algorithm = "none"
    provider.metadata["id_token_signing_alg_values_supported"] = ["none", "ES256"]


def leaves_out_the_token(provider: Provider) -> None:
    provider.leaves_out_id_token = True


def tells_of_another_subject(provider: Provider) -> None:
    provider.userinfo = {"sub": "eve-2", "preferred_username": "ada"}


FORGED_CLAIMS: dict[str, Callable[[Provider], dict[str, Any]]] = {
    "wrong nonce": lambda own: {"nonce": "another"},
    "no nonce": lambda own: {"nonce": None},
    "wrong issuer": lambda own: {"iss": "https://login.example.com"},
    "no issuer": lambda own: {"iss": None},
    "wrong audience": lambda own: {"aud": "another"},
    "wrong audience, right azp": lambda own: {"aud": ["another"], "azp": "hub"},
    "two audiences without azp": lambda own: {"aud": ["hub", "another"]},
    "wrong azp": lambda own: {"azp": "another"},
    "no audience": lambda own: {"aud": None},
    "expired": lambda own: {"exp": int(time.time()) - 120},
    "no expiry": lambda own: {"exp": None},
    "issued in the future": lambda own: {"iat": int(time.time()) + 900},
    "not valid yet": lambda own: {"nbf": int(time.time()) + 900},
    "no subject": lambda own: {"sub": None},
    "a number for a subject": lambda own: {"sub": 1},
    "the access token is another one": lambda own: {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
}
FORGERIES = (
    other_key,
    signs_with_the_client_secret,
    does_not_sign,
    leaves_out_the_token,
    tells_of_another_subject,
)


def test_a_right_answer_signs_the_linked_user_in(client: Client, provider: Provider, ada: User) -> None:
    provider.userinfo = {"sub": "ada-1"}
    asked = start(client, next="/admin/peers/peer/")
    answer = come_back(client, asked, provider.issue(asked), provider.issuer)

    assert answer["Location"] == "/admin/peers/peer/"
    assert is_signed_in(client)
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"].endswith("/admin/sign-in/with/one/callback/")
    assert SignInIdentity.objects.get().used_at is not None


@pytest.mark.parametrize("name", FORGED_CLAIMS)
def test_a_forged_claim_is_refused(client: Client, provider: Provider, ada: User, name: str) -> None:
    provider.userinfo = {"sub": "ada-1"}
    answer = sign_in(client, provider, **FORGED_CLAIMS[name](provider))
    assert_refused(client, answer)


@pytest.mark.parametrize("forge", FORGERIES)
def test_a_forged_token_is_refused(
    client: Client, provider: Provider, ada: User, forge: Callable[[Provider], None]
) -> None:
    provider.userinfo = {"sub": "ada-1"}
    forge(provider)
    assert_refused(client, sign_in(client, provider))


def test_a_state_of_another_browser_is_refused(client: Client, provider: Provider, ada: User) -> None:
    asked = start(Client())
    start(client)
    assert_refused(client, come_back(client, asked, provider.issue(asked), provider.issuer))
    assert "/token" not in provider.requests


def test_a_callback_works_once(client: Client, provider: Provider, ada: User) -> None:
    provider.userinfo = {"sub": "ada-1"}
    asked = start(client)
    code = provider.issue(asked)
    assert come_back(client, asked, code, provider.issuer)["Location"] == "/admin/"
    client.post("/admin/logout/")

    assert_refused(client, come_back(client, asked, code, provider.issuer))
    assert provider.requests.count("/token") == 1


def test_a_code_of_another_sign_in_is_refused(client: Client, provider: Provider, ada: User) -> None:
    """An attacker puts the own code into the callback of a victim: the PKCE verifier does not fit."""
    stolen = provider.issue(start(Client()))
    assert_refused(client, come_back(client, start(client), stolen, provider.issuer))


@dataclass(frozen=True)
class MixUp:
    """A sign-in that was begun at `begun`, whose callback has the path of `path` and names the issuer `named`."""

    begun: int
    path: int
    named: int | None


@pytest.mark.parametrize("mixed", [MixUp(0, 0, 1), MixUp(0, 1, 1), MixUp(0, 1, 0), MixUp(1, 0, 0), MixUp(0, 0, None)])
def test_mixed_up_providers_are_refused(
    client: Client, providers: tuple[Provider, Provider], ada: User, mixed: MixUp
) -> None:
    names = ("one", "two")
    asked = start(client, names[mixed.begun])
    named = "" if mixed.named is None else providers[mixed.named].issuer
    answer = come_back(client, asked, providers[mixed.begun].issue(asked), named, names[mixed.path])
    assert_refused(client, answer)
    assert not any("/token" in provider.requests for provider in providers)


def test_the_same_subject_at_another_provider_is_another_person(
    client: Client, providers: tuple[Provider, Provider], ada: User
) -> None:
    providers[1].userinfo = {"sub": "ada-1", "email": "ada@example.org", "preferred_username": "ada"}
    assert_refused(client, sign_in(client, providers[1], "two"), "is not known here")


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"preferred_username": "ada2", "email": "ADA@example.org"}, "e-mail address ADA@example.org exists already"),
        ({"preferred_username": "Ada", "email": "a@example.org"}, "user name Ada is taken"),
        ({"preferred_username": "a d a"}, "no user name"),
    ],
)
def test_a_second_subject_never_gets_an_existing_account(
    client: Client, provider: Provider, ada: User, configure: Configure, told: dict[str, str], reason: str
) -> None:
    configure(accounts_for=["*"])
    provider.userinfo = {"sub": "eve-2", **told}
    assert_refused(client, sign_in(client, provider, sub="eve-2"), reason)
    assert User.objects.count() == 1


def test_an_unknown_person_gets_no_account_without_a_rule(client: Client, provider: Provider) -> None:
    provider.userinfo = {"sub": "ada-1", "preferred_username": "ada"}
    assert_refused(client, sign_in(client, provider), "Ask an administrator of this hub to link it: its id is ada-1")
    assert not User.objects.exists()


def test_an_inactive_user_is_refused(client: Client, provider: Provider, ada: User) -> None:
    User.objects.update(is_active=False)
    provider.userinfo = {"sub": "ada-1"}
    assert_refused(client, sign_in(client, provider), "is not active")


def test_the_rule_makes_an_account_and_the_claims_lead_its_groups(
    client: Client, provider: Provider, configure: Configure
) -> None:
    for name in ("Operators", "Approvers", "By hand"):
        Group.objects.create(name=name)
    configure(
        claims={"username": "nick"},
        groups={"ops": "Operators", "appr": "Approvers"},
        accounts_for=["ops"],
        staff_for=["ops"],
    )
    person = {"sub": "ada-1", "nick": "ada", "given_name": "Ada", "email": "ada@example.org", "is_superuser": True}
    provider.userinfo = person | {"groups": ["appr"]}
    assert_refused(client, sign_in(client, provider), "is not known here")

    provider.userinfo = person | {"groups": ["ops", "appr", "other"]}
    sign_in(client, provider)
    user = User.objects.get(username="ada")
    assert (user.first_name, user.email, user.is_staff, user.is_superuser) == ("Ada", "ada@example.org", True, False)
    assert not user.has_usable_password()
    assert groups_of(user) == {"Operators", "Approvers"}

    user.groups.add(Group.objects.get(name="By hand"))
    provider.userinfo = person | {"groups": ["appr"], "given_name": "Augusta"}
    sign_in(client, provider)
    user.refresh_from_db()
    assert (user.first_name, user.is_staff) == ("Augusta", False)
    assert groups_of(user) == {"Approvers", "By hand"}


def test_the_metadata_of_another_issuer_is_not_used(client: Client, provider: Provider) -> None:
    provider.metadata["issuer"] = "https://login.example.com"
    assert_refused(client, client.get("/admin/sign-in/with/one/"), "does not answer as it should")
    assert_refused(client, client.get("/admin/sign-in/with/one/"), "does not answer as it should")
    assert len(provider.requests) == 1


def test_the_guard_refuses_a_provider_in_a_private_network(
    client: Client, provider: Provider, settings: Settings
) -> None:
    settings.FEDHUB_ALLOWED_NETWORKS = []
    assert_refused(client, client.get("/admin/sign-in/with/one/"), "does not answer as it should")
    assert provider.requests == []


def test_an_endpoint_that_the_guard_refuses_is_not_asked(client: Client, provider: Provider, ada: User) -> None:
    provider.metadata["token_endpoint"] = "http://169.254.169.254/token"
    asked = start(client)
    assert_refused(client, come_back(client, asked, provider.issue(asked), provider.issuer))


def test_a_key_that_the_provider_rotated_is_read_again(client: Client, provider: Provider, ada: User) -> None:
    provider.userinfo = {"sub": "ada-1"}
    sign_in(client, provider)
    provider.key = provider.signing_key = ECKey.generate_key("P-256", {"kid": "2"})
    client.post("/admin/logout/")
    sign_in(client, provider)
    assert is_signed_in(client)


def test_the_secret_is_hidden_in_error_pages(provider: Provider) -> None:
    sign_in_providers()
    assert "s3cret-words-of-the-hub" not in hide("client_secret = 's3cret-words-of-the-hub'")


def groups_of(user: User) -> set[str]:
    return set(user.groups.values_list("name", flat=True))


def assert_refused(client: Client, answer: Any, reason: str = "") -> None:
    """Check that the browser is led to the log-in page, which names the reason, and is not signed in."""
    assert answer.status_code == 302
    assert answer["Location"] == "/admin/login/"
    told = [str(message) for message in get_messages(answer.wsgi_request)]
    assert reason in " ".join(told)
    assert told
    assert not is_signed_in(client)
