"""Django's handler for one view that programs call: with the middleware that a message needs, and no other.

Middleware for pages, people and sessions has nothing to do for a message of a peer, and takes time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.middleware.security import SecurityMiddleware
from django.urls import resolve, reverse

from core.api.middleware import refuse_disallowed_hosts
from core.api.request_ids import request_ids
from peers.api.urls import message_patterns

View = Callable[[HttpRequest], HttpResponse]


def message_handlers() -> dict[str, MessageHandler]:
    """Return the handler of each path to which peers post messages, by its path without a slash at the end.

    The views are those of the project's own URL configuration, which may have put a check of its own before them.
    """
    paths = [reverse(pattern.name) for pattern in message_patterns]
    return {path: MessageHandler(resolve(path).func) for path in paths}


class MessageHandler(WSGIHandler):
    """A WSGI application that answers every request with one view, whatever its path."""

    def __init__(self, view: View) -> None:
        """Take the view."""
        self._view = view
        super().__init__()

    def load_middleware(self, is_async: bool = False) -> None:
        """Put the middleware of messages around the view, instead of that of the setting MIDDLEWARE."""
        answer = refuse_disallowed_hosts(self._view)
        secured: Any = SecurityMiddleware(answer)
        self._middleware_chain = convert_exception_to_response(request_ids(secured))
