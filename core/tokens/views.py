"""The view of the token endpoint."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from oauth2_provider.views import TokenView

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class HubTokenView(TokenView):  # type: ignore[misc]
    """django-oauth-toolkit's view without its device grant, which answers 500 for a missing or unknown device code."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer the grants that oauthlib answers; it refuses all but the client credentials grant."""
        if DEVICE_GRANT in request.POST.getlist("grant_type"):
            return JsonResponse({"error": "unsupported_grant_type"}, status=400, headers={"Cache-Control": "no-store"})
        response: HttpResponse = self.authorization_flow_token_response(request)
        return response
