"""Errors outside the views, answered in JSON: with DEBUG on, Django would answer them with its own pages."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from core.api.errors import INTERNAL_ERROR, answer_outside_views, is_api

MESSAGES = {400: "The request is malformed", 404: "Not found", 500: INTERNAL_ERROR}
# The log-in pages of the browsable API: a person expects a page there.
PAGE_PREFIX = "/api/auth/"


def json_errors(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return the middleware that replaces an HTML or text error at an address of the API by a body of the contract."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        return _as_json(request, response) if _is_not_json(request, response) else response

    return answer


def _is_not_json(request: HttpRequest, response: HttpResponse) -> bool:
    if response.status_code not in MESSAGES or request.path.startswith(PAGE_PREFIX):
        return False
    if not is_api(request.path):
        return False
    # A view's own error may be a page of the browsable API; such a page is left as it is.
    is_rendered_by_view = hasattr(response, "accepted_renderer")
    return not is_rendered_by_view and "json" not in response.headers.get("Content-Type", "")


def _as_json(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    return answer_outside_views(request.path, response.status_code, MESSAGES[response.status_code])
