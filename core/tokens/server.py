"""The OAuth server of oauthlib with the grants that the hub serves, and the reader that gives it Django's requests."""

from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpRequest
from oauth2_provider.oauth2_backends import OAuthLibCore
from oauthlib.oauth2 import (
    AuthorizationCodeGrant,
    AuthorizationEndpoint,
    BearerToken,
    ClientCredentialsGrant,
    RefreshTokenGrant,
    RevocationEndpoint,
    TokenEndpoint,
)


class PkceCodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    """The authorization code grant whose code challenge must be S256, and whose codes are stored as checksums.

    The method `plain` sends the verifier itself with the authorization request (RFC 7636, section 7.2).
    """

    _code_challenge_methods = {"S256": AuthorizationCodeGrant._code_challenge_methods["S256"]}

    def validate_token_request(self, request: Any) -> None:
        """Validate the request as oauthlib does, after the code is replaced by the checksum that the database holds."""
        if request.code is not None:
            request.code = checksum_of_code(request.code)
        super().validate_token_request(request)


class HubServer(AuthorizationEndpoint, TokenEndpoint, RevocationEndpoint):  # type: ignore[misc]
    """The OAuth server of the hub: authorization code with PKCE, client credentials, refresh token, and revocation.

    The implicit, the password and the device grant do not exist here, whatever an application's row names.
    """

    def __init__(
        self,
        request_validator: Any,
        token_expires_in: int | None = None,
        token_generator: Any = None,
        refresh_token_generator: Any = None,
        **ignored: Any,
    ) -> None:
        """Take the arguments that django-oauth-toolkit gives to a server; `ignored` are those of the device grant."""
        bearer = BearerToken(request_validator, token_generator, token_expires_in, refresh_token_generator)
        code = PkceCodeGrant(request_validator)
        AuthorizationEndpoint.__init__(
            self, default_response_type="code", response_types={"code": code}, default_token_type=bearer
        )
        TokenEndpoint.__init__(
            self,
            default_grant_type="authorization_code",
            grant_types={
                "authorization_code": code,
                "client_credentials": ClientCredentialsGrant(request_validator),
                "refresh_token": RefreshTokenGrant(request_validator),
            },
            default_token_type=bearer,
        )
        RevocationEndpoint.__init__(self, request_validator)


class HubCore(OAuthLibCore):  # type: ignore[misc]
    """The reader of requests, which gives oauthlib the query as Django has decoded it.

    oauthlib raises ValueError, an internal error, for a query with a percent sign that encodes nothing.
    """

    def _get_escaped_full_path(self, request: HttpRequest) -> str:
        query = request.GET.urlencode()
        return f"{request.path}?{query}" if query else request.path


def checksum_of_code(code: str) -> str:
    """Return what the database holds of an authorization code: its SHA-256, in hexadecimal digits."""
    return hashlib.sha256(code.encode()).hexdigest()
