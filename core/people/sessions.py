"""The list of sessions: it grows at each sign-in, and an ended session is deleted from Django's table."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.db.models.signals import pre_save
from django.http import HttpRequest
from django.utils import timezone

from core.activity.recording import record_all
from core.people.marks import PASSWORD, PROVIDER, Mark, Stage, write_mark
from core.people.models import RecoveryCode, SecondFactor, UserSession
from core.people.rules import first_stage, stage_again
from core.signin.attempts import address_of

WAY, IS_PROVED_TWICE, PROVED_AT = "_way_of_sign_in", "_is_proved_twice", "_proved_at"
"""What the door of a sign-in tells the receiver of `user_logged_in`, in the dictionary of the request."""


def connect() -> None:
    """Connect the receivers of Django's signals."""
    user_logged_in.connect(_begin, dispatch_uid="people.begin")
    pre_save.connect(_end_at_change, sender=User, dispatch_uid="people.end_at_change")


def sessions_of(user: User) -> QuerySet[UserSession]:
    """Return the sessions of the user that have not ended, the last seen first."""
    alive = Session.objects.filter(expire_date__gt=timezone.now()).values("session_key")
    return UserSession.objects.filter(user=user, session_key__in=alive).order_by("-seen_at", "-pk")


def end_sessions(rows: Iterable[UserSession]) -> int:
    """End the sessions; return their number."""
    ended = list(rows)
    keys, numbers = [row.session_key for row in ended], Counter(row.user_id for row in ended)
    people = User.objects.in_bulk(numbers)
    record_all({str(key): (user, {"open_sessions": (numbers[key], "ended")}) for key, user in people.items()})
    Session.objects.filter(session_key__in=keys).delete()
    return UserSession.objects.filter(session_key__in=keys).delete()[0]


def forget_sessions() -> int:
    """Delete the sessions whose time is over, and the rows of sessions that have ended; return their number."""
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
    return UserSession.objects.exclude(session_key__in=Session.objects.values("session_key")).delete()[0]


def see_again(request: HttpRequest, user: User, mark: Mark) -> Mark:
    """Record that the session is in use; ask for a second factor that the person must have since; return the mark."""
    mark = replace(mark, stage=stage_again(user, mark.stage), seen_at=time.time())
    if mark.session_key != request.session.session_key:
        UserSession.objects.filter(user=user, session_key=mark.session_key).delete()
    mark = replace(mark, session_key=str(request.session.session_key))
    write_mark(request.session, mark)
    _list(request, user, mark)
    return mark


def remove_second_factors(user: User) -> int:
    """Remove the second factors and recovery codes of a person who has lost them, and end the person's sessions."""
    count = SecondFactor.objects.filter(user=user).delete()[0]
    RecoveryCode.objects.filter(user=user).delete()
    end_sessions(UserSession.objects.filter(user=user))
    return count


def way_in_words(way: str) -> str:
    """Return the way of a sign-in as people read it."""
    return f"provider {way.removeprefix(PROVIDER)}" if way.startswith(PROVIDER) else way


def _begin(sender: Any, request: HttpRequest | None, user: User, **kwargs: Any) -> None:
    if request is None or not hasattr(request, "session"):
        return
    if request.session.session_key is None:
        request.session.create()
    # The session of a stranger who was at a provider ends soon; the session of a person lasts.
    request.session.set_expiry(None)
    way = request.__dict__.get(WAY, PASSWORD)
    stage = Stage.FULL if request.__dict__.get(IS_PROVED_TWICE) else first_stage(user)
    now = time.time()
    mark = Mark(
        user=str(user.pk),
        stage=stage,
        way=way,
        begun_at=now,
        proved_at=min(now, request.__dict__.get(PROVED_AT, now)),
        seen_at=now,
        session_key=str(request.session.session_key),
    )
    write_mark(request.session, mark)
    _list(request, user, mark)


def _list(request: HttpRequest, user: User, mark: Mark) -> None:
    UserSession.objects.update_or_create(
        session_key=mark.session_key,
        defaults={
            "user": user,
            "way": way_in_words(mark.way)[:100],
            "address": address_of(request)[:64],
            "agent": request.META.get("HTTP_USER_AGENT", "")[:300],
            "seen_at": timezone.now(),
        },
    )


def _end_at_change(sender: Any, instance: User, update_fields: Any = None, **kwargs: Any) -> None:
    """End the sessions of a user whose password changes or who becomes inactive."""
    if instance.pk is None or (update_fields is not None and not {"password", "is_active"} & set(update_fields)):
        return
    stored = User.objects.filter(pk=instance.pk).values_list("password", "is_active").first()
    if stored is not None and (stored[0] != instance.password or (stored[1] and not instance.is_active)):
        end_sessions(UserSession.objects.filter(user_id=instance.pk))
