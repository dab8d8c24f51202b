"""The middleware that gives `request.user` a person only after a complete sign-in."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from core.people import sessions
from core.people.marks import Stage, read_mark

SEEN_SECONDS = 60
"""How often the list of sessions and the stage of a session are renewed."""


class SignedInPerson(AuthenticationMiddleware):
    """Django's middleware for `request.user`, which is anonymous until the sign-in is complete.

    The person of an unfinished sign-in is kept for the pages that finish it (marks.unfinished_person).
    """

    def process_request(self, request: HttpRequest) -> None:
        """Set `request.user`, which is looked up at its first use, so that other requests cost nothing."""
        super().process_request(request)
        found = request.user
        request.user = SimpleLazyObject(partial(_person, request, found))  # type: ignore[assignment]
        request.auser = partial(_auser, request)


def _person(request: HttpRequest, found: Any) -> Any:
    if not found.is_authenticated:
        return found
    mark = read_mark(request.session, found)
    if mark is None:
        # A session from before the upgrade: nothing says how and when its person signed in.
        return AnonymousUser()
    if time.time() - mark.seen_at > SEEN_SECONDS or mark.session_key != request.session.session_key:
        mark = sessions.see_again(request, found, mark)
    if mark.stage == Stage.FULL:
        return found
    if mark.may_finish(time.time()):
        request.__dict__["_unfinished_person"] = found
    return AnonymousUser()


async def _auser(request: HttpRequest) -> Any:
    return request.user
