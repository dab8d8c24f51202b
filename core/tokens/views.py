"""The view of the token endpoint."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from oauth2_provider.views import TokenView


class HubTokenView(TokenView):  # type: ignore[misc]
    """django-oauth-toolkit's view without its own answer to the device grant, which the hub does not serve."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer the grants of core.tokens.server; every other one is refused."""
        response: HttpResponse = self.authorization_flow_token_response(request)
        # The toolkit sends the errors that the storing of tokens finds without these headers (RFC 6749, section 5).
        response["Content-Type"] = "application/json"
        response["Cache-Control"] = "no-store"
        return response
