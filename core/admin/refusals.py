"""How a page says that a service refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib import messages
from django.http import HttpRequest

from core.errors import HubError


@contextmanager
def refusals_shown(request: HttpRequest, about: str = "") -> Iterator[None]:
    """Show a service's refusal as a message, in place of an error page."""
    try:
        yield
    except HubError as error:
        messages.error(request, f"{about}: {error.message}" if about else error.message)
