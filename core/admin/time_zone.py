"""The time zone of the person: the browser names it in a cookie, and the pages of the admin show times in it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from urllib.parse import unquote
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

COOKIE = "fedhub_timezone"
"""The cookie that static/fedhub/lists.js sets."""
ADMIN_PREFIX = "/admin/"


def person_time_zone(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return the middleware that shows and reads the times of admin pages in the person's time zone.

    The API and every other page keep the time zone of the hub, since programs compare what they read.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        zone = zone_of(request.COOKIES.get(COOKIE, "")) if request.path.startswith(ADMIN_PREFIX) else None
        if zone is None:
            return get_response(request)
        with timezone.override(zone):
            return get_response(request)

    return answer


def zone_of(name: str) -> ZoneInfo | None:
    """Return the time zone of this name in the tz database; None for every other text."""
    name = unquote(name)
    return ZoneInfo(name) if name in _names() else None


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones())
