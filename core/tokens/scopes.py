"""The scopes that an application may request: those that the roles of the person behind a token give."""

from __future__ import annotations

from typing import Any

from oauth2_provider.models import AbstractApplication
from oauth2_provider.scopes import BaseScopes
from oauth2_provider.settings import oauth2_settings

from core.api.scopes import READ, scopes_of_roles
from core.tokens.programs import scopes_of_program


class RoleScopes(BaseScopes):  # type: ignore[misc]
    """The scopes that django-oauth-toolkit offers to an application.

    A program with client credentials acts for its owner, so it may request the scopes that the roles of the owner give.
    A program that a person signs in with may ask for every scope: the consent page cuts the scopes by the roles of that
    person. Both are cut by the scopes that the form of the program names (ProgramScopes). A request that names no scope
    gets the reading scope.
    """

    def get_all_scopes(self) -> dict[str, str]:
        """Return every scope with its description."""
        return dict(oauth2_settings.SCOPES)

    def get_available_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        """Return the scopes that `application` may request; without an application, return every scope."""
        if application is None:
            return list(self.get_all_scopes())
        if application.authorization_grant_type == AbstractApplication.GRANT_AUTHORIZATION_CODE:
            given = list(self.get_all_scopes())
        else:
            given = sorted(scopes_of_roles(application.user)) if application.user else []
        limit = set(scopes_of_program(application))
        return [scope for scope in given if scope in limit]

    def get_default_scopes(self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any) -> list[str]:
        """Return the scopes of a request that does not name a scope."""
        return [scope for scope in self.get_available_scopes(application) if scope == READ]
