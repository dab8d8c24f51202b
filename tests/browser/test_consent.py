"""The page on which a person allows a program, in the browser: read by everyone, and its answer reaches the program."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from oauth2_provider.models import get_application_model, get_grant_model
from playwright.sync_api import Page, expect

from tests.api.test_authorization_code import CALLBACK, address
from tests.browser.test_every_page import ALL_RULES, COLOR_RULES, OUT_OF_REACH, POOR_ON_A_PHONE, SET_THEME, violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_person_reads_the_page_and_its_answer_reaches_the_program(page: Page) -> None:
    model = get_application_model()
    model.objects.create(
        user=User.objects.get(),
        name="Release desk",
        client_id="desk",
        client_secret="",
        client_type=model.CLIENT_PUBLIC,
        authorization_grant_type=model.GRANT_AUTHORIZATION_CODE,
        redirect_uris=CALLBACK,
    )
    page.goto(address(scope="federations-read agents-run peers-write"))
    expect(page.get_by_role("heading", name="Release desk")).to_be_visible()
    assert page.evaluate(OUT_OF_REACH) == []
    page.add_style_tag(content="* { transition: none !important; }")
    for theme, rules in (("light", ALL_RULES), ("dark", COLOR_RULES)):
        page.evaluate(SET_THEME, theme)
        assert list(violations(page, None, rules)) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate(POOR_ON_A_PHONE) == []

    # The browser applies the page's policy to the redirect too; no server has the program's name.
    with page.expect_request(lambda request: request.url.startswith(CALLBACK)) as sent:
        page.get_by_role("button", name="Allow", exact=True).click(no_wait_after=True)
    assert "&code=" in sent.value.url
    assert get_grant_model().objects.count() == 1
