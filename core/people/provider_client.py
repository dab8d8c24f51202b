"""The client of a sign-in provider: Authlib's, with the checks that Authlib leaves out."""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.django_client import DjangoIntegration, DjangoOAuth2App
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from joserfc.errors import JoseError

from core.people.guarded_requests import guard
from core.people.providers import SignInProvider

# Signatures that the provider's public key verifies. A program that knows the client secret must not sign.
ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
LEEWAY_SECONDS = 60
METADATA_SECONDS = 3600
PAUSE_SECONDS = 10
MAX_STATES = 5
STRANGER_SECONDS = 900
"""How long a session lasts that only waits for its person to come back from a provider."""

ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
# What a faulty answer of a provider makes Authlib, joserfc and the readers of JSON raise.
FAULTS = (AuthlibBaseError, JoseError, requests.RequestException, ValueError, TypeError, KeyError, AttributeError)

logger = logging.getLogger(__name__)


class SignInRefusedError(Exception):
    """Raised for a sign-in at a provider that failed; the message is for the person, and the log has the reason."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Returned:
    """A person who came back from a provider: the verified claims, and what the hub stored when they left."""

    claims: Mapping[str, Any]
    purpose: str
    next_url: str


class _App(DjangoOAuth2App):
    """Authlib's client, whose requests go through the guarded client, and whose metadata is checked and renewed."""

    issuer = ""
    server_metadata: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._loading = threading.Lock()
        self._failed_at = 0.0

    def _get_session(self) -> Any:
        session = super()._get_session()
        guard(session)
        return session

    def _get_oauth_client(self, **metadata: Any) -> Any:
        session = super()._get_oauth_client(**metadata)
        guard(session)
        return session

    def load_server_metadata(self) -> Any:
        """Return the provider's metadata (OpenID Connect Discovery), at most an hour old; raise ValueError.

        One thread at a time asks the provider, and none for some seconds after a failure: otherwise strangers at the
        log-in page could make all web threads wait for a provider that is down.
        """
        with self._loading:
            if time.time() - self.server_metadata.get("_loaded_at", 0) < METADATA_SECONDS:
                return self.server_metadata
            if time.time() - self._failed_at < PAUSE_SECONDS:
                raise ValueError("the provider did not answer as it should a moment ago")
            try:
                with self._get_session() as session:
                    response = session.request("GET", self._server_metadata_url, withhold_token=True)
                    response.raise_for_status()
                    self.server_metadata = _checked_metadata(response.json(), self.issuer)
            except FAULTS:
                self._failed_at = time.time()
                raise
            return self.server_metadata


def begin(request: HttpRequest, provider: SignInProvider, *, purpose: str, next_url: str) -> str:
    """Store state, nonce and PKCE verifier in the session; return the provider's address to send the person to.

    With the purpose "confirm" the provider must ask the person again. Raises SignInRefusedError.
    """
    app = _app(provider)
    asks = {"prompt": "login", "max_age": "0"} if purpose == "confirm" else {}
    try:
        made = app.create_authorization_url(redirect_uri(provider), **asks)
    except FAULTS as exc:
        raise _refused(provider, f"{provider.title} does not answer as it should. Try again later.", exc) from exc
    _forget_states(request)
    app.save_authorize_data(
        request, redirect_uri=redirect_uri(provider), purpose=purpose, next_url=next_url, begun_at=time.time(), **made
    )
    if not request.user.is_authenticated:
        request.session.set_expiry(STRANGER_SECONDS)
    return str(made["url"])


def finish(request: HttpRequest, provider: SignInProvider) -> Returned:
    """Exchange the code of a callback and return the verified claims; raise SignInRefusedError.

    A state is used once, and only by the session and for the provider that it was made for.
    """
    app = _app(provider)
    stored = app.framework.get_state_data(request.session, request.GET.get("state"))
    if not stored:
        text = "This sign-in was not begun in this browser, or it is too old. Begin again."
        raise _refused(provider, text, ValueError("unknown state"))
    failure = f"{provider.title} did not confirm who you are. Try again."
    try:
        _check_callback(request, app, provider)
        # Authlib forgets the state before it sends the code, so that no code is sent twice.
        token = app.authorize_access_token(
            request,
            claims_options={
                "iss": {"essential": True, "value": provider.issuer},
                "aud": {"essential": True, "value": provider.client_id},
            },
            leeway=LEEWAY_SECONDS,
        )
        # Authlib verifies nothing if the answer has no ID token.
        claims = dict(token["userinfo"])
        _check_claims(claims, provider, stored)
        claims = _with_userinfo(app, provider, token, claims)
    except FAULTS as exc:
        app.framework.clear_state_data(request.session, request.GET.get("state"))
        raise _refused(provider, failure, exc) from exc
    return Returned(claims, stored["purpose"], stored["next_url"])


