"""What a page shows once, such as a new token: kept between the form's answer and the next page, so that a reload of
that page makes no second one.

The session keeps the values sealed by a key of SECRET_KEY, so neither the database nor a backup of it can be read, and
forgets them at the first look.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping

from cryptography.fernet import Fernet, InvalidToken
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.crypto import salted_hmac

SESSION_NAME = "shown_once"
MADE = "made"
KEPT_SECONDS = 600
GONE = "It was shown once, and the hub cannot show it again. If you did not copy it, make another one."


def show_once(request: HttpRequest, values: Mapping[str, str], path: str = "") -> HttpResponseRedirect:
    """Keep the values for the next page of the session, and lead there: to `path`, or to the page of the request."""
    path = path or request.path
    sealed = _seal().encrypt(json.dumps(dict(values)).encode()).decode("ascii")
    request.session[SESSION_NAME] = {"path": path, "sealed": sealed, "kept_at": time.time()}
    return HttpResponseRedirect(f"{path}?{MADE}")


def is_to_show(request: HttpRequest) -> bool:
    """Tell whether the request comes from `show_once`, now or by a reload."""
    return request.method == "GET" and MADE in request.GET


def answer_once(request: HttpRequest, back_url: str, page: Callable[[dict[str, str]], HttpResponse]) -> HttpResponse:
    """Return the page of the kept values, for no cache; without values lead to `back_url`, and say why."""
    values = _take(request)
    if values is None:
        messages.warning(request, GONE)
        return HttpResponseRedirect(back_url)
    response = page(values)
    response["Cache-Control"] = "no-store"
    return response


def _take(request: HttpRequest) -> dict[str, str] | None:
    """Return what the session keeps for the request's page, and forget it; None if nothing fresh is kept."""
    kept = request.session.get(SESSION_NAME)
    if not kept or kept["path"] != request.path:
        return None
    del request.session[SESSION_NAME]
    if time.time() - kept["kept_at"] > KEPT_SECONDS:
        return None
    try:
        values: dict[str, str] = json.loads(_seal().decrypt(kept["sealed"].encode()))
    except InvalidToken:
        # SECRET_KEY was replaced in between.
        return None
    return values


def _seal() -> Fernet:
    digest = salted_hmac("core.admin.shown_once", "", algorithm="sha256").digest()
    return Fernet(base64.urlsafe_b64encode(digest))
