"""The validator of django-oauth-toolkit, with exact redirect URIs, hidden codes and limits on guessing secrets."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import unquote_plus
from uuid import NAMESPACE_OID, UUID, uuid5

from oauth2_provider.models import AbstractApplication, get_refresh_token_model
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.oauth2 import InvalidGrantError, InvalidRequestError

from core.signin.attempts import Realm, attempt
from core.tokens.redirects import is_registered, may_receive_codes
from core.tokens.server import checksum_of_code


class HubValidator(OAuth2Validator):  # type: ignore[misc]
    """The validator of the endpoints of OAuth.

    It counts each wrong client secret, whether the secret is in the Authorization header or in the form. A redirect URI
    is compared as a text (RFC 9700, section 2.1), and the database holds only the checksums of authorization codes.
    """

    def validate_response_type(
        self, client_id: str, response_type: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Tell whether the program uses the code flow; the hub serves no other flow in which a person signs in."""
        return response_type == "code" and bool(client.allows_grant_type(AbstractApplication.GRANT_AUTHORIZATION_CODE))

    def validate_redirect_uri(self, client_id: str, redirect_uri: str, request: Any, *args: Any, **kwargs: Any) -> bool:
        """Tell whether the address is one of the program's addresses, and one that may receive codes."""
        is_known = may_receive_codes(redirect_uri) and is_registered(redirect_uri, request.client.redirect_uris.split())
        return is_known and bool(request.client.redirect_uri_allowed(redirect_uri))

    def validate_code(self, client_id: str, code: str, client: Any, request: Any, *args: Any, **kwargs: Any) -> bool:
        """Tell whether the code is known, unused and not expired; a used one ends the tokens that it gave.

        Two parties then hold the code, and one of them may be a thief (RFC 6749, section 4.1.2).
        """
        is_valid = bool(super().validate_code(client_id, code, client, request, *args, **kwargs))
        if not is_valid:
            get_refresh_token_model().revoke_family(family_of(code))
        return is_valid

    def invalidate_authorization_code(self, client_id: str, code: str, request: Any, *args: Any, **kwargs: Any) -> None:
        """Delete the code; raise InvalidGrantError, and end the tokens, if another request has just used it."""
        try:
            super().invalidate_authorization_code(client_id, code, request, *args, **kwargs)
        except InvalidGrantError:
            get_refresh_token_model().revoke_family(family_of(code))
            raise

    def _create_refresh_token(self, request: Any, refresh_token_code: str, access_token: Any, previous: Any) -> Any:
        token = super()._create_refresh_token(request, refresh_token_code, access_token, previous)
        if previous is None and request.grant_type == "authorization_code":
            token.token_family = family_of(request.code)
            token.save(update_fields=["token_family"])
        return token

    def _create_authorization_code(self, request: Any, code: dict[str, str], expires: Any = None) -> Any:
        hidden = {**code, "code": checksum_of_code(code["code"])}
        return super()._create_authorization_code(request, hidden, expires)

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


def family_of(code: str) -> UUID:
    """Return the name of the family of tokens that a code gives, from the checksum of the code.

    So a second use of the code finds the tokens of the first, although the code itself is deleted by then.
    """
    return uuid5(NAMESPACE_OID, code)


def client_id_of(credentials: str) -> str:
    """Return the client id of Basic credentials (RFC 7617), or the empty text if they cannot be read."""
    try:
        decoded = base64.b64decode(credentials).decode()
    except (binascii.Error, ValueError):
        return ""
    return unquote_plus(decoded.partition(":")[0])
