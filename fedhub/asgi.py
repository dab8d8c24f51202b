"""The ASGI application that granian serves: a request passes the trusted proxies, then the front, then Django."""

from collections.abc import Mapping

from django.conf import settings
from granian.utils.proxies import wrap_asgi_with_proxy_headers

from core.api.errors import answer_outside_views
from core.loaded_objects import spare_loaded_objects
from core.tracing import start_tracing
from fedhub.asgi_front import Front, Mounted
from fedhub.request_ids import take_request_ids
from fedhub.together import AnswersTogether
from fedhub.wsgi import application as django_application
from fedhub.wsgi_bridge import Answer, WsgiApplication

READS = (
    *(f"/api/v1/{name}" for name in ("agents", "federations", "runs", "runtimes", "search", "servers")),
    "/v0.1/",
)
"""What the paths begin with at which programs read the registry."""


def refuse(path: str, status: int) -> Answer:
    """Return the response to a request that does not reach Django; the path's endpoint family gives its body."""
    response = answer_outside_views(path, status, "The request body did not arrive in time")
    return Answer(status, [(b"content-type", b"application/json"), (b"connection", b"close")], response.content)


def _mcp() -> Mounted:
    # The registry's models need the apps, which fedhub.wsgi loads.
    from federations.mcp.face import McpFace

    return McpFace()


def _start_threads() -> None:
    # The tables need the apps, which fedhub.wsgi loads.
    from core.figures.keeping import keep_figures
    from core.store.checkpoints import make_checkpoints
    from peers.services.trust.passing_lines import keep_lines

    keep_figures()
    keep_lines()
    make_checkpoints()


def _messages() -> Mapping[str, WsgiApplication]:
    # The views' models need the apps, which fedhub.wsgi loads.
    from fedhub.message_handler import message_handlers

    return message_handlers()


def _together() -> Mapping[str, AnswersTogether]:
    from fedhub.message_handler import together_handlers

    return together_handlers()


_front = Front(
    django_application,
    refuse,
    body_seconds=settings.FEDHUB_BODY_SECONDS,
    # Django refuses a larger body, so the front need not read it.
    max_body_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
    threads=settings.FEDHUB_WEB_THREADS,
    reading_threads=settings.FEDHUB_READING_THREADS,
    reads=READS,
    mounted=(_mcp(),),
    direct=_messages(),
    together=_together(),
)
# Only a trusted proxy may say which address called, and by which scheme.
application = take_request_ids(
    wrap_asgi_with_proxy_headers(_front, [str(network) for network in settings.FEDHUB_TRUSTED_PROXIES]),
    settings.FEDHUB_TRUSTED_PROXIES,
)
_start_threads()
start_tracing("web")
spare_loaded_objects()
