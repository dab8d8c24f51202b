"""The URLs of the hub."""

from __future__ import annotations

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from core.api.browsable.root import RootViewSet
from core.api.errors import not_found
from federations.admin.parts import skills_page, tools_page
from federations.admin.schedules_page import schedules_page
from federations.mcp.admission import METADATA_PATH
from federations.mcp.views import McpResourceMetadataView
from fedhub.admin.dashboard import live_part
from fedhub.admin.own_password import change_own_password
from fedhub.admin.own_tokens import new_token, own_tokens, revoke_token
from fedhub.admin.roles_page import roles_page
from fedhub.admin.search import search_everything
from fedhub.admin.storage import storage_page
from fedhub.health import healthz, readyz
from fedhub.metrics import metrics

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    # A browser asks for this address by itself where a page names no icon.
    path("favicon.ico", RedirectView.as_view(url=static("fedhub/favicon.svg"))),
    path("", include("core.oidc.urls")),
    path("", include("core.people.urls")),
    path("admin/password_change/", admin.site.admin_view(change_own_password, cacheable=True)),
    path("admin/dashboard/live/", admin.site.admin_view(live_part), name="admin-dashboard-live"),
    path("admin/search/", admin.site.admin_view(search_everything)),
    path("admin/tools/", admin.site.admin_view(tools_page), name="admin-tools"),
    path("admin/skills/", admin.site.admin_view(skills_page), name="admin-skills"),
    path("admin/schedules/", admin.site.admin_view(schedules_page), name="admin-schedules"),
    path("admin/roles/", admin.site.admin_view(roles_page), name="admin-roles"),
    path("admin/storage/", admin.site.admin_view(storage_page), name="admin-storage"),
    # Every signed-in person has these, also one who may not open the admin.
    path("admin/my-tokens/", own_tokens, name="own-tokens"),
    path("admin/my-tokens/new/", new_token, name="new-token"),
    path("admin/my-tokens/<int:pk>/revoke/", revoke_token, name="revoke-token"),
    path("admin/", admin.site.urls),
    re_path(r"^healthz/?\Z", healthz, name="healthz"),
    re_path(r"^readyz/?\Z", readyz, name="readyz"),
    re_path(r"^metrics/?\Z", metrics, name="metrics"),
    path("", include("core.tokens.urls")),
    path(METADATA_PATH.lstrip("/"), McpResourceMetadataView.as_view(), name="mcp-resource-metadata"),
    path("api/auth/", include("rest_framework.urls")),
    re_path(r"^api/schema/?\Z", SpectacularAPIView.as_view(), name="schema"),
    re_path(r"^api/docs/?\Z", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    re_path(r"^api/v1/?\Z", RootViewSet.as_view({"get": "list"}), name="api"),
    path("api/v1/", include("federations.api.urls")),
    path("v0.1/", include("federations.api.registry_urls")),
    path("", include("peers.api.urls")),
    # handler404 is not enough: with DEBUG on, Django answers an unknown URL in HTML, and a POST there with a CSRF page.
    re_path(r"^api(/.*)?\Z", csrf_exempt(not_found)),
]

handler400 = "core.api.errors.bad_request"
handler404 = "core.api.errors.not_found"
handler500 = "core.api.pages.answer_failure"
