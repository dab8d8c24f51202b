"""The middleware that tells the audit log which user makes a request."""

from __future__ import annotations

from auditlog.middleware import AuditlogMiddleware
from django.http import HttpRequest, HttpResponseBase

from core.api.endpoint_families import find_family


class StaffAuditlogMiddleware(AuditlogMiddleware):  # type: ignore[misc]
    """The middleware that gives the audit log the user of a request, except where no audited row can change.

    A family of endpoints says by `is_audited` whether its requests may change audited rows. For other families the
    middleware does nothing, because auditlog connects and disconnects a signal receiver in each request: this takes a
    tenth of the time in which the hub receives a message from a peer, and all threads wait for the lock of the signal.
    """

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request, with the audit log's actor set if the request may change audited rows."""
        family = find_family(request.path)
        is_audited = family is None or family.is_audited
        answer: HttpResponseBase = super().__call__(request) if is_audited else self.get_response(request)
        return answer
