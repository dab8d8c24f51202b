"""The base of the hub's endpoints, and the forms of request and response that all endpoints share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ViewSet

from core.api.browsable.facts import PageFacts
from core.api.errors import BadRequestError, ContentCodingError, LengthRequiredError


class HubViewSet(ViewSet):
    """The base of view sets; `required_scopes` maps each method to the scope that it needs."""

    required_scopes: ClassVar[Mapping[str, str]] = {}

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Forbid caches to store the answer: it is for one caller, and caches do not know the header X-API-Key."""
        response.setdefault("Cache-Control", "no-store")
        return super().finalize_response(request, response, *args, **kwargs)

    def page_facts(self, operation: str, answer: Any) -> PageFacts:
        """Return what the page of an answer says about its object; only pages for browsers ask for it.

        `operation` is the id of the operation in the OpenAPI description, `answer` the body, None for an error.
        """
        return PageFacts()

    def read_body(self, serializer_class: type[BaseSerializer[Any]]) -> dict[str, Any]:
        """Return the validated body of the request; an empty body is read as `{}`. Raises APIException."""
        serializer = serializer_class(data=read_json_object(self.request))
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)


def read_json_object(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body; raise APIException for any other body.

    A chunked body has no Content-Length, so WSGI would read it as empty: `{"dryRun": true}` would start a real sync.
    """
    check_body_readable(request)
    body: Any = request.data
    if not isinstance(body, dict):
        raise BadRequestError("The request body must be a JSON object")
    # The data of an empty body is a QueryDict, which serializers would read as an HTML form.
    return dict(body)


def check_body_readable(request: Request | HttpRequest) -> None:
    """Raise LengthRequiredError for a body of unknown length, ContentCodingError for any coding but `identity`."""
    if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
        raise LengthRequiredError()
    codings = [coding.strip().lower() for coding in request.META.get("HTTP_CONTENT_ENCODING", "").split(",")]
    if not {"", "identity"}.issuperset(codings):
        raise ContentCodingError()


def serialize_each(serializer_class: type[BaseSerializer[Any]], rows: Iterable[object]) -> Any:
    """Return the JSON of each row."""
    return serializer_class(rows, many=True).data


def accepted_response(body: Any, *, location: str) -> Response:
    """Return the response with status 202 to a request that a worker carries out later (RFC 7240, respond-async)."""
    return Response(body, status=202, headers={"Location": location, "Preference-Applied": "respond-async"})


def prefers_async(request: Request) -> bool:
    """Tell whether the request's Prefer header asks for `respond-async` (RFC 7240, section 4.1)."""
    preferences = request.headers.get("Prefer", "").split(",")
    return any(item.split(";")[0].strip().lower() == "respond-async" for item in preferences)
