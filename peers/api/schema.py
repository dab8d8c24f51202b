"""The OpenAPI description of the protocol's endpoints: credentials, bodies, errors and examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.viewsets import ViewSet

from core.api.errors import INTERNAL_ERROR
from core.api.schema import TokenOrSessionScheme
from core.api.scopes import HasRequiredScope
from federations.api.schema import PAGE, page_body
from peers.api.serializers import (
    AgentListSerializer,
    CallbackResultSerializer,
    CallbackSerializer,
    CheckpointExchangeSerializer,
    CreateIntentSerializer,
    DispatchRequestSerializer,
    DispatchResultSerializer,
    EnvelopeSerializer,
    HeldCheckpointsSerializer,
    IntentSerializer,
    ReceiveResultSerializer,
    StatusSerializer,
)
from peers.protocol import UCAN_HEADER
from peers.services.trust.identity import DISABLED
from peers.services.trust.proofs import PUBLIC_KEY_HEADER, UNPROVEN

View = Callable[[HttpRequest], HttpResponse]


class OperatorScheme(TokenOrSessionScheme):  # type: ignore[no-untyped-call]
    """Describes OperatorAuthentication: the credentials of the registry's API, which its schema defines."""

    target_class = "peers.api.authentication.OperatorAuthentication"
    name: list[str] = []

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        """Return nothing: TokenOrSessionScheme defines these credentials."""
        return []

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[str]]]:
        """Return each credential as an alternative."""
        return [{name: []} for name in TokenOrSessionScheme.name]


class AnyCallerScheme(OperatorScheme):  # type: ignore[no-untyped-call]
    """Describes AnyCallerAuthentication: the credentials of the registry's API, or none."""

    target_class = "peers.api.authentication.AnyCallerAuthentication"

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[str]]]:
        """Return each credential as an alternative."""
        return [*super().get_security_requirement(auto_schema), {}]


class PeerErrorSerializer(serializers.Serializer[Any]):
    """The body of an error of the protocol."""

    detail = serializers.CharField()
    message = serializers.CharField()


class FieldErrorSerializer(serializers.Serializer[Any]):
    """The error of one field."""

    field = serializers.CharField(allow_blank=True)
    message = serializers.CharField()


class PeerFieldErrorsSerializer(serializers.Serializer[Any]):
    """The body of 400 and 422: `detail` is a sentence, or the same list as `errors`."""

    detail = serializers.JSONField()
    message = serializers.CharField()
    errors = FieldErrorSerializer(many=True)  # type: ignore[assignment]


MESSAGES = {
    400: DISABLED,
    401: UNPROVEN,
    403: HasRequiredScope.message,
    404: "Intent not found",
    409: "This idempotency key was used with another body",
    411: "Send the request body with a Content-Length",
    413: "The request body is larger than 1048576 bytes",
    415: 'Unsupported media type "text/plain" in request.',
    422: "title: This field is required.",
    425: "This server was restored from a backup and cannot tell yet if it has this dispatch",
    429: "Too many requests",
    500: INTERNAL_ERROR,
}
WITH_BODY = (411, 413, 415, 422)


def peer_errors(*statuses: int, **wordings: str) -> dict[int, OpenApiResponse]:
    """Return the descriptions of an operation's errors, 401 and 500 included; `e404="…"` sets the 404's message."""
    return {
        status: _error(status, wordings.get(f"e{status}", MESSAGES[status])) for status in sorted({401, 500, *statuses})
    }


def _error(status: int, message: str) -> OpenApiResponse:
    body: dict[str, Any] = {"detail": message, "message": message}
    if status in (400, 422):
        # Serializers name the field; a request that is refused before them gets one sentence.
        field, colon, rest = message.partition(": This field")
        errors = [{"field": field, "message": f"This field{rest}"}] if colon else [{"field": "", "message": message}]
        body |= {"detail": errors if colon else message, "errors": errors}
    example = OpenApiExample(message, value=body, status_codes=[str(status)], response_only=True)
    serializer = PeerFieldErrorsSerializer if status in (400, 422) else PeerErrorSerializer
    return OpenApiResponse(serializer, description=message, examples=[example])


SIGNED = [
    OpenApiParameter(
        name,
        str,
        OpenApiParameter.HEADER,
        description=f"{name} of RFC 9421, by which the hub recognizes an approved peer.",
    )
    for name in ("Signature-Input", "Signature", "Content-Digest")
]

