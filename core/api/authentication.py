"""Authentication of API requests: by a token in a header, or by a browser's session.

If an `Authorization` or `X-API-Key` header is present, the session is not read: a bad token is refused even beside a
good session. All refusals have one body; the log has the reason.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import DEFAULT_DB_ALIAS
from django.http import HttpRequest
from oauth2_provider.models import get_access_token_model
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from core.acting import name_actor
from core.actors import actor_of
from core.api.errors import UNAUTHENTICATED
from core.api.scopes import OF_ONE_FEDERATION, Credential, scopes_of_roles
from core.programs.foreign_tokens import COMPACT, ForeignTokenError, accept
from core.programs.keys import KEY_SETS
from core.programs.models import OneFederationUser, TokenNote
from core.programs.uses import note_foreign_use, record_use
from core.signin.attempts import address_of
from core.store.compiled_queries import CompiledQuery, any_of

BEARER_CREDENTIALS = re.compile(r"Bearer +([A-Za-z0-9\-._~+/]+=*)\Z", re.IGNORECASE)
"""RFC 6750, section 2.1: `credentials = "Bearer" 1*SP b64token`; the scheme is case-insensitive (RFC 9110, 11.1)."""

TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*\Z")
MAX_HEADER_CHARS = 4096

logger = logging.getLogger(__name__)

_TOKENS = CompiledQuery(
    lambda checksums: (
        get_access_token_model()
        .objects.select_related("user", "application__user", "last_use", "note")
        .filter(any_of("token_checksum", checksums))
        .order_by()
    ),
    DEFAULT_DB_ALIAS,
)


class TokenOrSessionAuthentication(BaseAuthentication):
    """Authenticates each API request: by `Authorization: Bearer …` or `X-API-Key: …`, or by the browser's session.

    The session is used only if the request has neither of the two headers.
    """

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, Credential] | None:
        """Return the user and the credential, or None for an anonymous request; raise AuthenticationFailed."""
        tokens = presented_tokens(request)
        if not tokens:
            return self.authenticate_session(request)
        if len(tokens) > 1:
            # The hub cannot tell which token is the caller's: a proxy may have added the other header.
            raise refusal("two different tokens")
        return self.authenticate_token(tokens.pop(), address_of(request))

    def authenticate_session(self, request: Request) -> tuple[AbstractBaseUser, Credential] | None:
        """Return the session's user, or None; raise PermissionDenied for an unsafe method without the CSRF token."""
        found = SessionAuthentication().authenticate(request)
        if found is None:
            return None
        return found[0], Credential(scopes_of_roles(found[0]))

    def authenticate_token(
        self, raw: str, address: str = "", *, audience: str = ""
    ) -> tuple[AbstractBaseUser, Credential]:
        """Return the token's user and scopes; a token without a user acts for the owner of its application.

        The returned scopes are the scopes of the token that the roles of the user give at the time of the request. So
        if the user loses a right, each token issued earlier loses that right too.

        A token that names audiences must be for `audience`, an address of this hub; the default is FEDHUB_SERVER_URL.
        The user of a token for one federation is a OneFederationUser, with scopes that concern one federation alone.

        The database holds only checksums of tokens (RFC 9700), so the token is looked up by its checksum. A use from
        `address` is recorded at most once a minute. If other issuers are trusted, a token in the form of a JWT must be
        one of theirs. Raises AuthenticationFailed.
        """
        if settings.FEDHUB_JWT_ISSUERS and COMPACT.match(raw):
            return self.authenticate_foreign(raw, address)
        checksum = hashlib.sha256(raw.encode()).hexdigest()
        found = _TOKENS.rows([checksum])
        if not found:
            raise refusal("unknown token")
        token = found[0]
        if token.is_expired():
            raise refusal(f"token {token.pk} has expired")
        if not token.allows_audience(audience or settings.FEDHUB_SERVER_URL):
            raise refusal(f"token {token.pk} has another server as its audience")
        user = token.user or (token.application.user if token.application else None)
        if user is None or not user.is_active:
            raise refusal(f"token {token.pk} has no active user")
        record_use(token, address)
        name_actor(actor_of(user), token.application.name if token.application else "")
        scopes = scopes_of_roles(user, token.scope.split())
        note: TokenNote | None = getattr(token, "note", None)
        if note is None or not note.federation_id:
            return user, Credential(scopes)
        return OneFederationUser.of(user, note.federation_id), Credential(scopes & OF_ONE_FEDERATION)

    def authenticate_foreign(self, raw: str, address: str) -> tuple[AbstractBaseUser, Credential]:
        """Return the user that FEDHUB_JWT_ISSUERS names for a JWT, and its scopes that the user's roles give.

        Raises AuthenticationFailed.
        """
        try:
            accepted = accept(raw, settings.FEDHUB_JWT_ISSUERS, now=time.time(), find_key=KEY_SETS.find)
        except ForeignTokenError as exc:
            raise refusal(f"a JWT: {exc}") from exc
        user = get_user_model()._default_manager.filter(username=accepted.user).first()
        if user is None or not user.is_active:
            raise refusal(f"the tokens of {accepted.issuer} have no active user")
        note_foreign_use(accepted, address)
        name_actor(actor_of(user), accepted.issuer)
        return user, Credential(scopes_of_roles(user, accepted.scopes))

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401 (RFC 6750, section 3)."""
        return 'Bearer realm="fedhub"'


def presented_tokens(request: Request | HttpRequest) -> set[str]:
    """Return the tokens in the request's headers; raise AuthenticationFailed for a header of another form."""
    tokens = set()
    if (header := read_header(request, "HTTP_AUTHORIZATION")) is not None:
        match = BEARER_CREDENTIALS.match(header)
        if match is None:
            raise refusal("an Authorization header without a bearer token")
        tokens.add(match[1])
    if (header := read_header(request, "HTTP_X_API_KEY")) is not None:
        if not TOKEN.match(header):
            raise refusal("an X-API-Key header without a token")
        tokens.add(header)
    return tokens


def read_header(request: Request | HttpRequest, name: str) -> str | None:
    """Return a header without surrounding white space, or None; raise AuthenticationFailed for an oversized one."""
    value: Any = request.META.get(name)
    if value is None:
        return None
    if len(value) > MAX_HEADER_CHARS:
        raise refusal("an oversized header")
    return str(value).strip()


def refusal(reason: str) -> AuthenticationFailed:
    """Log the reason, and return the refusal, which does not tell the reason."""
    logger.info("Refused a request: %s", reason)
    return AuthenticationFailed(UNAUTHENTICATED)
