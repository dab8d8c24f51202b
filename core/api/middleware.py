"""Errors outside every view, answered as the API answers: with DEBUG Django shows its own pages there instead."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from core.api.errors import INTERNAL_ERROR, is_api, outside_error

MESSAGES = {400: "The request is malformed", 404: "Not found", 500: INTERNAL_ERROR}
# Pages for people, whose errors are pages too.
PAGES = "/api/auth/"


def json_errors(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return the middleware: an HTML or text error under an address of the API becomes a body of the contract."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        return _as_json(request, response) if _is_foreign(request, response) else response

    return answer


def _is_foreign(request: HttpRequest, response: HttpResponse) -> bool:
    if response.status_code not in MESSAGES or request.path.startswith(PAGES):
        return False
    if not is_api(request.path):
        return False
    # The browsable API renders the errors of views as pages by itself.
    is_rendered_by_view = hasattr(response, "accepted_renderer")
    return not is_rendered_by_view and "json" not in response.headers.get("Content-Type", "")


def _as_json(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    return outside_error(request, response.status_code, MESSAGES[response.status_code])
