"""The issuer's public documents over HTTP; caches may keep them for five minutes."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from core.oidc import documents
from core.oidc.rotation import published_keys


@require_safe
@cache_control(public=True, max_age=300)
def discovery(request: HttpRequest) -> JsonResponse:
    """Serve the OpenID provider metadata."""
    return JsonResponse(documents.discovery(settings.FEDHUB_SERVER_URL))


@require_safe
@cache_control(public=True, max_age=300)
def jwks(request: HttpRequest) -> JsonResponse:
    """Serve the public keys as a JWK Set."""
    keys = published_keys(settings.FEDHUB_OIDC_KEY_PATH)
    return JsonResponse(documents.jwks(*(key.private_key.public_key() for key in keys)))
