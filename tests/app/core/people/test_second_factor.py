"""Second factors: a sign-in without one opens nothing, each code works once, and forged passkeys are refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from core.people import ciphers, codes
from core.people.models import FactorKind, RecoveryCode, SecondFactor, UserSession
from core.people.sessions import remove_second_factors
from tests.app.core.people.passkey_device import PasskeyDevice
from tests.app.core.people.provider import Provider, is_signed_in, sign_in
from tests.conftest import MakeUser

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
SECOND = "/admin/sign-in/second-factor/"
RFC_KEY = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # 12345678901234567890, RFC 6238, appendix B


@pytest.fixture
def staff(make_user: MakeUser) -> User:
    return make_user("grace", is_staff=True, is_superuser=True)


@pytest.fixture
def app_key(staff: User) -> str:
    """The key of the authenticator app of the staff member, whose last code is long ago."""
    key = codes.new_key()
    assert codes.add_app(staff, key, name="phone", code=code_of(key))
    SecondFactor.objects.update(last_step=0)
    return key


def code_of(key: str, steps: int = 0) -> str:
    return codes._totp(key).generate(int(time.time()) + steps * codes.STEP_SECONDS).decode()


def give_password(client: Client, door: str = "/admin/login/") -> Any:
    return client.post(f"{door}?next=/admin/peers/peer/", {"username": "grace", "password": PASSWORD}, follow=True)


def give_code(client: Client, code: str) -> Any:
    return client.post(SECOND, {"code": code, "next": "/admin/peers/peer/"})


@pytest.mark.parametrize(("now", "code"), [(59, "287082"), (1111111109, "081804"), (20000000000, "353130")])
def test_codes_are_those_of_rfc_6238(now: int, code: str) -> None:
    assert codes.step_of_code(RFC_KEY, f"{code[:3]} {code[3:]}", now) == now // 30
    assert codes.step_of_code(RFC_KEY, code, now + 30) == now // 30
    assert codes.step_of_code(RFC_KEY, code, now + 90) is None


@pytest.mark.parametrize("door", ["/admin/login/", "/api/auth/login/"])
def test_a_password_alone_opens_nothing(client: Client, app_key: str, door: str) -> None:
    answer = give_password(client, door)

    assert answer.redirect_chain[-1][0] == f"{SECOND}?next=%2Fadmin%2Fpeers%2Fpeer%2F"
    assert not is_signed_in(client)
    assert client.get("/api/v1/federations").status_code == 401
    assert client.get("/admin/security/app/").status_code == 302
    assert client.get("/admin/sign-in/confirm/").status_code == 302
    key = client.session.session_key

    assert give_code(client, code_of(app_key))["Location"] == "/admin/peers/peer/"
    assert is_signed_in(client)
    assert client.session.session_key != key
    assert client.get("/api/v1/federations").status_code == 200


def test_an_unfinished_sign_in_is_given_up(client: Client, app_key: str) -> None:
    assert b'action="/admin/sign-in/sign-out/"' in give_password(client).content
    client.post("/admin/sign-in/sign-out/")
    assert give_code(client, code_of(app_key))["Location"].startswith("/admin/login/")
    assert b"Username" in client.get("/admin/login/").content


def test_a_code_works_once(client: Client, app_key: str, staff: User) -> None:
    code = code_of(app_key)
    assert codes.accept_code(staff, code)
    give_password(client)
    assert b"is not right" in give_code(client, code).content
    assert b"is not right" in give_code(client, code_of(app_key, steps=-1)).content
    assert not is_signed_in(client)
    assert give_code(client, code_of(app_key, steps=1)).status_code == 302


def test_a_recovery_code_works_once_and_for_its_person(client: Client, app_key: str, staff: User) -> None:
    code, *_ = codes.make_recovery_codes(staff)
    assert not codes.accept_code(User.objects.create_user("other"), code)
    give_password(client)
    assert give_code(client, code.upper().replace("-", " ")).status_code == 302
    assert not codes.accept_code(staff, code)
    assert not RecoveryCode.objects.filter(digest__contains=code[:5]).exists()


def test_guesses_are_limited_whatever_the_password(client: Client, app_key: str, staff: User) -> None:
    give_password(client)
    answers = [give_code(client, f"{number:06}").status_code for number in range(11)]
    assert answers == [200] * 10 + [429]
    assert give_code(client, code_of(app_key)).status_code == 429


def test_an_unfinished_sign_in_ends(client: Client, app_key: str, staff: User) -> None:
    give_password(client)
    session = client.session
    session["people"] |= {"begun_at": time.time() - 700}
    session.save()
    assert give_code(client, code_of(app_key))["Location"].startswith("/admin/login/")
    assert not is_signed_in(client)


def test_the_key_of_an_app_is_encrypted_at_rest(app_key: str) -> None:
    row = SecondFactor.objects.get()
    assert app_key not in json.dumps(list(SecondFactor.objects.values()), default=str)
    assert row.secret.startswith("gAAAA")


@pytest.mark.parametrize("named", ["superusers", "staff", "everyone", "Approvers"])
def test_a_role_that_needs_a_second_factor_sets_one_up_first(
    client: Client, staff: User, settings: Settings, named: str
) -> None:
    staff.groups.add(Group.objects.create(name="Approvers"))
    settings.FEDHUB_SECOND_FACTOR = ["Others", named]
    assert give_password(client).redirect_chain[-1][0].startswith("/admin/sign-in/set-up/")
    assert not is_signed_in(client)
    assert client.get("/admin/security/").headers["Location"] == "/admin/sign-in/set-up/"

    client.get("/admin/security/app/?next=/admin/peers/peer/")
    key = ciphers.decrypt(client.session["new_app_key"])
    answer = client.post(
        "/admin/security/app/", {"code": code_of(key), "name": "phone", "next": "/admin/peers/peer/"}, follow=True
    )
    assert answer.content.count(b"-") > 10
    assert b'href="/admin/peers/peer/"' in answer.content
    assert RecoveryCode.objects.filter(user=staff).count() == 10
    assert is_signed_in(client)

    client.post(f"/admin/security/remove/{SecondFactor.objects.get().pk}/")
    assert SecondFactor.objects.exists()


def test_a_role_that_is_given_later_asks_at_the_next_look(client: Client, staff: User, settings: Settings) -> None:
    client.force_login(staff)
    settings.FEDHUB_SECOND_FACTOR = ["Approvers"]
    staff.groups.add(Group.objects.create(name="Approvers"))
    session = client.session
    session["people"] |= {"seen_at": time.time() - 61}
    session.save()
    assert not is_signed_in(client)
    assert client.get("/admin/login/")["Location"].startswith("/admin/sign-in/set-up/")


def test_a_removal_ends_the_sessions_and_frees_the_person(client: Client, app_key: str, staff: User) -> None:
    client.force_login(staff)
    assert remove_second_factors(staff) == 1
    assert not UserSession.objects.filter(user=staff).exists()
    give_password(client)
    assert is_signed_in(client)


@pytest.mark.parametrize(("told", "is_enough"), [(["pwd", "mfa"], True), (["pwd"], False), ("mfa", False)])
def test_a_provider_proves_a_second_factor_only_if_the_setting_trusts_it(
    client: Client, provider: Provider, configure: Callable[..., None], ada: User, told: Any, is_enough: bool
) -> None:
    assert codes.add_app(ada, RFC_KEY, name="phone", code=code_of(RFC_KEY))
    provider.userinfo = {"sub": "ada-1"}
    configure(second_factor_amr=["mfa"])
    sign_in(client, provider, amr=told)
    assert is_signed_in(client) is is_enough

    configure()
    client.post("/admin/logout/")
    sign_in(client, provider, amr=["mfa"])
    assert not is_signed_in(client)


ORIGIN = "https://hub.example.org"
Forge = Callable[[PasskeyDevice, dict[str, Any]], str]
FORGED_PROOFS: dict[str, Forge] = {
    "another site": lambda device, options: device.prove(options, origin="https://hub.example.org.evil.com"),
    "a subdomain": lambda device, options: device.prove(options, origin="https://x.hub.example.org"),
    "another port": lambda device, options: device.prove(options, origin=f"{ORIGIN}:8443"),
    "another challenge": lambda device, options: device.prove(options, challenge="AAAA"),
    "a registration": lambda device, options: device.prove(options, type="webauthn.create"),
    "without the person": lambda device, options: device.prove(options, flags=0),
    "an old counter": lambda device, options: device.prove(options, count=0),
    "another key": lambda device, options: other_key(device).prove(options),
    "no answer": lambda device, options: "{}",
    "no JSON": lambda device, options: "[",
}


def other_key(device: PasskeyDevice) -> PasskeyDevice:
    device.key = ec.generate_private_key(ec.SECP256R1())
    return device


@pytest.fixture
def device(client: Client, staff: User, settings: Settings) -> PasskeyDevice:
    """A passkey that the staff member has set up and used once."""
    settings.FEDHUB_SERVER_URL = ORIGIN
    client.force_login(staff)
    made = PasskeyDevice(ORIGIN)
    options = client.get("/admin/security/passkey/").context["passkey_options"]
    answer = client.post(
        "/admin/security/passkey/", {"passkey": made.create(json.loads(options)), "name": "key"}, follow=True
    )
    assert SecondFactor.objects.get().kind == FactorKind.PASSKEY
    assert RecoveryCode.objects.count() == len(answer.context["codes"]) == 10
    client.post("/admin/logout/")
    assert prove(client, lambda device, options: device.prove(options), made)
    client.post("/admin/logout/")
    return made


def prove(client: Client, forge: Forge, device: PasskeyDevice) -> bool:
    options = json.loads(give_password(client).context["passkey_options"])
    answer = client.post(SECOND, {"passkey": forge(device, options), "next": "/admin/"})
    return answer.status_code == 302 and is_signed_in(client)


def test_a_passkey_finishes_a_sign_in_and_its_answer_works_once(client: Client, device: PasskeyDevice) -> None:
    options = json.loads(give_password(client).context["passkey_options"])
    answer = device.prove(options)
    assert client.post(SECOND, {"passkey": answer, "next": "/admin/"}).status_code == 302
    client.post("/admin/logout/")
    assert not prove(client, lambda device, options: answer, device)


@pytest.mark.parametrize("name", FORGED_PROOFS)
def test_a_forged_passkey_is_refused(client: Client, device: PasskeyDevice, name: str) -> None:
    assert not prove(client, FORGED_PROOFS[name], device)
    assert not is_signed_in(client)


def test_superusers_alone_remove_the_second_factors_of_others(app_key: str, staff: User, make_user: MakeUser) -> None:
    page = reverse("admin:auth_user_changelist")
    form = {"action": "remove_factors", "_selected_action": [str(staff.pk)], "confirmed": "1"}
    helper = make_user("helper", is_staff=True)
    helper.user_permissions.add(*Permission.objects.filter(codename__in=["view_user", "change_user"]))
    for user, left in ((helper, 1), (make_user("root", is_staff=True, is_superuser=True), 0)):
        client = Client()
        client.force_login(user)
        client.post(page, form)
        assert SecondFactor.objects.count() == left
