"""Redirects from an admin list whose filters the database cannot apply."""

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
    """The middleware that redirects from an admin list with an impossible filter to the same list without filters.

    Django's admin redirects in the same way if the admin itself refuses the filter. This middleware covers the filters
    that fail only in the database: `contains` on JSON, a malformed regular expression, a number that no column holds.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Redirect to the list without filters if the view of a filtered list raised `exception`, else return None.

        If a list without filters fails, that is an error of the hub, so the exception goes on to Django. The class of
        `exception` does not tell the two cases apart, because a wrong filter raises an error of the database driver,
        an error of the regular expression, IndexError or NotImplementedError.
        """
        match = request.resolver_match
        is_list = bool(match and match.url_name and match.url_name.endswith("_changelist"))
        if not is_list or isinstance(exception, ANSWERED) or not set(request.GET) - {ERROR_FLAG}:
            return None
        logger.warning("The filters of %s cannot be done", request.path, exc_info=exception)
        # The CSV file of a list has the list's filters.
        page = request.path.removesuffix("export.csv")
        return HttpResponseRedirect(f"{page}?{ERROR_FLAG}=1")
