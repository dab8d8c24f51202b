"""A small laptop: the name of a page is whole beside its buttons, and a list fits beside the menu."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page

from core.store.days import hub_today
from federations.models import Federation, SyncJob
from peers.models import Peer, PeerKey
from tests.app.federations.admin.cloud import MemoryCloud
from tests.browser.rows import addresses, make_rows

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]
SIZES = ((1440, 900), (1280, 900), (1024, 800))
# A name that is longer than a line is cut there.
IS_CUT = """() => {
  const name = document.querySelector(".fedhub-here"), line = document.querySelector("#header-inner");
  return Boolean(name) && name.scrollWidth > name.clientWidth + 1 && name.clientWidth < line.clientWidth - 150;
}"""
IS_OFF = """() => [...document.querySelectorAll("#header-inner :is(a, button)")].filter(button => button.offsetParent)
  .some(button => button.getBoundingClientRect().right > innerWidth)"""
# A part of the way to the page that its letters do not fit in.
SHORTENED = """() => [...document.querySelectorAll("#header-inner h1 > :not(.fedhub-here)")]
  .filter(part => part.clientWidth > 0 && part.scrollWidth > part.clientWidth + 1)
  .map(part => part.textContent.trim())"""
# The two lists of a choice of many, and the tables of a federation's page, which scroll where they do not fit.
IS_WIDE = """() => [...document.querySelectorAll(".selector, .fedhub-rows")].filter(part => part.offsetParent)
  .map(part => [part, part.parentElement].map(each => each.getBoundingClientRect().right))
  .some(([right, around]) => right > Math.min(innerWidth, around) + 1)"""
LIST_OVERFLOW = """() => {
  const list = document.querySelector("#result_list")?.closest("[data-simplebar]");
  const box = list?.querySelector(".simplebar-content-wrapper");
  return box ? box.scrollWidth - box.clientWidth : 0;
}"""


def test_names_are_whole_and_lists_fit_on_a_small_laptop(page: Page, cloud: MemoryCloud) -> None:
    make_rows(cloud)
    # The buttons of a paused peer are the most.
    Peer.objects.filter(state="approved").update(
        paused_until=timezone.now() + timedelta(hours=1), paused_by_name="ines"
    )
    # The longest labels of the lists of peers and of federations.
    Peer.objects.filter(state="approved").update(review_by=hub_today() - timedelta(days=1))
    PeerKey.objects.filter(peer__state="approved").update(state="revoked")
    Federation.objects.update(sync_status="success")
    SyncJob.objects.update(warning_count=12)
    found: list[str] = []
    for path in dict.fromkeys(addresses()):
        page.goto(path)
        page.evaluate("document.dispatchEvent(new Event('input'))")
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            found += [f"{path} {width}: the name is cut"] if page.evaluate(IS_CUT) else []
            found += [f"{path} {width}: a button is off the screen"] if page.evaluate(IS_OFF) else []
            found += [f"{path} {width}: a part is too wide"] if page.evaluate(IS_WIDE) else []
            found += [f"{path} {width}: {part} is shortened" for part in page.evaluate(SHORTENED)]
            over = page.evaluate(LIST_OVERFLOW)
            found += [f"{path} {width}: the list is {over} px too wide"] if over > 1 else []
    assert found == []
