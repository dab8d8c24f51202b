"""The ASGI application of a hub whose web process can be killed at named points; granian loads it."""

from __future__ import annotations

import django

django.setup()

from fedhub.asgi import application  # noqa: E402 - after the set-up
from tests.kills.points import install  # noqa: E402

install("web")

__all__ = ["application"]
