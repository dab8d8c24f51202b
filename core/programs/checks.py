"""System checks of FEDHUB_JWT_ISSUERS: the users that bound the tokens, and addresses without TLS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps.config import AppConfig
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, router


@register(Tags.database)
def check_issuer_users(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Require the user of each issuer to exist and to be active; warn of a superuser, because it bounds nothing."""
    model = get_user_model()
    if not settings.FEDHUB_JWT_ISSUERS or router.db_for_read(model) not in (databases or ()):
        return []
    names = {issuer.user for issuer in settings.FEDHUB_JWT_ISSUERS}
    try:
        users = {user.get_username(): user for user in model.objects.filter(**{f"{model.USERNAME_FIELD}__in": names})}
    except DatabaseError:
        # Before the first migration no table of users exists.
        return []
    found: list[CheckMessage] = []
    for issuer in settings.FEDHUB_JWT_ISSUERS:
        user = users.get(issuer.user)
        if user is None or not user.is_active:
            found.append(
                Error(
                    f"FEDHUB_JWT_ISSUERS: the tokens of {issuer.issuer} act for {issuer.user}, which is not an active "
                    "user, so all of them are refused.",
                    hint="Add a user for these programs, without a usable password, and give it the roles they need.",
                    id="fedhub.E006",
                )
            )
        elif getattr(user, "is_superuser", False):
            found.append(
                Warning(
                    f"FEDHUB_JWT_ISSUERS: the tokens of {issuer.issuer} act for {issuer.user}, a superuser: they may "
                    "do everything that their scopes allow, on every federation.",
                    hint="Name a user of their own that has only the roles and grants which the programs need.",
                    id="fedhub.W021",
                )
            )
    return found


@register(Tags.security)
def check_issuer_addresses(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn of an issuer whose keys come over plain http: the network between could put its own keys in their place."""
    plain = [
        issuer.issuer
        for issuer in settings.FEDHUB_JWT_ISSUERS
        if (issuer.jwks_url or issuer.issuer).startswith("http://")
    ]
    if not plain or settings.DEBUG:
        return []
    return [
        Warning(
            f"FEDHUB_JWT_ISSUERS: the keys of {', '.join(plain)} are read over plain http.",
            hint="Use the https address of the issuer and of its jwks_url.",
            id="fedhub.W022",
        )
    ]
