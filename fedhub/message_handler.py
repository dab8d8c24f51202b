"""Django's handlers for views that other hubs call: with the middleware that a message needs, and no other.

Middleware for pages, people and sessions has nothing to do for a message of a peer, and takes time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.core.signals import request_finished, request_started
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.security import SecurityMiddleware
from django.urls import resolve, reverse, set_script_prefix

from core.api.middleware import refuse_disallowed_hosts
from core.api.request_ids import request_ids
from fedhub.together import Asked
from fedhub.wsgi_bridge import Answer, Environ
from peers.api.message_views import Begun, Ending, begin, callback, end_callbacks, end_receives, receive
from peers.api.urls import message_patterns

View = Callable[[HttpRequest], HttpResponse]


def message_handlers() -> dict[str, MessageHandler]:
    """Return the handler of each path to which peers post messages, by its path without a slash at the end.

    The views are those of the project's own URL configuration, which may have put a check of its own before them.
    """
    paths = [reverse(pattern.name) for pattern in message_patterns]
    return {path: MessageHandler(resolve(path).func) for path in paths}


def together_handlers() -> Mapping[str, MessagesTogether]:
    """Return the handler of many messages by its path, but for paths at which the project has a view of its own."""
    known = {"federation-receive": (receive, end_receives), "federation-callback": (callback, end_callbacks)}
    return {
        reverse(name): MessagesTogether(end)
        for name, (view, end) in known.items()
        if resolve(reverse(name)).func is view
    }


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


class MessagesTogether(MessageHandler):
    """Answers the messages of one moment: reads each, lets `end` prove and store all together, then writes each answer.

    A message that `end` leaves, or that is refused before, is left to the view.
    """

    def __init__(self, end: Callable[[Sequence[Begun]], tuple[list[Ending | None], Callable[[], None] | None]]) -> None:
        """Take what ends messages, and put the middleware of messages around their beginning."""
        self._end = end
        super().__init__(begin)

    def __call__(  # type: ignore[override]
        self, asked: Sequence[Asked]
    ) -> tuple[list[Answer | None], Callable[[], None] | None]:
        """Return the answer of each message, None for one left to the view, and what to do after the answers."""
        # Once for all of them: the receivers of these signals close connections that are too old or broken.
        request_started.send(sender=type(self), environ=asked[0][0])
        try:
            return self.answer_all(asked)
        finally:
            request_finished.send(sender=type(self))

    def answer_all(self, asked: Sequence[Asked]) -> tuple[list[Answer | None], Callable[[], None] | None]:
        """Return what a call returns."""
        responses = [context.run(self._begin, environ) for environ, context in asked]
        begun = [
            (each, context) for each, (_, context) in zip(responses, asked, strict=True) if isinstance(each, Begun)
        ]
        endings, nudge = self._end([each for each, _ in begun]) if begun else ([], None)
        for (_, context), ending in zip(begun, endings, strict=True):
            if ending:
                context.run(ending)
        return [_answer_of(response) for response in responses], nudge

    def _begin(self, environ: Environ) -> HttpResponseBase:
        set_script_prefix(environ["SCRIPT_NAME"] or "/")
        return self.get_response(WSGIRequest(environ))


def _answer_of(response: HttpResponseBase) -> Answer | None:
    if not isinstance(response, Begun) or not response.is_told:
        return None
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    return Answer(response.status_code, headers, response.content)
