"""Refusals of services, shown as messages on admin pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib import messages
from django.http import HttpRequest

from core.errors import HubError


@contextmanager
def show_refusals(request: HttpRequest, about: str = "") -> Iterator[None]:
    """Turn a HubError that the block raises into an error message on the next page; the message begins with `about`."""
    try:
        yield
    except HubError as error:
        messages.error(request, f"{about}: {error.message}" if about else error.message)
