"""The two health checks: `/healthz` says that the process answers, `/readyz` that the hub can do its work."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from ipaddress import ip_address

from django.db import connections
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from fedhub.metrics import has_metrics_token
from fedhub.readiness import Check, NotReadyError, all_checks

CHECK_SECONDS = 4.0
"""A check that takes longer has failed."""
CACHE_SECONDS = 1.0
OK, TIMED_OUT = "ok", f"no answer within {CHECK_SECONDS:g} seconds"
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")

logger = logging.getLogger(__name__)


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """Respond with 200: the process answers. The check reads no database, so that a restart cures what it finds."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Respond with 200 if every check passes, otherwise with 503.

    Only a caller on this machine, or one with the metrics token, is told the checks and their errors.
    """
    results = _readiness.results()
    is_ready = all(result == OK or result.startswith(f"{OK}: ") for result in results.values())
    body: dict[str, object] = {"status": "ready" if is_ready else "unavailable"}
    if has_metrics_token(request) or _is_local(request):
        body["checks"] = results
    return JsonResponse(body, status=200 if is_ready else 503)


def _is_local(request: HttpRequest) -> bool:
    """Tell whether the caller is on this machine; a proxy on this machine speaks for callers elsewhere."""
    try:
        is_loopback = ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
    return is_loopback and not any(name in request.headers for name in FORWARDED)


class Readiness:
    """The results of all checks, at most a second old; many probes at once make one round of checks.

    Each check has one thread: a check that hangs is not started again before it has ended.
    """

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._lock = threading.Lock()
        self._results: dict[str, str] = {}
        self._valid_until = 0.0
        self._threads = {name: ThreadPoolExecutor(1, thread_name_prefix=f"ready-{name}") for name in checks}
        self._running: dict[str, Future[str]] = {}

    def results(self) -> dict[str, str]:
        """Return by the name of each check "ok", "ok: " and a note, or its error; takes at most `CHECK_SECONDS`."""
        with self._lock:
            if time.monotonic() >= self._valid_until:
                self._results = self._run()
                self._valid_until = time.monotonic() + CACHE_SECONDS
            return self._results

    def _run(self) -> dict[str, str]:
        for name, check in self._checks.items():
            if name not in self._running:
                self._running[name] = self._threads[name].submit(_result_of, name, check)
        done, _ = wait(self._running.values(), timeout=CHECK_SECONDS)
        found = {name: future.result() for name, future in self._running.items() if future in done}
        self._running = {name: future for name, future in self._running.items() if future not in done}
        return {name: found.get(name, TIMED_OUT) for name in self._checks}


def _result_of(name: str, check: Check) -> str:
    try:
        note = check()
    except NotReadyError as exc:
        return str(exc)
    except Exception as exc:
        logger.warning("The check %s failed", name, exc_info=True)
        return type(exc).__name__
    finally:
        # The thread would keep a connection for a check that may not come again.
        connections.close_all()
    return f"{OK}: {note}" if note else OK


_readiness = Readiness(all_checks())
