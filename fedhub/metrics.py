"""`/metrics`: the figures of the hub for Prometheus, behind a token of their own."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from core.api.errors import not_found
from core.beat.lease import beat_gauges
from core.figures.gauges import Gauge, queue_gauges
from core.figures.keeping import store_figures, stored_figures
from core.figures.prometheus import exposition
from federations.services.figures import federation_gauges, federation_queues
from fedhub.storage import storage_gauges
from peers.services.outbox.figures import peer_gauges, peer_queues


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Respond with all figures in Prometheus's text format; 404 without FEDHUB_METRICS_TOKEN, 401 without the token."""
    if not settings.FEDHUB_METRICS_TOKEN:
        return not_found(request)
    if not has_metrics_token(request):
        return HttpResponse(status=401, headers={"WWW-Authenticate": 'Bearer realm="fedhub metrics"'})
    store_figures()
    return HttpResponse(exposition(gauges(), stored_figures()), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def gauges() -> list[Gauge]:
    """Return the figures of all apps that are computed from rows, in a constant number of queries."""
    queues = queue_gauges([*federation_queues(), *peer_queues()])
    return [*beat_gauges(), *federation_gauges(), *peer_gauges(), *queues, *storage_gauges()]


def has_metrics_token(request: HttpRequest) -> bool:
    """Tell whether the request has the token of FEDHUB_METRICS_TOKEN as `Authorization: Bearer TOKEN`."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    is_right = constant_time_compare(token.strip(), settings.FEDHUB_METRICS_TOKEN)
    return bool(settings.FEDHUB_METRICS_TOKEN) and scheme.lower() == "bearer" and is_right
