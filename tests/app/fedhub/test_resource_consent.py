"""A program that names the server its token is for (RFC 8707): the token is accepted there, and nowhere else."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from django.test import Client, RequestFactory
from oauth2_provider.models import get_application_model

from federations.mcp.admission import MCP_PATH, Refused, admit
from tests.api.test_authorization_code import CHALLENGE, VERIFIER
from tests.conftest import MakeUser

pytestmark = pytest.mark.django_db

HUB = "http://127.0.0.1:8000"
CALLBACK = "https://client.example/cb"


@pytest.fixture
def browser(make_user: MakeUser) -> Client:
    """The browser of a person, and a program that staff registered."""
    model = get_application_model()
    person = make_user("ines")
    model.objects.create(
        user=person, name="Desk", client_id="desk", client_secret="", client_type=model.CLIENT_PUBLIC,
        authorization_grant_type=model.GRANT_AUTHORIZATION_CODE, redirect_uris=CALLBACK,
    )  # fmt: skip
    client = Client()
    client.force_login(person)
    return client


def answer_of(browser: Client, *resources: str) -> dict[str, str]:
    question = [
        *(("response_type", "code"), ("client_id", "desk"), ("redirect_uri", CALLBACK), ("state", "s1")),
        *(("code_challenge", CHALLENGE), ("code_challenge_method", "S256")),
        *(("resource", each) for each in resources),
    ]
    response = browser.post(f"/o/authorize?{urlencode(question)}", {"allow": "1"})
    assert response.status_code == 302
    return dict(parse_qsl(urlsplit(response["Location"]).query))


def token_of(browser: Client, *resources: str) -> str:
    form = {"grant_type": "authorization_code", "client_id": "desk", "redirect_uri": CALLBACK}
    code = answer_of(browser, *resources)["code"]
    granted: Any = Client().post("/o/token", form | {"code": code, "code_verifier": VERIFIER}).json()
    return str(granted["access_token"])


@pytest.mark.parametrize(
    ("resources", "at_api", "at_mcp"),
    [
        ((), True, True),
        ((f"{HUB}/mcp",), False, True),
        ((HUB,), True, True),
        (("https://other.example/mcp",), False, False),
        (("https://other.example/mcp", f"{HUB}/mcp"), False, True),
        ((f"{HUB}/mcp/other",), False, False),
    ],
)
def test_a_token_is_accepted_where_its_resource_says(
    browser: Client, resources: tuple[str, ...], at_api: bool, at_mcp: bool
) -> None:
    headers = {"authorization": f"Bearer {token_of(browser, *resources)}"}
    assert Client().get("/api/v1/federations", headers=headers).status_code == (200 if at_api else 401)
    request = RequestFactory().post(MCP_PATH, b"{}", content_type="application/json", headers=headers)
    assert isinstance(admit(request.META, b"{}", 2), Refused) is not at_mcp


@pytest.mark.parametrize("resources", [("mcp",), ("https://user@hub.example/mcp",), (f"{HUB}/mcp",) * 11])
def test_a_bad_resource_is_told_to_the_program(browser: Client, resources: tuple[str, ...]) -> None:
    answer = answer_of(browser, *resources)
    assert (answer["error"], answer["state"], answer["iss"]) == ("invalid_target", "s1", HUB)
