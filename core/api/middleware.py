"""What the hub does with each request before and after its view: refuse it early, answer errors, set headers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

from core.api.errors import INTERNAL_ERROR, answer_outside_views, bad_request, is_api, not_found
from core.api.pages import PAGE_PREFIX, is_page, refuse_request
from core.signin.attempts import TooManyFailuresError

MESSAGES = {400: "The request is malformed", 404: "Not found", 500: INTERNAL_ERROR}
FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'; object-src 'none'; base-uri 'self'; form-action 'self'"
)
ADMIN_PREFIX = "/admin/"
# The admin's Alpine compiles the expressions in attributes such as `x-show` by `new Function`.
ADMIN_POLICY = CONTENT_SECURITY_POLICY.replace("script-src 'self'", "script-src 'self' 'unsafe-eval'")

DEBUG_NOTE = b"<code>DEBUG = True</code>"
"""A part of the page by which Django answers an unknown address while DEBUG is on."""

logger = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]


def content_security_policy(get_response: GetResponse) -> GetResponse:
    """Return the middleware that gives each HTML page the hub's policy, unless its view has set one.

    It is the first middleware, so that error pages have the policy too.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            policy = ADMIN_POLICY if request.path.startswith(ADMIN_PREFIX) else CONTENT_SECURITY_POLICY
            response.headers.setdefault("Content-Security-Policy", policy)
        return response

    return answer


class CompressPages(GZipMiddleware):
    """The middleware that compresses the HTML pages that a GET request reads.

    A page that answers a POST may show a new token once, so the middleware does not compress such a page (BREACH).
    Responses to programs stay as they are, because a peer's signature may cover the bytes of a body.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Return the response, compressed if it is an HTML page and the browser accepts gzip."""
        is_page_to_read = request.method == "GET" and response.headers.get("Content-Type", "").startswith("text/html")
        return super().process_response(request, response) if is_page_to_read else response


def hide_debug_page(get_response: GetResponse) -> GetResponse:
    """Return the middleware that answers an unknown address as in production.

    While DEBUG is on, Django answers an unknown address with a list of all addresses of the hub.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        is_html = response.headers.get("Content-Type", "").startswith("text/html")
        is_debug_page = settings.DEBUG and response.status_code == 404 and is_html and not response.streaming
        return not_found(request) if is_debug_page and DEBUG_NOTE in response.content else response

    return answer


def refuse_disallowed_hosts(get_response: GetResponse) -> GetResponse:
    """Return the middleware that answers a disallowed Host as in production.

    An attacker's host name may resolve to the hub's address (DNS rebinding). A web page of that host name can then
    read the hub's responses to requests with that Host. So the hub must not respond with its settings, as Django does
    for a disallowed Host while DEBUG is on.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        try:
            request.get_host()
        except DisallowedHost as exc:
            logger.warning("Refused a request: %s", exc)
            return bad_request(request)
        return get_response(request)

    return answer


def refuse_forms(get_response: GetResponse) -> GetResponse:
    """Return the middleware that refuses what no form of the hub sends: a large body, and NUL characters.

    The size is read from the Content-Length, before Django writes a byte of an upload to a file. NUL characters in an
    address, a form or a cookie are refused because PostgreSQL cannot store or look for them; at an address of the API
    the views do this themselves, with the name of the field.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        is_form = request.content_type in FORM_TYPES
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        has_page = is_page(request.path) or not is_api(request.path)
        # The views of the API answer other types by 415, but the search for the CSRF token reads an upload first.
        is_upload = request.content_type == "multipart/form-data"
        if (is_upload or has_page) and limit is not None and _content_length(request) > limit:
            return refuse_request(request, 413, f"The request body is larger than {limit} bytes.")
        if has_page and _has_nul(request, is_form=is_form):
            return refuse_request(request, 400, "The request has a NUL character.")
        return get_response(request)

    return answer


class RefuseGuesses:
    """The middleware that answers 429 with Retry-After to a log-in attempt that core.signin refuses.

    core.signin refuses an attempt after too many wrong passwords or client secrets.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer a TooManyFailuresError with 429; return None for every other exception, which Django then handles."""
        if not isinstance(exception, TooManyFailuresError):
            return None
        response = refuse_request(request, exception.status_hint, exception.message)
        response.headers["Retry-After"] = str(exception.retry_after_seconds)
        return response


def json_errors(get_response: GetResponse) -> GetResponse:
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


def _content_length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _has_nul(request: HttpRequest, *, is_form: bool) -> bool:
    given = [request.path, *_texts(request.GET), *request.COOKIES.values()]
    if is_form and request.method == "POST":
        given += _texts(request.POST)
        given += [file.name or "" for _, files in request.FILES.lists() for file in files]
    return any("\x00" in text for text in given)


def _texts(values: QueryDict) -> Iterator[str]:
    for name, texts in values.lists():
        yield name
        yield from texts
