"""Addresses of federation at the root of the hub, each with or without a slash at its end: no redirect."""

from __future__ import annotations

from django.urls import re_path

from peers.views import AgentsViewSet, DocumentViewSet, IntentViewSet, StatusViewSet

API = r"^api/v1"

urlpatterns = [
    re_path(
        r"^\.well-known/openintent-federation\.json/?\Z",
        DocumentViewSet.as_view({"get": "manifest"}),
        name="federation-manifest",
    ),
    re_path(r"^\.well-known/did\.json/?\Z", DocumentViewSet.as_view({"get": "did_document"}), name="did-document"),
    re_path(rf"{API}/federation/status/?\Z", StatusViewSet.as_view({"get": "retrieve"}), name="federation-status"),
    re_path(rf"{API}/federation/agents/?\Z", AgentsViewSet.as_view({"get": "list"}), name="federation-agents"),
    re_path(rf"{API}/intents/?\Z", IntentViewSet.as_view({"get": "list", "post": "create"}), name="intents"),
    re_path(rf"{API}/intents/(?P<intent_id>[^/]+)/?\Z", IntentViewSet.as_view({"get": "retrieve"}), name="intent"),
]
