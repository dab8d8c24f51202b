"""Share a federation with a person or a group, change the level, and end the access."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from core.errors import ConflictError, InvalidRequestError, NotFoundError
from core.store.unit_of_work import locked, retried, unit_of_work
from federations.models import AccessLevel, Federation, FederationGrant

LAST_OWNER = "This is the last owner of the federation. Make another person or group an owner first."


@retried
def share(federation: Federation, holder: str, level: AccessLevel, *, needs_owner: bool) -> FederationGrant:
    """Give a user (`user:ID`) or a group (`group:ID`) a level on `federation`, or change the holder's level.

    With `needs_owner` a grant of an owner must remain; otherwise ConflictError is raised. Raises InvalidRequestError
    for an unknown or inactive holder.
    """
    kind, _, holder_id = holder.partition(":")
    name = _name_of(kind, holder_id)
    with unit_of_work(with_accounts=True):
        _lock(federation)
        columns = {"user_id": holder_id if kind == "user" else "", "group_id": holder_id if kind == "group" else ""}
        row = FederationGrant.objects.filter(federation=federation, **columns).first()
        if row is None:
            return FederationGrant.objects.create(federation=federation, **columns, holder_name=name, level=level)
        if needs_owner and level < AccessLevel.OWNER:
            _check_other_owner(row)
        # The name of the federation is in the audit log's entry.
        row.federation, row.level, row.holder_name = federation, level, name
        row.save(update_fields=["level", "holder_name"])
        return row


@retried
def withdraw(federation: Federation, grant_id: str, *, needs_owner: bool) -> FederationGrant:
    """End a grant and return it as it was. Raises NotFoundError, and ConflictError as `share` does."""
    with unit_of_work(with_accounts=True):
        _lock(federation)
        row = FederationGrant.objects.filter(federation=federation, pk=grant_id).first()
        if row is None:
            raise NotFoundError("This grant has ended already.")
        if needs_owner:
            _check_other_owner(row)
        row.federation = federation
        row.delete()
        return row


def _name_of(kind: str, holder_id: str) -> str:
    """Return the name of an active user or of a group."""
    found: object = None
    if holder_id.isdecimal() and len(holder_id) < 19:
        if kind == "user":
            found = get_user_model().objects.filter(pk=holder_id, is_active=True).first()
        elif kind == "group":
            found = Group.objects.filter(pk=holder_id).first()
    if found is None:
        raise InvalidRequestError("Pick an active user or a group of the hub.")
    return str(found)[:200]


def _lock(federation: Federation) -> None:
    """Let changes of the grants of one federation wait for each other, so that an owner remains."""
    if not locked(Federation.objects.filter(pk=federation.pk)).exists():
        raise NotFoundError("Federation not found")


def _check_other_owner(row: FederationGrant) -> None:
    """Raise ConflictError if `row` is the only grant of an owner."""
    owners = FederationGrant.objects.filter(federation_id=row.federation_id, level=AccessLevel.OWNER)
    if row.level == AccessLevel.OWNER and not owners.exclude(pk=row.pk).exists():
        raise ConflictError(LAST_OWNER)
