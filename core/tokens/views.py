"""The view of the token endpoint."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from oauth2_provider.views import TokenView


class HubTokenView(TokenView):  # type: ignore[misc]
    """django-oauth-toolkit's view without its device grant, which answers 500 if the form has no device code."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer every grant by oauthlib, which refuses all but the client credentials grant."""
        response: HttpResponse = self.authorization_flow_token_response(request)
        return response
