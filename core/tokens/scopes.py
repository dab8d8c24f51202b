"""The scopes that an application may request at the token endpoint."""

from __future__ import annotations

from typing import Any

from oauth2_provider.scopes import BaseScopes
from oauth2_provider.settings import oauth2_settings

from core.api.scopes import READ, scopes_of_roles


class OwnerScopes(BaseScopes):  # type: ignore[misc]
    """The scopes that django-oauth-toolkit offers to an application: those that the roles of the owner give.

    A token request that names no scope gets the reading scope.
    """

    def get_all_scopes(self) -> dict[str, str]:
        """Return every scope with its description."""
        return dict(oauth2_settings.SCOPES)

    def get_available_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        """Return the scopes of the application's owner; without an application, return every scope."""
        if application is None:
            return list(self.get_all_scopes())
        return sorted(scopes_of_roles(application.user)) if application.user else []

    def get_default_scopes(self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any) -> list[str]:
        """Return the scopes of a request that does not name a scope."""
        return [scope for scope in self.get_available_scopes(application) if scope == READ]
