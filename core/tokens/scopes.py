"""Which scopes an application may ask for at the token endpoint."""

from __future__ import annotations

from typing import Any

from oauth2_provider.scopes import BaseScopes
from oauth2_provider.settings import oauth2_settings

from core.api.scopes import READ, scopes_of_roles


class OwnersScopes(BaseScopes):  # type: ignore[misc]
    """An application gets no scope that its owner's roles do not give; asking for none gets reading alone."""

    def get_all_scopes(self) -> dict[str, str]:
        """Return every scope with its description."""
        return dict(oauth2_settings.SCOPES)

    def get_available_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        """Return what the application's owner may do; without an application, every scope."""
        if application is None:
            return list(self.get_all_scopes())
        return sorted(scopes_of_roles(application.user)) if application.user else []

    def get_default_scopes(self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any) -> list[str]:
        """Return what a request that names no scope gets."""
        return [scope for scope in self.get_available_scopes(application) if scope == READ]
