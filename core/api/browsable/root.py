"""The first address of the API: every endpoint, for programs and people."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.browsable.described import hub_description
from core.api.browsable.endpoints import endpoint_list
from core.api.schema import error_responses
from core.api.viewsets import HubViewSet


class EndpointSerializer(serializers.Serializer[Any]):
    """One endpoint: what it does in a line, and the scope that it needs."""

    method = serializers.ChoiceField(["GET", "POST", "PUT", "PATCH", "DELETE"])
    path = serializers.CharField(help_text="The template of the path, with its parameters in braces.")
    title = serializers.CharField()
    description = serializers.CharField()
    scope = serializers.CharField(allow_null=True)
    signed = serializers.BooleanField(help_text="Whether only a peer can call it, by its signature or its token.")


class EndpointGroupSerializer(serializers.Serializer[Any]):
    """The endpoints of one subject."""

    name = serializers.CharField()
    description = serializers.CharField()
    endpoints = EndpointSerializer(many=True)


class RootViewSet(HubViewSet):
    """The endpoints of the API."""

    permission_classes = (AllowAny,)
    required_scopes = {}

    @extend_schema(
        operation_id="list_endpoints",
        summary="List the endpoints",
        tags=["system"],
        responses={
            200: inline_serializer(
                "EndpointList",
                {
                    "name": serializers.CharField(),
                    "docs": serializers.CharField(help_text="The address of the pages that describe the API."),
                    "schema": serializers.CharField(help_text="The address of the OpenAPI description."),
                    "groups": EndpointGroupSerializer(many=True),
                },
            ),
            **error_responses(),
        },
    )
    def list(self, request: Request) -> Response:
        """List every endpoint with the scope that it needs. This address needs no log-in."""
        groups = endpoint_list(hub_description())
        return Response({"name": "fedhub", "docs": "/api/docs", "schema": "/api/schema", "groups": groups})
