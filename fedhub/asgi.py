"""The application that granian serves: the front, behind the proxies that are trusted, before Django."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fedhub.settings")
django_application = get_wsgi_application()

from django.conf import settings  # noqa: E402 - after the set-up
from granian.utils.proxies import wrap_asgi_with_proxy_headers  # noqa: E402

from core.api.errors import outside_error  # noqa: E402
from fedhub.front import Answer, Front  # noqa: E402


def refuse(path: str, status: int) -> Answer:
    """Return the answer to a request that does not reach Django, in the form of the addresses around `path`."""
    response = outside_error(path, status, "The request body did not arrive in time")
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    return Answer(status, headers, response.content)


# Past this size Django refuses a body, so the front need not read it.
_front = Front(
    django_application,
    refuse,
    body_seconds=settings.FEDHUB_BODY_SECONDS,
    max_body_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
    threads=settings.FEDHUB_WEB_THREADS,
)
# Only a trusted proxy may say who called, and by which scheme.
application = wrap_asgi_with_proxy_headers(_front, [str(network) for network in settings.FEDHUB_TRUSTED_PROXIES])

# Objects loaded by now stay for good, and requests leave few cycles: looking for them took a tenth of a request's time.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 20)
