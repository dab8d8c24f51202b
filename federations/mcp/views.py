"""The metadata of the MCP server as a protected resource (RFC 9728), from which clients find the way to sign in."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from oauth2_provider.views.metadata import OAuthProtectedResourceMetadataView

from core.api.scopes import READ
from federations.mcp.admission import resource_url


class McpResourceMetadataView(OAuthProtectedResourceMetadataView):  # type: ignore[misc]
    """The toolkit's view with the address of the MCP server, the hub as its authorization server, and one scope."""

    http_method_names = ["get", "head", "options"]

    def get_resource(self, request: HttpRequest) -> str:
        """Return the address of the MCP server; never that of the request, which a proxy may change."""
        return resource_url()

    def get_authorization_servers(self, request: HttpRequest) -> list[str]:
        """Return the hub itself."""
        return [settings.FEDHUB_SERVER_URL]

    def get_scopes_supported(self) -> list[str]:
        """Return the scope that every request needs."""
        return [READ]

    def get_resource_name(self) -> str:
        """Return the name that clients show to people."""
        return "fedhub registry"
