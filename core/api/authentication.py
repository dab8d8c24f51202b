"""Who is calling: a token in a header, or a browser's session.

A present `Authorization` or `X-API-Key` header decides alone: a bad token is never rescued by a good session. Every
refusal looks the same from outside; the log says why.
"""

from __future__ import annotations

import hashlib
import logging
import re
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from oauth2_provider.models import get_access_token_model
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from core.api.errors import UNAUTHENTICATED
from core.api.scopes import Credential, scopes_of_roles

BEARER_CREDENTIALS = re.compile(r"Bearer +([A-Za-z0-9\-._~+/]+=*)\Z", re.IGNORECASE)
"""RFC 6750, section 2.1: `credentials = "Bearer" 1*SP b64token`; RFC 9110 makes the scheme's case irrelevant."""

TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*\Z")
LONGEST_TOKEN = 4096

logger = logging.getLogger(__name__)


class TokenOrSessionAuthentication(BaseAuthentication):
    """Authenticates by `Authorization: Bearer …` or `X-API-Key: …`, by the session only where neither is there."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, Credential] | None:
        """Return the user and what the request may use; None for nobody; raise AuthenticationFailed for a bad token."""
        tokens = presented_tokens(request)
        if not tokens:
            return self.authenticate_session(request)
        if len(tokens) > 1:
            # Either choice could be the wrong one: a proxy may have added its own header to a caller's.
            raise refusal("two different tokens")
        return self.authenticate_token(tokens.pop())

    def authenticate_session(self, request: Request) -> tuple[AbstractBaseUser, Credential] | None:
        """Return the session's user; an unsafe method needs the CSRF token, else PermissionDenied is raised."""
        found = SessionAuthentication().authenticate(request)
        if found is None:
            return None
        return found[0], Credential(scopes_of_roles(found[0]))

    def authenticate_token(self, raw: str) -> tuple[AbstractBaseUser, Credential]:
        """Return whom the token stands for: its user, or its application's owner for one without a user.

        Only checksums are stored (RFC 9700), so the token is looked up by its own.
        """
        checksum = hashlib.sha256(raw.encode()).hexdigest()
        model = get_access_token_model()
        token = model.objects.select_related("user", "application__user").filter(token_checksum=checksum).first()
        if token is None:
            raise refusal("unknown token")
        if token.is_expired():
            raise refusal(f"token {token.pk} has expired")
        if not token.allows_audience(settings.FEDHUB_SERVER_URL):
            raise refusal(f"token {token.pk} is meant for another server")
        user = token.user or (token.application.user if token.application else None)
        if user is None or not user.is_active:
            raise refusal(f"token {token.pk} stands for nobody active")
        return user, Credential(frozenset(token.scope.split()))

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401 (RFC 6750, section 3)."""
        return 'Bearer realm="fedhub"'


def presented_tokens(request: Request) -> set[str]:
    """Return the tokens that the request's headers present; raise AuthenticationFailed for one in no known form."""
    tokens = set()
    if (header := header_text(request, "HTTP_AUTHORIZATION")) is not None:
        match = BEARER_CREDENTIALS.match(header)
        if match is None:
            raise refusal("an Authorization header that is no bearer token")
        tokens.add(match[1])
    if (header := header_text(request, "HTTP_X_API_KEY")) is not None:
        if not TOKEN.match(header):
            raise refusal("an X-API-Key header that is no token")
        tokens.add(header)
    return tokens


def header_text(request: Request, name: str) -> str | None:
    """Return a header without surrounding white space; None where it is absent."""
    value: Any = request.META.get(name)
    if value is None:
        return None
    if len(value) > LONGEST_TOKEN:
        raise refusal("an oversized header")
    return str(value).strip()


def refusal(reason: str) -> AuthenticationFailed:
    """Log why, and return the refusal that tells the caller nothing of it."""
    logger.info("Refused a request: %s", reason)
    return AuthenticationFailed(UNAUTHENTICATED)
