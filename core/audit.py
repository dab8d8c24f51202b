"""The middleware that tells the audit log who makes a request, and from which address."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from core.acting import Acting, acting_as
from core.actors import Actor, actor_of
from core.signin.attempts import address_of


def name_the_person(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return the middleware that names the person of the session in each row of the audit log that a request writes.

    The session is read with the first such row, so that other requests cost nothing. A token names its own person and
    program (`core.api.authentication`).
    """

    def answer(request: HttpRequest) -> HttpResponse:
        def find() -> Actor | None:
            return actor_of(request.user) if request.user.is_authenticated else None

        with acting_as(Acting(find=find, address=address_of(request))):
            return get_response(request)

    return answer
