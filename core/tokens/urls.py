"""The OAuth 2.0 token endpoint (RFC 6749, client credentials) and revocation (RFC 7009)."""

from __future__ import annotations

from django.urls import re_path
from oauth2_provider.views import RevokeTokenView

from core.tokens.views import HubTokenView

app_name = "oauth2_provider"

urlpatterns = [
    re_path(r"^token/?\Z", HubTokenView.as_view(), name="token"),
    re_path(r"^revoke_token/?\Z", RevokeTokenView.as_view(), name="revoke-token"),
]
