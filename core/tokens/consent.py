"""The authorization endpoint: it asks the signed-in person whether a program may act for them (RFC 6749, 4.1)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from oauth2_provider.exceptions import OAuthToolkitError
from oauth2_provider.models import get_application_model
from oauth2_provider.oauth2_validators import is_valid_resource_uri
from oauth2_provider.settings import oauth2_settings
from oauth2_provider.views.base import BaseAuthorizationView
from oauthlib.oauth2 import InvalidScopeError
from oauthlib.oauth2.rfc6749.errors import CustomOAuth2Error

from core.api.middleware import ADMIN_POLICY
from core.api.scopes import scopes_of_roles

CREDENTIALS = ("client_id", "redirect_uri", "response_type", "state", "code_challenge", "code_challenge_method")
"""The parameters of an authorization request that are stored with its code."""

MAX_RESOURCES = 10


@method_decorator(never_cache, name="dispatch")
class ConsentView(BaseAuthorizationView):  # type: ignore[misc]
    """Shows who asks for what, and gives the program a code if the person allows it.

    The form has no copy of the request: it is sent to the address of the page, so each answer is checked against the
    same query as the page. The person is asked each time, because a public client cannot prove which program it is
    (RFC 8252, section 8.6). The code gets the requested scopes that the roles of the person give, and the addresses
    (`resource`, RFC 8707) at which alone the token is accepted; clients of MCP name one with each request.
    """

    login_url = reverse_lazy("rest_framework:login")
    http_method_names = ["get", "head", "post"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the question, or the error of a request that oauthlib refuses."""
        try:
            scopes, credentials = self.validate_authorization_request(request)
            granted = self._granted(scopes, credentials)
        except OAuthToolkitError as error:
            return self.error_response(error, None)
        application = get_application_model().objects.select_related("user").get(client_id=credentials["client_id"])
        words = oauth2_settings.SCOPES
        redirect = urlsplit(credentials["redirect_uri"])
        page = {
            "application": application,
            "host": redirect.netloc,
            "scopes": [(scope, words[scope]) for scope in granted],
            "withheld": [(scope, words[scope]) for scope in scopes if scope not in granted],
            "minutes": oauth2_settings.ACCESS_TOKEN_EXPIRE_SECONDS // 60,
            "days": oauth2_settings.REFRESH_TOKEN_EXPIRE_SECONDS // 86_400,
        }
        return self._page(page, redirect_to=f"{redirect.scheme}://{redirect.netloc}")

    def post(self, request: HttpRequest) -> HttpResponse:
        """Redirect to the program: with a code if the person pressed Allow, otherwise with `access_denied`."""
        try:
            scopes, credentials = self.validate_authorization_request(request)
            granted = self._granted(scopes, credentials)
            uri, *_ = self.create_authorization_response(
                request=request,
                scopes=" ".join(granted),
                # oauthlib would take the last `resource` alone, as a text, which the toolkit's row refuses.
                credentials={name: credentials.get(name) for name in CREDENTIALS}
                | {"resource": request.GET.getlist("resource")},
                allow="allow" in request.POST,
            )
        except OAuthToolkitError as error:
            return self.error_response(error, None)
        return self._redirect(uri)

    def error_response(self, error: OAuthToolkitError, application: Any, **context: Any) -> HttpResponse:
        """Tell the program; tell the person instead if the program or its address cannot be trusted."""
        redirect, found = super(BaseAuthorizationView, self).error_response(error)
        if redirect:
            # RFC 9207, section 2: an error response names its issuer too.
            return self._redirect(f"{found['url']}&{urlencode({'iss': oauth2_settings.OIDC_ISS_ENDPOINT})}")
        return self._page({"error": error.oauthlib_error}, status=error.oauthlib_error.status_code)

    def validate_authorization_request(self, request: HttpRequest) -> tuple[list[str], dict[str, Any]]:
        """Return the scopes and the credentials; raise OAuthToolkitError with `invalid_target` for a bad `resource`."""
        scopes, credentials = super().validate_authorization_request(request)
        resources = request.GET.getlist("resource")
        if len(resources) > MAX_RESOURCES or not all(is_valid_resource_uri(each) for each in resources):
            text = f"resource: at most {MAX_RESOURCES} absolute addresses without a fragment"
            error = CustomOAuth2Error(error="invalid_target", description=text, state=credentials.get("state"))
            raise OAuthToolkitError(error, redirect_uri=credentials["redirect_uri"])
        return scopes, credentials

    def _granted(self, scopes: Collection[str], credentials: dict[str, Any]) -> list[str]:
        """Return the scopes that the roles of the person give; raise OAuthToolkitError if they give none of them."""
        granted = sorted(scopes_of_roles(self.request.user, scopes))
        if not granted:
            refused = InvalidScopeError("The roles of this person give none of the scopes", state=credentials["state"])
            raise OAuthToolkitError(refused, redirect_uri=credentials["redirect_uri"])
        return granted

    def _redirect(self, uri: str) -> HttpResponse:
        response: HttpResponse = self.redirect(uri, None)
        return response

    def _page(self, context: dict[str, Any], *, status: int = 200, redirect_to: str = "") -> HttpResponse:
        shown = {**admin.site.each_context(self.request), "title": "Allow access", **context}
        response = render(self.request, "core/consent.html", shown, status=status)
        # A browser also applies `form-action` to the redirect that answers the form.
        allowed = f"form-action 'self' {redirect_to}".strip()
        response.headers["Content-Security-Policy"] = ADMIN_POLICY.replace("form-action 'self'", allowed)
        return response
