"""Addresses of the composer, for the pages that begin it."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

MAY_DISPATCH = "peers.add_dispatch"
MAY_DESCRIBE = "peers.add_intent"


def may_compose(request: HttpRequest) -> bool:
    """Tell whether this person may describe new work and dispatch it."""
    return request.user.has_perms((MAY_DISPATCH, MAY_DESCRIBE))


def composer_url(*, peer: str = "", agent: str = "", like: str = "") -> str:
    """Return the composer's address; it begins with a peer (by primary key), its agent, and the texts of an intent."""
    given = {name: value for name, value in (("peer", peer), ("agent", agent), ("like", like)) if value}
    return reverse("admin:peers_intent_send_work") + (f"?{urlencode(given)}" if given else "")