federation_status = extend_schema(
    operation_id="federation_status",
    summary="Show the status of the hub's federation",
    tags=["peers"],
    responses={200: StatusSerializer, **peer_errors(403)},
)
federation_agents = extend_schema(
    operation_id="federation_agents",
    summary="List the agents that the caller may see",
    tags=["peers"],
    parameters=[
        *SIGNED,
        OpenApiParameter(
            "X-Source-Server",
            str,
            OpenApiParameter.HEADER,
            description="An unverified claim; the hub does not trust it.",
        ),
        OpenApiParameter("limit", int, description="How many agents to list: 1 to 500, by default 500."),
        OpenApiParameter("cursor", str, description="The `next_cursor` of the page before."),
    ],
    responses={
        200: AgentListSerializer,
        **peer_errors(
            403,
            422,
            429,
            e403="Source server https://hub.example.com not trusted",
            e422="cursor: is not a cursor of this list",
        ),
    },
)
list_intents = extend_schema(
    operation_id="list_intents",
    summary="List intents",
    tags=["peers"],
    parameters=PAGE,
    responses={
        200: page_body("IntentPage", "intents", IntentSerializer),
        **peer_errors(403, 422, e422="page: must be a whole number of 1 or more"),
    },
)
create_intent = extend_schema(
    operation_id="create_intent",
    summary="Create an intent",
    tags=["peers"],
    request=CreateIntentSerializer,
    examples=[
        OpenApiExample(
            "A task",
            value={"title": "Research task", "description": "Analyze the data", "state": {"phase": "draft"}},
            request_only=True,
        )
    ],
    responses={201: IntentSerializer, **peer_errors(403, *WITH_BODY)},
)
retrieve_intent = extend_schema(
    operation_id="retrieve_intent",
    summary="Show an intent",
    tags=["peers"],
    responses={200: IntentSerializer, **peer_errors(403, 404)},
)
federation_dispatch = extend_schema(
    operation_id="federation_dispatch",
    summary="Dispatch an intent to a peer",
    tags=["peers"],
    request=DispatchRequestSerializer,
    examples=[
        OpenApiExample(
            "To an agent of a peer",
            value={
                "intent_id": "i-456",
                "target_server": "https://partner.example.com",
                "agent_id": "analyst",
                "intent_title": "Research task",
                "delegation_scope": {"permissions": ["state.patch", "events.log"], "max_delegation_depth": 0},
                "federation_policy": {"budget": {"max_llm_tokens": 5000}},
            },
            request_only=True,
        )
    ],
    responses={
        200: DispatchResultSerializer,
        **peer_errors(400, 403, *WITH_BODY, e422="intent_id: This field is required."),
    },
)


# The endpoints of messages are plain views --------------------------------------------------------------------------
BY_PEER: Any = [{"peer": []}]


class ReceiveDescription(ViewSet):
    """Intents that peers dispatch to this hub."""

    @extend_schema(
        operation_id="federation_receive",
        summary="Receive an intent from a peer",
        tags=["peers"],
        auth=BY_PEER,
        parameters=[
            *SIGNED,
            OpenApiParameter(
                UCAN_HEADER, str, OpenApiParameter.HEADER, description="A UCAN chain, root grant to leaf."
            ),
            OpenApiParameter(
                PUBLIC_KEY_HEADER,
                str,
                OpenApiParameter.HEADER,
                description="The signer's key, for a hub that does not know it yet.",
            ),
        ],
        request=EnvelopeSerializer,
        responses={
            200: ReceiveResultSerializer,
            **peer_errors(
                400,
                403,
                404,
                409,
                *WITH_BODY,
                425,
                429,
                e403="Source server https://hub.example.com not trusted",
                e404="Agent not found",
                e422="missing: dispatch_id",
            ),
        },
    )
    def create(self) -> None:
        """Store an intent of a peer, once, then answer."""


class CallbackDescription(ViewSet):
    """Reports of peers about work that this hub dispatched to them."""

    @extend_schema(
        operation_id="federation_callback",
        summary="Receive a callback from a peer",
        tags=["peers"],
        auth=BY_PEER,
        parameters=SIGNED,
        request=CallbackSerializer,
        responses={
            200: CallbackResultSerializer,
            **peer_errors(
                400,
                403,
                404,
                409,
                *WITH_BODY,
                429,
                e403="Source server https://hub.example.com not trusted",
                e404="Dispatch not found",
                e409="The idempotency key was used for another callback",
                e422="missing: dispatch_id",
            ),
        },
    )
    def create(self) -> None:
        """Store a callback of the peer that got the dispatch, once, then answer."""


class CheckpointsDescription(ViewSet):
    """Checkpoints of the peers' logs and of this hub's log; docs/protocol-extensions.md describes the bodies."""

    @extend_schema(
        operation_id="federation_checkpoints",
        summary="Exchange checkpoints of the federation log",
        tags=["peers"],
        auth=BY_PEER,
        parameters=SIGNED,
        request=CheckpointExchangeSerializer,
        responses={
            200: HeldCheckpointsSerializer,
            **peer_errors(
                400,
                403,
                *WITH_BODY,
                429,
                e403="Source server https://hub.example.com not trusted",
                e422="type is not fedhub-log-exchange/1",
            ),
        },
    )
    def create(self) -> None:
        """Store the peer's newest checkpoint, then answer with this hub's, and with those of the peer that it holds."""


def described_by(description: type[ViewSet]) -> Callable[[View], View]:
    """Return the decorator that lets drf-spectacular describe a plain view by the method `create` of `description`."""

    def decorate(view: View) -> View:
        view.cls, view.initkwargs, view.actions = description, {}, {"post": "create"}  # type: ignore[attr-defined]
        return view

    return decorate
