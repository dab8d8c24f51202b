"""The id of each request, for its log lines and its response."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from core.log_ids import REQUEST_ID, about, new_request_id
from core.tracing import describe


def request_ids(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return the middleware that names the request in each log line, and in the response's header X-Request-ID.

    The front has chosen the id; another server, such as that of development, leaves it to this middleware.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        request_id = str(request.META.get(REQUEST_ID) or new_request_id())
        with about(request_id=request_id):
            response = get_response(request)
        if match := request.resolver_match:
            # The route without the values of its parts, some of which are tokens.
            describe({"http.route": match.route}, name=f"{request.method} {match.route}")
        response.headers["X-Request-ID"] = request_id
        return response

    return answer
