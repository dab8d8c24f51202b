"""What every endpoint shares beyond the framework's defaults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ViewSet

from core.api.errors import BadRequestError, LengthRequiredError


class HubViewSet(ViewSet):
    """A set of endpoints; `required_scopes` maps each method to the scope that it needs."""

    required_scopes: ClassVar[Mapping[str, str]] = {}

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Forbid caches to keep an answer: it is meant for one caller, and X-API-Key tells no cache so."""
        response.setdefault("Cache-Control", "no-store")
        return super().finalize_response(request, response, *args, **kwargs)

    def asked(self, serializer_class: type[BaseSerializer[Any]]) -> dict[str, Any]:
        """Return the checked body of the request; an empty body stands for `{}`. Raises APIException."""
        serializer = serializer_class(data=json_object(self.request))
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)


def json_object(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body; raise APIException for any other body.

    A chunked body has no Content-Length, so under WSGI it would read as empty, and `{"dryRun": true}` as a real sync.
    """
    if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
        raise LengthRequiredError()
    body: Any = request.data
    if not isinstance(body, dict):
        raise BadRequestError("The request body must be a JSON object")
    # An empty form is a QueryDict, whose members serializers would read as a form's.
    return dict(body)


def each(serializer_class: type[BaseSerializer[Any]], rows: Iterable[object]) -> Any:
    """Return the JSON of every row."""
    return serializer_class(rows, many=True).data


def accepted(body: Any, *, location: str) -> Response:
    """Return the answer to a request that a worker now carries out (RFC 7240, respond-async)."""
    return Response(body, status=202, headers={"Location": location, "Preference-Applied": "respond-async"})


def prefers_async(request: Request) -> bool:
    """Tell whether the request's Prefer header asks for `respond-async` (RFC 7240, section 4.1)."""
    preferences = request.headers.get("Prefer", "").split(",")
    return any(item.split(";")[0].strip().lower() == "respond-async" for item in preferences)
