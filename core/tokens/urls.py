"""OAuth: authorization and token endpoint (RFC 6749), revocation (RFC 7009), and their description (RFC 8414)."""

from __future__ import annotations

from django.urls import re_path
from oauth2_provider.views import OAuthServerMetadataView, RevokeTokenView

from core.tokens.consent import ConsentView
from core.tokens.views import HubTokenView

app_name = "oauth2_provider"

urlpatterns = [
    re_path(r"^o/authorize/?\Z", ConsentView.as_view(), name="authorize"),
    re_path(r"^o/token/?\Z", HubTokenView.as_view(), name="token"),
    re_path(r"^o/revoke_token/?\Z", RevokeTokenView.as_view(), name="revoke-token"),
    re_path(
        r"^\.well-known/oauth-authorization-server\Z", OAuthServerMetadataView.as_view(), name="oauth-server-metadata"
    ),
]
