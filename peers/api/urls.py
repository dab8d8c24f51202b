"""Paths of the protocol, at the root of the hub. Each path works with and without a final slash, without a redirect."""

from __future__ import annotations

from django.urls import URLPattern, re_path

from peers.api.message_views import callback, checkpoints, receive
from peers.api.views import AgentsViewSet, DocumentViewSet, IntentViewSet, StatusViewSet
from peers.api.views_ard import ArdViewSet
from peers.api.views_dispatch import DispatchViewSet

FEDERATION = r"^api/v1/federation"
INTENTS = r"^api/v1/intents"

document_patterns: list[URLPattern] = [
    re_path(
        r"^\.well-known/openintent-federation\.json/?\Z",
        DocumentViewSet.as_view({"get": "manifest"}),
        name="federation-manifest",
    ),
    re_path(r"^\.well-known/did\.json/?\Z", DocumentViewSet.as_view({"get": "did_document"}), name="did-document"),
]
message_patterns: list[URLPattern] = [
    re_path(rf"{FEDERATION}/receive/?\Z", receive, name="federation-receive"),
    re_path(rf"{FEDERATION}/callback/?\Z", callback, name="federation-callback"),
    re_path(rf"{FEDERATION}/log/checkpoints/?\Z", checkpoints, name="federation-checkpoints"),
]
federation_patterns: list[URLPattern] = [
    *message_patterns,
    re_path(rf"{FEDERATION}/status/?\Z", StatusViewSet.as_view({"get": "retrieve"}), name="federation-status"),
    re_path(rf"{FEDERATION}/agents/?\Z", AgentsViewSet.as_view({"get": "list"}), name="federation-agents"),
    re_path(rf"{FEDERATION}/dispatch/?\Z", DispatchViewSet.as_view({"post": "create"}), name="federation-dispatch"),
]
intent_patterns: list[URLPattern] = [
    re_path(rf"{INTENTS}/?\Z", IntentViewSet.as_view({"get": "list", "post": "create"}), name="intents"),
    re_path(rf"{INTENTS}/(?P<intent_id>[^/]+)/?\Z", IntentViewSet.as_view({"get": "retrieve"}), name="intent"),
]

ard_patterns: list[URLPattern] = [
    re_path(r"^\.well-known/(?:ard|ai-catalog)\.json\Z", ArdViewSet.as_view({"get": "manifest"}), name="ard-manifest"),
    re_path(r"^ard/search/?\Z", ArdViewSet.as_view({"post": "search"}), name="ard-search"),
    re_path(r"^ard/explore/?\Z", ArdViewSet.as_view({"post": "missing"}), name="ard-explore"),
    re_path(r"^ard/agents/?\Z", ArdViewSet.as_view({"get": "missing"}), name="ard-list"),
    re_path(r"^ard/agents/(?P<identifier>.+)\Z", ArdViewSet.as_view({"get": "entry"}), name="ard-entry"),
    re_path(r"^ard/cards/(?P<kind>agent|server)/(?P<name>.+)\Z", ArdViewSet.as_view({"get": "card"}), name="ard-card"),
]

urlpatterns = [*document_patterns, *ard_patterns, *federation_patterns, *intent_patterns]
