"""Give a person a role, and take it back: each with a reason, which the audit log keeps."""

from __future__ import annotations

from auditlog.models import LogEntry
from django.contrib.auth.models import Group, User

from core.acting import because
from core.errors import ConflictError, InvalidRequestError, NotFoundError
from core.roles.models import Role
from core.store.unit_of_work import locked, retried, unit_of_work

MAX_REASON_CHARS = 500


@retried
def give_role(person: User, key: str, *, reason: str, by: User) -> bool:
    """Make a person a member of a role; return whether the person may open the admin from now on and could not before.

    A role is of use in the admin, so its member is staff. Raises InvalidRequestError for a missing reason,
    NotFoundError for a role without a group, ConflictError if the person has the role.
    """
    group = _group(key, reason)
    with unit_of_work(with_accounts=True):
        stored = _stored(person)
        if stored.groups.filter(pk=group.pk).exists():
            raise ConflictError(f"{stored} has the role {group} already.")
        # A row of the table between, because `groups.add` would write a second line of the audit log.
        User.groups.through.objects.create(user_id=stored.pk, group_id=group.pk)
        opens = not stored.is_staff
        if opens:
            stored.is_staff = True
            with because(reason):
                stored.save(update_fields=["is_staff"])
        _record(stored, "", str(group), reason, by)
    return opens


@retried
def take_role(person: User, key: str, *, reason: str, by: User) -> None:
    """End a person's membership of a role; raise as `give_role` does. The person stays staff."""
    group = _group(key, reason)
    with unit_of_work(with_accounts=True):
        stored = _stored(person)
        if not stored.groups.filter(pk=group.pk).exists():
            raise ConflictError(f"{stored} does not have the role {group}.")
        User.groups.through.objects.filter(user_id=stored.pk, group_id=group.pk).delete()
        _record(stored, str(group), "", reason, by)


def _group(key: str, reason: str) -> Group:
    if not reason.strip():
        raise InvalidRequestError("Say why. The audit log keeps the reason.")
    role = Role.objects.select_related("group").filter(key=key).first()
    if role is None or role.group is None:
        raise NotFoundError("The hub has no such role.")
    return role.group


def _stored(person: User) -> User:
    """Return the person's row, locked, so that two changes of one person's roles wait for each other."""
    stored = locked(User.objects.filter(pk=person.pk)).first()
    if stored is None:
        raise NotFoundError("The account is gone.")
    return stored


def _record(person: User, before: str, after: str, reason: str, by: User) -> None:
    LogEntry.objects.log_create(
        person,
        force_log=True,
        action=LogEntry.Action.UPDATE,
        changes={"role": (before, after)},
        actor=by,
        additional_data={"reason": reason.strip()[:MAX_REASON_CHARS]},
    )
