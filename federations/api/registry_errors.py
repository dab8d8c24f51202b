"""The errors of the API of the MCP registry: one member with a text."""

from __future__ import annotations

import re
from typing import Any

from rest_framework.response import Response

from core.api.errors import exception_handler

REGISTRY_PATHS = re.compile(r"/v0\.1(/|\Z)")


def error_body(status: int, message: str) -> dict[str, Any]:
    """Return the body of an error as the registry's description has it."""
    return {"error": message}


def answer_error(exc: Exception, context: dict[str, Any]) -> Response:
    """Return the response to `exc`, with the registry's body."""
    response = exception_handler(exc, context)
    detail = response.data["detail"]
    response.data = error_body(response.status_code, detail["message"] if isinstance(detail, dict) else detail)
    return response
