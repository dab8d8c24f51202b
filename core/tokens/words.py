"""The scopes of tokens in words: what a caller with each scope may do."""

from __future__ import annotations

from collections.abc import Iterable

from oauth2_provider.settings import oauth2_settings

from core.api.scopes import OF_ONE_FEDERATION


def scope_words(scope: str) -> str:
    """Return what a scope lets a caller do; the scope itself if the hub does not know it."""
    return str(oauth2_settings.SCOPES.get(scope, scope))


def scope_choices(scopes: Iterable[str]) -> list[tuple[str, str]]:
    """Return scopes with their words in the order of the setting, for a form."""
    wanted = set(scopes)
    return [(scope, scope_words(scope)) for scope in oauth2_settings.SCOPES if scope in wanted]


def reaches_further(scope: str) -> bool:
    """Tell whether a scope reaches beyond one federation, so that a token for one federation cannot have it."""
    return scope not in OF_ONE_FEDERATION
