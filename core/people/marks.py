"""The mark of a session: how and when its person proved who they are, and how far the sign-in is."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, cast

from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

SESSION_NAME = "people"
CONFIRM_SECONDS = 15 * 60
"""A sensitive step asks for a new proof if the last one is older."""

FINISH_SECONDS = 10 * 60
"""A sign-in that lacks its second factor begins anew after this time."""

PASSWORD = "password"  # noqa: S105 (a way to sign in, not a password)
PROVIDER = "provider:"


class Stage(StrEnum):
    """How far a sign-in is; core.people tells what each stage means."""

    FULL = "full"
    SECOND = "second"
    SET_UP = "set up"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a session says of its sign-in; its times are seconds since the epoch.

    `proved_at` is the time at which the person last proved who they are; a provider tells when it asked them.
    `session_key` is the key under which the session was listed last; Django changes the key at a change of password.
    """

    user: str
    stage: Stage
    way: str
    begun_at: float
    proved_at: float
    seen_at: float
    session_key: str

    def may_finish(self, now: float) -> bool:
        """Tell whether the person of an unfinished sign-in may still give a second factor or set one up."""
        return self.stage != Stage.FULL and now - self.begun_at < FINISH_SECONDS


def read_mark(session: SessionBase, user: Any) -> Mark | None:
    """Return the mark of a session of `user`; None if the session has none or a malformed or another user's one."""
    found = session.get(SESSION_NAME)
    try:
        mark = Mark(**found) if isinstance(found, dict) else None
        return replace(mark, stage=Stage(mark.stage)) if mark is not None and mark.user == str(user.pk) else None
    except (TypeError, ValueError):
        return None


def write_mark(session: SessionBase, mark: Mark) -> None:
    """Store the mark in the session."""
    session[SESSION_NAME] = asdict(mark)


def new_proof(request: HttpRequest, user: User, *, stage: Stage = Stage.FULL) -> None:
    """Record that the person has just given a proof, and that the sign-in is at `stage` now."""
    mark = read_mark(request.session, user)
    if mark is not None:
        write_mark(request.session, replace(mark, stage=stage, proved_at=time.time()))


def has_recent_proof(request: HttpRequest) -> bool:
    """Tell whether the session's person gave a proof in the last 15 minutes; False for a session without a mark."""
    mark = read_mark(request.session, request.user)
    return mark is not None and mark.stage == Stage.FULL and 0 <= time.time() - mark.proved_at < CONFIRM_SECONDS


def unfinished_person(request: HttpRequest) -> User | None:
    """Return the person whose sign-in lacks a second factor, or None; see SignedInPerson."""
    bool(request.user.is_authenticated)  # request.user is lazy, and its look-up finds the person
    return cast("User | None", request.__dict__.get("_unfinished_person"))


def person_of(request: HttpRequest) -> User | None:
    """Return the signed-in person or the person of an unfinished sign-in; None for a stranger."""
    return request.user if request.user.is_authenticated else unfinished_person(request)


def stage_of(request: HttpRequest, user: User) -> Stage | None:
    """Return the stage of the request's session."""
    mark = read_mark(request.session, user)
    return mark.stage if mark else None
