"""The health check for load balancers and the demo."""

from __future__ import annotations

from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """Respond with 200 if every database answers, otherwise with 503; the body does not tell which database fails."""
    if all(_answers(connection) for connection in connections.all()):
        return JsonResponse({"status": "ok"})
    return JsonResponse({"status": "unavailable"}, status=503)


def _answers(connection: BaseDatabaseWrapper) -> bool:
    if connection.vendor == "mongodb":
        return connection.is_usable()
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True
