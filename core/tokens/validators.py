"""The validator of django-oauth-toolkit, with the limits on guessing client secrets."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import unquote_plus

from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.oauth2 import InvalidRequestError

from core.signin.attempts import Realm, attempt


class LimitedValidator(OAuth2Validator):  # type: ignore[misc]
    """The validator of the token and the revocation endpoint, with limits on wrong client secrets.

    It counts each wrong client secret, whether the secret is in the Authorization header or in the form.
    """

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        """Tell whether the program gave its secret; raise TooManyFailuresError if a limit of failures is used up.

        Raises InvalidRequestError for a request that authenticates in two ways (RFC 6749, section 2.3), because one
        such request would be two guesses.
        """
        in_header = self._extract_basic_auth(request)
        if in_header and request.client_secret:
            raise InvalidRequestError(
                "Send the client's secret in the header or in the form, not both", request=request
            )
        name = client_id_of(in_header) if in_header else request.client_id or ""
        with attempt(Realm.PROGRAM, name, str(request.headers.get("REMOTE_ADDR", ""))) as tried:
            tried.is_right = bool(super().authenticate_client(request, *args, **kwargs))
        return tried.is_right

    def _authenticate_basic_auth(self, request: Any) -> bool:
        # The toolkit decodes the credentials as Base64, which raises ValueError for a character outside ASCII.
        if not (self._extract_basic_auth(request) or "").isascii():
            return False
        return bool(super()._authenticate_basic_auth(request))

    def _load_application(self, client_id: str, request: Any) -> Any:
        # No program has such an id, and PostgreSQL refuses to look for it.
        if "\x00" in (client_id or ""):
            return None
        return super()._load_application(client_id, request)


def client_id_of(credentials: str) -> str:
    """Return the client id of Basic credentials (RFC 7617), or the empty text if they cannot be read."""
    try:
        decoded = base64.b64decode(credentials).decode()
    except (binascii.Error, ValueError):
        return ""
    return unquote_plus(decoded.partition(":")[0])
