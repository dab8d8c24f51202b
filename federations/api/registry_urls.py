"""The routes of the API of the MCP registry. The slash in a server's name may be encoded."""

from __future__ import annotations

from django.urls import re_path

from federations.api.registry_views import RegistryViewSet, registry_door

NAME = r"^servers/(?P<registry_name>.+)/versions"

urlpatterns = [
    re_path(r"^servers/?\Z", registry_door(RegistryViewSet.as_view({"get": "list"})), name="registry-servers"),
    re_path(rf"{NAME}/?\Z", registry_door(RegistryViewSet.as_view({"get": "versions"})), name="registry-versions"),
    re_path(
        rf"{NAME}/(?P<version>[^/]+)/?\Z",
        registry_door(RegistryViewSet.as_view({"get": "retrieve"})),
        name="registry-version",
    ),
]
