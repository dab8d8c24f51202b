"""The well-known URLs at the root of the issuer (RFC 8615)."""

from django.urls import path

from core.oidc import documents, views

urlpatterns = [
    path(documents.DISCOVERY_PATH.lstrip("/"), views.discovery, name="oidc-discovery"),
    path(documents.JWKS_PATH.lstrip("/"), views.jwks, name="oidc-jwks"),
]
