"""Refusals before or beside the views: a page for a browser, JSON at an address of the API or of OAuth."""

from __future__ import annotations

import re
import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from core.api.errors import DatabaseAwayError, answer_outside_views, internal_error, is_api

PAGE_PREFIX = "/api/auth/"
"""The log-in pages of the browsable API: a person expects a page there."""

OAUTH_PATH = re.compile(r"/o(/|\Z)")
OAUTH_ERRORS = {429: "slow_down", 503: "temporarily_unavailable"}
AWAY = "The database does not answer, or its disk is full. Nothing was stored. Try again in a while."
HEADINGS = {
    400: "The hub cannot read this request",
    413: "The form is too large",
    429: "Too many failed attempts",
    503: "The hub cannot reach its database",
}


def is_page(path: str) -> bool:
    """Tell whether the hub answers errors at this path with a page."""
    return path.startswith(PAGE_PREFIX) or not (is_api(path) or OAUTH_PATH.match(path))


def refuse_request(request: HttpRequest, status: int, message: str) -> HttpResponse:
    """Answer in the form of the address: a page, OAuth's error (RFC 6749, section 5.2), or the contract's body."""
    if OAUTH_PATH.match(request.path):
        body = {"error": OAUTH_ERRORS.get(status, "invalid_request"), "error_description": message}
        return JsonResponse(body, status=status, headers={"Cache-Control": "no-store"})
    if not is_page(request.path):
        return answer_outside_views(request.path, status, message)
    context = {"heading": HEADINGS[status], "text": message}
    return render(request, "refused.html", context, status=status)


def answer_failure(request: HttpRequest) -> HttpResponse:
    """Answer an unexpected error: 503 with Retry-After if a database is away or full, otherwise 500; for handler500."""
    if not isinstance(sys.exception(), (OperationalError, InterfaceError)):
        return internal_error(request)
    response = refuse_request(request, DatabaseAwayError.status_code, AWAY)
    response.headers["Retry-After"] = str(DatabaseAwayError.wait)
    return response
