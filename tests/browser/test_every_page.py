"""Every page of the admin under axe-core, in light and dark; each error that the browser reports fails the test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from federations.models import Federation
from tests.app.federations.admin.cloud import MemoryCloud, federation
from tests.browser.rows import address, addresses, make_rows

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

GRAVE = ("serious", "critical")
COLOR_RULES = {"resultTypes": ["violations"], "runOnly": ["color-contrast", "link-in-text-block"]}
ALL_RULES = {"resultTypes": ["violations"]}
# The rest of the answer, which lists what every rule passed, is large.
RUN_AXE = "async ([context, rules]) => (await axe.run(context ?? document, rules)).violations"
SET_THEME = "theme => { Alpine.$data(document.documentElement).adminTheme = theme; }"
# The elements with the pointer of a button that Tab does not reach. The backdrop of a layer closes by Escape.
OUT_OF_REACH = """() => {
  const reached = ":is(a[href], button, input, select, textarea, summary, [tabindex='0'], option)";
  const isShown = element => element.getClientRects().length && getComputedStyle(element).cursor === "pointer";
  return [...document.querySelectorAll("body *")].filter(element => isShown(element) && !element.closest(reached)
    && !element.querySelector(reached) && !element.closest("label")?.control?.checkVisibility()
    && element.id !== "changelist-filter-close").map(element => element.outerHTML.slice(0, 200));
}"""

# A row of a list has two lines, each with room for a label or a button.
POOR_ON_A_PHONE = """() => {
  const width = document.documentElement.scrollWidth;
  const rows = [...document.querySelectorAll("#result_list tr.data-row")].filter(row => row.offsetHeight > 84);
  return [...(width > 390 ? [`${width} px wide`] : []), ...rows.map(row => `${row.offsetHeight} px: ${row.innerText}`)];
}"""


def test_each_page_is_reached_by_keyboard_and_read_by_everyone(page: Page, cloud: MemoryCloud) -> None:
    make_rows(cloud)
    # The page of a dry run starts by itself, and the page of the plan follows it.
    page.goto(address(Federation, "dry_run", Federation.objects.order_by("pk")[0]))
    page.wait_for_url("**/storedplan/**")
    found: list[str] = []

    for number, path in enumerate(dict.fromkeys(addresses())):
        page.goto(path)
        # A page with a running job does not reload itself once something was typed.
        page.evaluate("document.dispatchEvent(new Event('input'))")
        # The sidebar is the same on each page.
        context = {"exclude": ["#nav-sidebar"]} if number else None
        found += [f"{path}: only a mouse can press {text}" for text in page.evaluate(OUT_OF_REACH)]
        # A color in transition has no contrast that can be measured.
        page.add_style_tag(content="* { transition: none !important; }")
        for theme, rules in (("light", ALL_RULES), ("dark", COLOR_RULES)):
            page.evaluate(SET_THEME, theme)
            found += [f"{path} {theme}: {line}" for line in violations(page, context, rules)]
        page.set_viewport_size({"width": 390, "height": 844})
        found += [f"{path} on a phone: {text}" for text in page.evaluate(POOR_ON_A_PHONE)]
        page.set_viewport_size({"width": 1440, "height": 900})

    assert not found, "\n".join(found)


def test_pages_beside_the_admin_keep_the_policy(page: Page) -> None:
    federation()
    page.goto("/api/docs/")
    expect(page.get_by_role("heading", name="fedhub").first).to_be_visible()
    expect(page.get_by_text("/api/v1/federations").first).to_be_visible()
    page.goto("/api/v1/federations")
    expect(page.get_by_text("Payments").first).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    page.goto("/api/auth/login/")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()


def test_the_layers_of_a_page_have_no_grave_violation(page: Page) -> None:
    found = federation()
    page.goto("/admin/federations/federation/")
    page.get_by_text("Filters").first.click()
    expect(page.get_by_role("dialog", name="Filters")).to_be_visible()
    assert list(violations(page, None, ALL_RULES)) == []
    page.goto(f"/admin/federations/federation/{found.pk}/change/")
    page.get_by_role("link", name="Sync now").click()
    page.get_by_label("Reason").type("typed at once")
    expect(page.get_by_label("Reason")).to_have_value("typed at once")
    assert list(violations(page, None, ALL_RULES)) == []
    page.goto(f"/admin/federations/federation/{found.pk}/edit/")
    page.locator("[name=region]").fill("eu-west-9")
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("The role works.")).to_be_visible()
    expect(page.get_by_text("The hub does not know the region")).to_be_visible()
    assert list(violations(page, None, ALL_RULES)) == []
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Nothing is saved yet.")).to_be_visible()
    assert list(violations(page, None, ALL_RULES)) == []


def violations(page: Page, context: dict[str, Any] | None, rules: dict[str, Any]) -> Iterator[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    for violation in page.evaluate(RUN_AXE, [context, rules]):
        if violation["impact"] in GRAVE:
            for node in violation["nodes"][:3]:
                yield f"{violation['id']} x{len(violation['nodes'])}: {node['html'][:160]} {node['any'][:1]}"
