"""The settings of django-oauth-toolkit: scopes, grants, and how tokens are stored."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

ACCESS_TOKEN_LIFETIME = timedelta(hours=1)
REFRESH_TOKEN_LIFETIME = timedelta(days=30)


def oauth_provider(issuer: str) -> dict[str, Any]:
    """Return the value of OAUTH2_PROVIDER for a hub whose server URL is `issuer`."""
    return {
        "SCOPES": {
            "federations-read": "See federations, their resources and jobs, and search",
            "federations-write": "Create, change, sync and delete federations",
            "system-ops": "Run the manual AgentCore runtime sync",
            "agents-run": "Give work to agents, and follow it",
            "peers-read": "See peers, dispatches and intents",
            "peers-write": "Dispatch intents to peers and make intents",
        },
        "OAUTH2_VALIDATOR_CLASS": "core.tokens.validators.HubValidator",
        # The server answers three grants alone: authorization code with PKCE, client credentials, refresh token.
        "OAUTH2_SERVER_CLASS": "core.tokens.server.HubServer",
        "OAUTH2_BACKEND_CLASS": "core.tokens.server.HubCore",
        "OAUTH2_RESPONSE_TYPES_SUPPORTED": ["code"],
        "OAUTH2_GRANT_TYPES_SUPPORTED": ["authorization_code", "client_credentials", "refresh_token"],
        "OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": ["client_secret_basic", "client_secret_post", "none"],
        "SCOPES_BACKEND_CLASS": "core.tokens.scopes.RoleScopes",
        # The parameter `iss` of an authorization response (RFC 9207), and the issuer of the metadata (RFC 8414).
        "OIDC_ISS_ENDPOINT": issuer,
        "AUTHORIZATION_CODE_EXPIRE_SECONDS": 60,
        "ACCESS_TOKEN_EXPIRE_SECONDS": int(ACCESS_TOKEN_LIFETIME.total_seconds()),
        "REFRESH_TOKEN_EXPIRE_SECONDS": int(REFRESH_TOKEN_LIFETIME.total_seconds()),
        # Each refresh gives a new refresh token; a second use of an old one ends its whole family (RFC 9700, 4.14.2).
        "ROTATE_REFRESH_TOKEN": True,
        "REFRESH_TOKEN_REUSE_PROTECTION": True,
        "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 0,
        "PKCE_REQUIRED": True,
        "ALLOW_URI_WILDCARDS": False,
        # Plain http is for programs on the person's own machine alone (core.tokens.redirects), on any port (RFC 8252).
        "ALLOWED_REDIRECT_URI_SCHEMES": ["https", "http"],
        "ALLOW_LOCALHOST_LOOPBACK": True,
        "DCR_ENABLED": False,
        "CIMD_ENABLED": False,
        # Each of these makes the toolkit refuse, or `check --deploy` report, what RFC 9700 forbids.
        "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
        "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
        "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
        "COMPLIANT_BCP_RFC9700_PKCE_REQUIRED": True,
        "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
        "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
        "COMPLIANT_BCP_RFC9700_REFRESH_TOKEN": True,
        "COMPLIANT_BCP_RFC9700_REDIRECT_URI_MATCHING": True,
        # The database holds only checksums of tokens (RFC 9700), so that a copy of it gives no access.
        "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
    }
