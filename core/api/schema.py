"""The parts of the OpenAPI description that serializers do not give: authentication, errors, addresses."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import serializers

from core.api.errors import CODES, INTERNAL_ERROR, UNAUTHENTICATED, error_body
from core.api.scopes import HasRequiredScope, required_scope


class TokenOrSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes TokenOrSessionAuthentication in the OpenAPI text: a request authenticates in one of three ways."""

    target_class = "core.api.authentication.TokenOrSessionAuthentication"
    name = ["bearer", "apiKey", "session"]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        """Return the descriptions of the three ways to authenticate, in the order of `name`."""
        return [
            {"type": "http", "scheme": "bearer", "description": "A token from `manage.py issue_token` or `/o/token/`."},
            {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same token in another header."},
            {
                "type": "apiKey",
                "in": "cookie",
                "name": settings.SESSION_COOKIE_NAME,
                "description": "A browser's session, read only without a token; unsafe methods need X-CSRFToken.",
            },
        ]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[str]]]:
        """Return one alternative for each way to authenticate."""
        return [{name: []} for name in self.name]


class HubSchema(AutoSchema):
    """Adds the required scope to each operation; a list is a member of an object, never a bare array."""

    def _is_list_view(self, serializer: Any = None) -> bool:
        """Return False: the framework would take the answer of an action named `list` for an array."""
        return False

    def get_description(self) -> str:  # type: ignore[override]
        """Return the operation's description with its scope."""
        text: str = super().get_description() or ""
        scope = self._scope()
        return f"{text}\n\nScope: `{scope}`.".strip() if scope else text

    def get_extensions(self) -> dict[str, Any]:
        """Return the operation's scope for programs that read the description."""
        scope = self._scope()
        return {"x-required-scope": scope} if scope else {}

    def _scope(self) -> str | None:
        has_scope = any(isinstance(permission, HasRequiredScope) for permission in self.view.get_permissions())
        return required_scope(self.view, self.method) if has_scope else None


class ErrorDetailSerializer(serializers.Serializer[Any]):
    """The reason of an error: a code for programs, a sentence for people."""

    error = serializers.CharField()
    message = serializers.CharField()


class ErrorSerializer(serializers.Serializer[Any]):
    """The body of every error except 401 and 403."""

    detail = ErrorDetailSerializer()


class RefusalSerializer(serializers.Serializer[Any]):
    """The body of 401 and 403."""

    detail = serializers.CharField()


ERROR_CODES = CODES | {
    409: "conflict",
    500: "internal_error",
    501: "not_implemented",
    502: "external_service_error",
}
MESSAGES = {
    400: "page: must be a whole number of 1 or more",
    404: "Federation not found",
    406: "Could not satisfy the request Accept header.",
    409: "Federation already has an active job",
    411: "Send the request body with a Content-Length",
    413: "The request body is larger than 1048576 bytes",
    415: 'Unsupported media type "text/plain" in request.',
    429: "Federation already has two dry runs under way",
    500: INTERNAL_ERROR,
    501: "Azure AI Foundry federation sync is not implemented yet",
    502: "Failed to list AgentCore runtimes in us-east-1: Token has expired and refresh failed",
}
REFUSALS = {
    401: {"missing, malformed, unknown or expired token": UNAUTHENTICATED},
    403: {
        "the scope is missing": HasRequiredScope.message,
        "the permission is missing": "You do not have EDIT permissions for this resource.",
    },
}
WITH_BODY = (400, 411, 413, 415)


def error_responses(*statuses: int, **wordings: str) -> dict[int, OpenApiResponse]:
    """Return the descriptions of an operation's errors: of `statuses`, and of those that every operation has.

    A keyword such as `e404="Sync job not found"` replaces the usual message of that status' example.
    """
    return {
        status: refusal_response(status) if status in REFUSALS else error_response(status, wordings.get(f"e{status}"))
        for status in sorted({401, 403, 406, 500, *statuses})
    }


def error_response(status: int, message: str | None) -> OpenApiResponse:
    """Return the description of an error other than 401 and 403."""
    body = error_body(ERROR_CODES[status], message or MESSAGES[status])
    example = OpenApiExample(ERROR_CODES[status], value=body, status_codes=[str(status)], response_only=True)
    return OpenApiResponse(ErrorSerializer, description=ERROR_CODES[status], examples=[example])


def refusal_response(status: int) -> OpenApiResponse:
    """Return the description of a 401 or 403."""
    examples = [
        OpenApiExample(name, value={"detail": text}, status_codes=[str(status)], response_only=True)
        for name, text in REFUSALS[status].items()
    ]
    return OpenApiResponse(RefusalSerializer, description="unauthenticated or not allowed", examples=examples)


def strip_optional_slash(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Return the endpoints without the optional slash at the end of each path; a hook of drf-spectacular."""
    return [(path.rstrip("/"), regex, method, view) for path, regex, method, view in endpoints]
