"""Tell which accounts and groups a person may change without gaining rights.

A person who sets the password, the name or the e-mail address of an account can act as its holder. So a permission to
change users opens only accounts whose rights its holder has too; a superuser may change every account.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from django.contrib.auth.models import Group, User
from django.http import HttpRequest

from federations.services.access import covers_grants, grants_of_group, grants_of_user


def is_superuser(request: HttpRequest) -> bool:
    """Tell whether the request comes from an active superuser."""
    return request.user.is_active and request.user.is_superuser


def covers_account(request: HttpRequest, account: User) -> bool:
    """Tell whether the request's person has every right of `account`; the result is cached in the request.

    The rights of an inactive account are the rights that it has once it is active.
    """
    return is_superuser(request) or _answer(request, account, _covers_user)


def covers_group(request: HttpRequest, group: Group) -> bool:
    """Tell whether the request's person has every right that `group` gives; the result is cached in the request."""
    return is_superuser(request) or _answer(request, group, _covers_group)


def _answer(request: HttpRequest, row: User | Group, covers: Callable[[User, int], bool]) -> bool:
    known: dict[tuple[str, int], bool] = request.__dict__.setdefault("_covered_rows", {})
    key = (row._meta.label, row.pk)
    if key not in known:
        known[key] = covers(cast(User, request.user), row.pk)
    return known[key]


def _covers_user(person: User, key: int) -> bool:
    # A fresh row: the form may already have put the posted values into the one at hand.
    account = User.objects.get(pk=key)
    if account.is_superuser or (account.is_staff and not person.is_staff):
        return False
    account.is_active = True
    return account.get_all_permissions() <= person.get_all_permissions() and covers_grants(
        person, grants_of_user(account)
    )


def _covers_group(person: User, key: int) -> bool:
    pairs = Group.objects.filter(pk=key, permissions__isnull=False).values_list(
        "permissions__content_type__app_label", "permissions__codename"
    )
    names = {f"{app}.{codename}" for app, codename in pairs}
    return names <= person.get_all_permissions() and covers_grants(person, grants_of_group(key))
