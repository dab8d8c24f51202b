"""System checks of signing in: settings with which people could not sign in, or more people than meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps.config import AppConfig
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, DatabaseError

from core.net.client import is_permitted_url
from core.people.guarded_requests import allowed_networks
from core.people.providers import EVERYONE, SettingError, read_providers, sign_in_providers
from core.people.rules import EVERYONE as ALL_USERS
from core.people.rules import STAFF, SUPERUSERS


def register_all() -> None:
    """Register the checks."""
    for check, tag in (
        (check_providers, Tags.security),
        (check_password_login, Tags.security),
        (check_groups, Tags.database),
    ):
        register(check, tag)


def check_providers(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse a setting of providers with a fault, and issuers that the guard does not let the hub reach."""
    try:
        providers = read_providers(settings.FEDHUB_SIGN_IN_PROVIDERS)
    except SettingError as exc:
        return [
            Error(
                f"FEDHUB_SIGN_IN_PROVIDERS cannot be used, so no provider is offered: {exc}.",
                hint="Compare it with the example in docs/sign-in.md.",
                id="people.E001",
            )
        ]
    found: list[CheckMessage] = []
    for provider in providers.values():
        if not is_permitted_url(provider.issuer, allowed_networks=allowed_networks()):
            found.append(
                Error(
                    f"FEDHUB_SIGN_IN_PROVIDERS: the hub may not reach {provider.issuer}.",
                    hint="Use https, or add the provider's network to FEDHUB_ALLOWED_NETWORKS.",
                    id="people.E002",
                )
            )
        if EVERYONE in provider.accounts_for and EVERYONE in provider.staff_for:
            found.append(
                Warning(
                    f"FEDHUB_SIGN_IN_PROVIDERS: everyone whom {provider.issuer} knows becomes staff of this hub.",
                    hint="Name groups in accounts_for or staff_for, unless the provider serves your staff alone.",
                    id="people.W001",
                )
            )
    return found


def check_password_login(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Require a provider where people may not sign in by password."""
    if settings.FEDHUB_PASSWORD_LOGIN or sign_in_providers():
        return []
    return [
        Error(
            "FEDHUB_PASSWORD_LOGIN is off and no provider is set, so people cannot sign in.",
            hint="Set FEDHUB_SIGN_IN_PROVIDERS, or FEDHUB_PASSWORD_LOGIN=on.",
            id="people.E003",
        )
    ]


def check_groups(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Warn of groups in the settings that do not exist: a person would lack a right, or need no second factor."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    named = set(settings.FEDHUB_SECOND_FACTOR) - {SUPERUSERS, STAFF, ALL_USERS}
    for provider in sign_in_providers().values():
        named |= {group for _, group in provider.groups}
    if not named:
        return []
    try:
        missing = named - set(Group.objects.filter(name__in=named).values_list("name", flat=True))
    except DatabaseError:
        return []
    return [
        Warning(
            f"FEDHUB_SECOND_FACTOR or FEDHUB_SIGN_IN_PROVIDERS names the group {name!r}, which does not exist.",
            hint="Make the group in the admin, or correct its name.",
            id="people.W002",
        )
        for name in sorted(missing)
    ]
