"""The authorization code flow with PKCE: a person allows a program to act for them."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import (
    get_access_token_model,
    get_application_model,
    get_grant_model,
    get_refresh_token_model,
)
from rest_framework.test import APIClient

from core.tokens.validators import HubValidator
from tests.api.test_authentication import everything_stored
from tests.conftest import MakeUser

pytestmark = pytest.mark.django_db

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
# RFC 7636, appendix B.
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
CALLBACK = "https://client.example/cb?tenant=1"
QUESTION = {
    "response_type": "code",
    "client_id": "desk",
    "redirect_uri": CALLBACK,
    "scope": "federations-read",
    "state": "s1",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@pytest.fixture(autouse=True)
def desk(make_user: MakeUser) -> Any:
    """A public program that staff registered, with two addresses."""
    model = get_application_model()
    return model.objects.create(
        user=make_user("registrar"),
        name="Desk <b>",
        client_id="desk",
        client_secret="",
        client_type=model.CLIENT_PUBLIC,
        authorization_grant_type=model.GRANT_AUTHORIZATION_CODE,
        redirect_uris=f"{CALLBACK} https://other.example/cb",
    )


@pytest.fixture
def browser(make_user: MakeUser) -> Client:
    """The browser of a person without any role."""
    client = Client()
    client.force_login(make_user("ines"))
    return client


def address(**changes: str | None) -> str:
    query = {name: value for name, value in (QUESTION | changes).items() if value is not None}
    return f"/o/authorize?{urlencode(query)}"


def answer_of(response: Any) -> dict[str, str]:
    assert response.status_code == 302
    assert response["Location"].startswith("https://client.example/cb?tenant=1&")
    return dict(parse_qsl(urlsplit(response["Location"]).query))


def code_of(browser: Client, **changes: str) -> str:
    return answer_of(browser.post(address(**changes), {"allow": "1"}))["code"]


def exchange(**form: str) -> Any:
    values = {"grant_type": "authorization_code", "client_id": "desk", "redirect_uri": CALLBACK}
    return Client().post("/o/token", values | {"code_verifier": VERIFIER} | form)


def refresh(token: str, **form: str) -> Any:
    return Client().post(
        "/o/token", {"grant_type": "refresh_token", "client_id": "desk", "refresh_token": token} | form
    )


def use(token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return int(APIClient().get("/api/v1/federations", headers=headers).status_code)


def test_the_challenge_of_these_tests_is_that_of_the_verifier() -> None:
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == CHALLENGE


def test_the_page_names_the_program_and_the_scopes_in_words(browser: Client) -> None:
    page = browser.get(address(scope="federations-read system-ops"))
    text = page.content.decode()
    assert page.status_code == 200
    for words in ("Desk &lt;b&gt;", "ines", "registrar registered it", "client.example"):
        assert words in text
    allowed, _, withheld = text.partition("Your roles do not allow")
    assert "See federations, their resources and jobs" in allowed
    assert "Run the manual AgentCore runtime sync" in withheld
    assert "form-action 'self' https://client.example;" in page["Content-Security-Policy"] + ";"
    assert "no-store" in page["Cache-Control"]
    assert page["X-Frame-Options"] == "DENY"
    assert not get_grant_model().objects.exists()


def test_a_person_who_is_not_signed_in_signs_in_first() -> None:
    answer = Client().get(address())
    assert answer.status_code == 302
    assert answer["Location"].startswith("/api/auth/login/?next=/o/authorize")
    assert parse_qs(urlsplit(answer["Location"]).query)["next"] == [address()]


def test_an_allowed_program_acts_for_the_person_until_it_is_revoked(browser: Client) -> None:
    answer = answer_of(browser.post(address(), {"allow": "1"}))
    assert (answer["state"], answer["iss"]) == ("s1", "http://127.0.0.1:8000")
    assert answer["code"] not in everything_stored()
    granted = exchange(code=answer["code"]).json()
    assert (granted["scope"], granted["expires_in"]) == ("federations-read", 3600)
    for name in ("access_token", "refresh_token"):
        assert granted[name] not in everything_stored()
    assert use(granted["access_token"]) == 200
    assert get_access_token_model().objects.get().user.username == "ines"
    Client().post("/o/revoke_token", {"client_id": "desk", "token": granted["access_token"]})
    assert use(granted["access_token"]) == 401
    assert refresh(granted["refresh_token"]).status_code == 400


def test_a_code_gives_tokens_once(browser: Client) -> None:
    code = code_of(browser)
    assert exchange(code=code).status_code == 200
    again = exchange(code=code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_a_second_use_of_a_code_ends_the_tokens_of_the_first(browser: Client) -> None:
    code, other = code_of(browser), exchange(code=code_of(browser)).json()
    first = exchange(code=code).json()
    second = refresh(first["refresh_token"]).json()
    assert use(second["access_token"]) == 200

    assert exchange(code=code, code_verifier="x" * 43).json()["error"] == "invalid_grant"

    assert use(second["access_token"]) == 401
    assert refresh(second["refresh_token"]).status_code == 400
    assert use(other["access_token"]) == 200


def test_the_slower_of_two_exchanges_of_a_code_ends_the_tokens_of_both(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, faster = code_of(browser), []

    def save_later(validator: HubValidator, token: dict[str, Any], request: Any) -> None:
        monkeypatch.undo()
        faster.append(exchange(code=code).json())
        HubValidator.save_token(validator, token, request)

    monkeypatch.setattr(HubValidator, "save_token", save_later)
    slower = exchange(code=code)
    assert (slower.status_code, slower.json()["error"]) == (400, "invalid_grant")
    assert use(faster[0]["access_token"]) == 401
    assert not get_access_token_model().objects.exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_a_program_on_the_persons_machine_gets_its_code_on_any_port(browser: Client, desk: Any, host: str) -> None:
    desk.redirect_uris = f"http://{host}/cb?x=1"
    desk.save()
    redirect = f"http://{host}:49152/cb?x=1"
    page = browser.get(address(redirect_uri=redirect))
    assert f"form-action 'self' http://{host}:49152;" in page["Content-Security-Policy"] + ";"
    answer = browser.post(address(redirect_uri=redirect), {"allow": "1"})
    code = dict(parse_qsl(urlsplit(answer["Location"]).query))["code"]
    assert answer["Location"].startswith(f"{redirect}&")
    assert exchange(code=code, redirect_uri=f"http://{host}:49153/cb?x=1").json()["error"] == "invalid_request"
    assert exchange(code=code, redirect_uri=redirect).status_code == 200


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:49152/other",
        "http://127.0.0.1:49152/cb?x=1",
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1:99999/cb",
        "http://127.0.0.1:x/cb",
        "http://user@127.0.0.1:49152/cb",
        "http://127.0.0.1:49152@evil.example/cb",
        "http://localhost:49152/cb",
        "http://127.0.0.2:49152/cb",
        "http://127.1:49152/cb",
        "https://127.0.0.1:49152/cb",
        "http://hub.example/cb",
    ],
)
def test_an_address_that_only_resembles_the_persons_machine_gets_nothing(browser: Client, desk: Any, uri: str) -> None:
    desk.redirect_uris = "http://127.0.0.1/cb http://hub.example/cb"
    desk.save()
    for answer in (browser.get(address(redirect_uri=uri)), browser.post(address(redirect_uri=uri), {"allow": "1"})):
        assert answer.status_code == 400
        assert "Location" not in answer
    assert not get_grant_model().objects.exists()


def test_a_person_who_declines_gives_nothing(browser: Client) -> None:
    answer = answer_of(browser.post(address(), {"deny": "1"}))
    assert (answer["error"], answer["state"], answer["iss"]) == ("access_denied", "s1", "http://127.0.0.1:8000")
    assert not get_grant_model().objects.exists()


def test_the_form_needs_its_csrf_token(browser: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.cookies
    assert strict.post(address(), {"allow": "1"}).status_code == 403
    assert not get_grant_model().objects.exists()


def test_the_code_has_only_the_scopes_that_the_persons_roles_give(browser: Client) -> None:
    granted = exchange(code=code_of(browser, scope="federations-read system-ops peers-write")).json()
    assert granted["scope"] == "federations-read"
    refused = answer_of(browser.post(address(scope="system-ops"), {"allow": "1"}))
    assert refused["error"] == "invalid_scope"


def test_a_refresh_token_rotates_and_its_second_use_ends_the_family(browser: Client) -> None:
    first = exchange(code=code_of(browser)).json()
    second = refresh(first["refresh_token"]).json()
    assert use(first["access_token"]) == 401
    assert use(second["access_token"]) == 200
    third = refresh(second["refresh_token"]).json()
    assert use(third["access_token"]) == 200

    stolen = refresh(first["refresh_token"])
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
    assert use(third["access_token"]) == 401
    assert refresh(third["refresh_token"]).status_code == 400
    assert not get_refresh_token_model().objects.filter(revoked__isnull=True).exists()


def test_a_refresh_widens_nothing_and_ends_with_the_days(browser: Client) -> None:
    granted = exchange(code=code_of(browser)).json()
    assert refresh(granted["refresh_token"], scope="federations-read agents-run").json()["error"] == "invalid_scope"
    get_access_token_model().objects.update(expires=timezone.now() - timedelta(days=30, seconds=1))
    assert refresh(granted["refresh_token"]).status_code == 400


def test_tokens_of_a_person_who_becomes_inactive_are_refused(browser: Client) -> None:
    granted = exchange(code=code_of(browser)).json()
    User.objects.filter(username="ines").update(is_active=False)
    assert use(granted["access_token"]) == 401
    renewed = refresh(granted["refresh_token"])
    assert renewed.status_code == 400 or use(renewed.json()["access_token"]) == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "nobody"},
        {"client_id": None},
        {"redirect_uri": "https://evil.example/cb"},
        {"redirect_uri": "https://client.example/cb"},
        {"redirect_uri": "https://client.example/cb?tenant=1&x=2"},
        {"redirect_uri": "https://CLIENT.example/cb?tenant=1"},
        {"redirect_uri": "https://client.example:443/cb?tenant=1"},
        {"redirect_uri": "https://client.example/cb?tenant=1#x"},
        {"redirect_uri": "http://client.example/cb?tenant=1"},
        {"redirect_uri": "//client.example/cb?tenant=1"},
        {"redirect_uri": None},
    ],
    ids=str,
)
def test_a_request_of_an_unknown_program_or_address_leads_nowhere(
    browser: Client, changes: dict[str, str | None]
) -> None:
    for answer in (browser.get(address(**changes)), browser.post(address(**changes), {"allow": "1"})):
        assert answer.status_code == 400
        assert "Location" not in answer
    assert not get_grant_model().objects.exists()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unauthorized_client"),
        ({"response_type": "none"}, "unauthorized_client"),
        ({"response_type": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"scope": "federations-read root"}, "invalid_scope"),
        ({"scope": "peers-write"}, "invalid_scope"),
    ],
    ids=str,
)
def test_a_request_without_pkce_or_of_another_flow_is_refused(
    browser: Client, changes: dict[str, str | None], error: str
) -> None:
    for answer in (browser.get(address(**changes)), browser.post(address(**changes), {"allow": "1"})):
        assert answer_of(answer)["error"] == error
    assert not get_grant_model().objects.exists()


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"code_verifier": "x" * 43}, "invalid_grant"),
        ({"code_verifier": CHALLENGE}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"redirect_uri": "https://other.example/cb"}, "invalid_request"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"client_id": "till"}, "invalid_grant"),
        ({"code": "guess"}, "invalid_grant"),
        ({"code": ""}, "invalid_grant"),
    ],
    ids=str,
)
def test_a_code_is_worth_nothing_without_all_that_belongs_to_it(
    browser: Client, desk: Any, form: dict[str, str], error: str
) -> None:
    till = get_application_model().objects.get(pk=desk.pk)
    till.pk, till.client_id = None, "till"
    till.save()
    code = code_of(browser)
    refused = exchange(**({"code": code} | form))
    assert refused.status_code in (400, 401)
    assert refused.json()["error"] == error
    assert not get_access_token_model().objects.exists()


def test_an_expired_code_gives_no_token(browser: Client) -> None:
    code = code_of(browser)
    get_grant_model().objects.update(expires=timezone.now())
    assert exchange(code=code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("grant", ["password", "urn:ietf:params:oauth:grant-type:device_code", "implicit", "x"])
def test_no_other_grant_exists(grant: str, desk: Any, make_user: MakeUser) -> None:
    make_user("otto")
    get_application_model().objects.update(authorization_grant_type=grant)
    refused = exchange(grant_type=grant, username="otto", password="correct horse battery", device_code="x")
    assert (refused.status_code, refused.json()["error"]) == (400, "unsupported_grant_type")


def test_programs_that_follow_rfc_8414_find_the_endpoints() -> None:
    found = Client().get("/.well-known/oauth-authorization-server").json()
    assert found["issuer"] == "http://127.0.0.1:8000"
    assert found["authorization_endpoint"].endswith("/o/authorize")
    assert found["grant_types_supported"] == ["authorization_code", "client_credentials", "refresh_token"]
    assert found["response_types_supported"] == ["code"]
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert "registration_endpoint" not in found


@pytest.mark.parametrize(
    "query", ["client_id=%", "client_id=%zz", "state=%ff", "scope=\xe9", "=", "resource=[", "%00", ""]
)
def test_a_query_that_is_not_well_formed_is_refused_and_never_an_error(browser: Client, query: str) -> None:
    for method in (browser.get, browser.post):
        assert method(f"/o/authorize?{query}").status_code == 400
    for path in ("/o/token", "/o/revoke_token"):
        assert Client().post(f"{path}?{query}", {"grant_type": "%zz", "client_id": "%"}).status_code in (400, 401)
    odd = browser.get(f"{address()}&{query}")
    assert odd.status_code in (200, 302, 400)