def redirect_uri(provider: SignInProvider) -> str:
    """Return the address of the provider's callback. Each provider has its own, which stops mix-ups (RFC 9700)."""
    return settings.FEDHUB_SERVER_URL + reverse("sign-in-callback", args=[provider.name])


@lru_cache(maxsize=32)
def _app(provider: SignInProvider) -> _App:
    app = _App(
        DjangoIntegration(provider.name),
        name=provider.name,
        client_id=provider.client_id,
        client_secret=provider.client_secret,
        server_metadata_url=f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={"scope": " ".join(provider.scopes), "code_challenge_method": "S256"},
    )
    app.issuer = provider.issuer
    return app


def forget_metadata() -> None:
    """Forget what this process has read of the providers."""
    _app.cache_clear()


def _checked_metadata(found: Any, issuer: str) -> dict[str, Any]:
    """Return the metadata that the hub uses; raise ValueError for another issuer or unusable endpoints."""
    if found["issuer"] != issuer:
        raise ValueError(f"the metadata is of the issuer {found['issuer']!r}")
    metadata = {name: found[name] for name in ENDPOINTS}
    if isinstance(found.get("userinfo_endpoint"), str):
        metadata["userinfo_endpoint"] = found["userinfo_endpoint"]
    for name, url in metadata.items():
        if not isinstance(url, str) or urlsplit(url).scheme not in ("https", "http"):
            raise ValueError(f"{name} is not an http(s) address")
    # The default of the specification is RS256. A symmetric algorithm is not used even if the provider names it.
    offered = found.get("id_token_signing_alg_values_supported", ["RS256"])
    algorithms = [name for name in offered if name in ALGORITHMS]
    if not algorithms:
        raise ValueError("the provider has no signature algorithm that the hub accepts")
    methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    if "client_secret_basic" not in methods and "client_secret_post" in methods:
        metadata["token_endpoint_auth_method"] = "client_secret_post"  # noqa: S105 (a method)
    return metadata | {
        "issuer": issuer,
        "id_token_signing_alg_values_supported": algorithms,
        "names_issuer": found.get("authorization_response_iss_parameter_supported") is True,
        "_loaded_at": time.time(),
    }


def _check_callback(request: HttpRequest, app: _App, provider: SignInProvider) -> None:
    """Raise ValueError if the callback names another issuer, or none although the provider names it (RFC 9207)."""
    named = request.GET.getlist("iss")
    if named and named != [provider.issuer]:
        raise ValueError("the callback names another issuer")
    if not named and app.load_server_metadata()["names_issuer"]:
        raise ValueError("the callback names no issuer")
    if "code" not in request.GET and "error" not in request.GET:
        raise ValueError("the callback has no code")


def _check_claims(claims: Mapping[str, Any], provider: SignInProvider, stored: Mapping[str, Any]) -> None:
    """Check again what must never be left out: issuer, subject, nonce; and the time of a proof that was asked for."""
    if claims["iss"] != provider.issuer or not hmac.compare_digest(str(claims["nonce"]), str(stored["nonce"])):
        raise ValueError("another issuer or nonce")
    subject = claims["sub"]
    if not isinstance(subject, str) or not subject or len(subject) > 255:
        raise ValueError("the subject is not a text of at most 255 characters")
    if stored["purpose"] == "confirm" and not claims["auth_time"] >= stored["begun_at"] - LEEWAY_SECONDS:
        raise ValueError("the provider did not ask the person again")


def _with_userinfo(app: _App, provider: SignInProvider, token: Any, claims: dict[str, Any]) -> dict[str, Any]:
    """Add claims of the userinfo endpoint if the ID token lacks some that the hub reads."""
    wanted = {claim for _, claim in provider.claims}
    if wanted <= set(claims) or "userinfo_endpoint" not in app.load_server_metadata():
        return claims
    # Without its times: Authlib refuses a token that lives shorter than a minute, which was made just now.
    more = app.userinfo(token={"access_token": token["access_token"], "token_type": "Bearer"})
    if more["sub"] != claims["sub"]:
        # OpenID Connect Core, section 5.3.2: the claims of another subject MUST NOT be used.
        raise ValueError("the userinfo is of another subject")
    return {name: more[name] for name in wanted if name in more} | claims


def _forget_states(request: HttpRequest) -> None:
    """Keep the newest states of the session, so that it does not grow with each start of a sign-in."""
    names = [name for name in request.session.keys() if name.startswith("_state_")]  # noqa: SIM118 (no iterator)
    names.sort(key=lambda name: request.session[name].get("exp", 0))
    for name in names[: max(0, len(names) - MAX_STATES + 1)]:
        del request.session[name]


def _refused(provider: SignInProvider, message: str, cause: Exception) -> SignInRefusedError:
    logger.warning("Refused a sign-in at %s: %s", provider.name, f"{type(cause).__name__}: {cause}"[:300])
    return SignInRefusedError(message)
