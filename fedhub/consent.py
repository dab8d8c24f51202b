"""The consent page with resource indicators: a program names the server that its token is for (RFC 8707)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from oauth2_provider.exceptions import OAuthToolkitError
from oauth2_provider.oauth2_validators import is_valid_resource_uri
from oauthlib.oauth2.rfc6749.errors import CustomOAuth2Error

from core.tokens.consent import ConsentView

MAX_RESOURCES = 10


class ResourceConsentView(ConsentView):
    """The consent page that also stores the `resource` parameters of the request with the code.

    Clients of MCP send `resource` with each authorization request. The token is then accepted at that address alone.
    """

    def validate_authorization_request(self, request: HttpRequest) -> tuple[list[str], dict[str, Any]]:
        """Return the scopes and the credentials; raise OAuthToolkitError with `invalid_target` for a bad `resource`."""
        scopes, credentials = super().validate_authorization_request(request)
        resources = request.GET.getlist("resource")
        if len(resources) > MAX_RESOURCES or not all(is_valid_resource_uri(each) for each in resources):
            text = f"resource: at most {MAX_RESOURCES} absolute addresses without a fragment"
            error = CustomOAuth2Error(error="invalid_target", description=text, state=credentials.get("state"))
            raise OAuthToolkitError(error, redirect_uri=credentials["redirect_uri"])
        return scopes, credentials

    def create_authorization_response(
        self, request: HttpRequest, scopes: str, credentials: dict[str, Any], allow: bool
    ) -> Any:
        """Return the address of the program with its code, as the toolkit does; the code keeps the resources."""
        # oauthlib would take the last `resource` of the address as a text, which the toolkit's row refuses.
        kept = {**credentials, "resource": request.GET.getlist("resource")}
        return super().create_authorization_response(request=request, scopes=scopes, credentials=kept, allow=allow)
