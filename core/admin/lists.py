"""Filters of admin lists that the database cannot do."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect

from core.errors import HubError

ANSWERED = (Http404, PermissionDenied, SuspiciousOperation, HubError)
"""Refusals that have an answer of their own."""

logger = logging.getLogger(__name__)


class BackToTheList:
    """The middleware that leads from a list with an impossible filter to the list without filters.

    Django's admin does so for a filter that it refuses itself. Others fail only in the database: `contains` on JSON, a
    malformed regular expression, a number that no column holds.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer the failure of a filtered list; the failure of a list without filters is an error of the hub.

        The class of the failure says nothing: a wrong filter ends as an error of the driver, of a regular expression,
        as IndexError or as NotImplementedError.
        """
        match = request.resolver_match
        is_list = bool(match and match.url_name and match.url_name.endswith("_changelist"))
        if not is_list or isinstance(exception, ANSWERED) or not set(request.GET) - {ERROR_FLAG}:
            return None
        logger.warning("The filters of %s cannot be done", request.path, exc_info=exception)
        return HttpResponseRedirect(f"{request.path}?{ERROR_FLAG}=1")
