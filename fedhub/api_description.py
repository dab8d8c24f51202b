"""The settings of drf-spectacular: the texts of the API's description, and how it is made and shown."""

from __future__ import annotations

from typing import Any

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "fedhub",
    "DESCRIPTION": (
        "Federations of AI agents: discover, synchronize, search.\n\n"
        'Get a token with `manage.py issue_token --user NAME --scopes "federations-read federations-write"`, and send '
        "it as `Authorization: Bearer TOKEN`; a browser that is signed in to the [admin](/admin/) needs no token."
    ),
    "TAGS": [
        {"name": "federations", "description": "Cloud accounts to discover, their syncs and jobs"},
        {"name": "resources", "description": "The discovered MCP servers and A2A agents"},
        {"name": "runs", "description": "Work that is given to A2A agents"},
        {"name": "search", "description": "Search over all resources"},
        {"name": "peers", "description": "Hubs of other organizations, and the work that hubs send each other"},
        {"name": "system", "description": "The list of endpoints, and runtimes that belong to no federation"},
    ],
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            # OpenAPI has no scheme for signatures in headers and in the body.
            "peer": {
                "type": "apiKey",
                "in": "header",
                "name": "X-API-Key",
                "description": "A token bound to this peer. Signed requests (RFC 9421) and signed envelopes need none.",
            }
        }
    },
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "PREPROCESSING_HOOKS": ["core.api.schema.strip_optional_slash"],
    "ENUM_NAME_OVERRIDES": {
        name: f"federations.models.{name}"
        for name in ("ProviderType", "FederationStatus", "SyncStatus", "JobType", "JobStatus", "JobPhase")
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}
