"""The tabs of the lists of accounts, tokens, schedules and the audit log, and the columns of their CSV files."""

from __future__ import annotations

from auditlog import get_logentry_model
from django.db.models import Q
from django.utils import timezone
from oauth2_provider.models import get_application_model

from core.activity.audit_log import changes_text, kind_of, line_of
from core.admin.list_export import ExportField
from core.admin.list_tabs import Tab, choice_tabs

LogEntry = get_logentry_model()
Application = get_application_model()

USER_TABS = (
    Tab("staff", "Staff", Q(is_staff=True, is_active=True)),
    Tab("superusers", "Superusers", Q(is_superuser=True, is_active=True)),
    Tab("programs", "Without the admin", Q(is_staff=False, is_active=True)),
    Tab("never", "Never signed in", Q(last_login__isnull=True, is_active=True)),
    Tab("inactive", "Inactive", Q(is_active=False)),
)
USER_EXPORT: tuple[ExportField, ...] = (
    ("Username", "username"),
    ("E-mail address", "email"),
    ("Name", "get_full_name"),
    ("Active", "is_active"),
    ("Staff", "is_staff"),
    ("Superuser", "is_superuser"),
    ("Joined", "date_joined"),
    ("Last sign-in", "last_login"),
)
GROUP_EXPORT: tuple[ExportField, ...] = (("Name", "name"),)

AUDIT_TABS = (
    Tab("added", "Added", Q(action=LogEntry.Action.CREATE)),
    Tab("changed", "Changed", Q(action=LogEntry.Action.UPDATE)),
    Tab("deleted", "Deleted", Q(action=LogEntry.Action.DELETE)),
)
AUDIT_EXPORT: tuple[ExportField, ...] = (
    ("When", "timestamp"),
    ("Who", lambda entry: line_of(entry).who),
    ("What", lambda entry: line_of(entry).what),
    ("Kind", kind_of),
    ("Object", "object_repr"),
    (
        "Changes",
        changes_text,
    ),
    ("Reason", lambda entry: line_of(entry).reason),
    ("Request", "cid"),
)

APPLICATION_TABS = tuple(choice_tabs("client_type", Application.CLIENT_TYPES))
APPLICATION_EXPORT: tuple[ExportField, ...] = (
    ("Name", "name"),
    ("Client id", "client_id"),
    ("Owner", "user.username"),
    ("Client type", "client_type"),
    ("Created", "created"),
)
ACCESS_TOKEN_TABS = (
    Tab("valid", "Valid", lambda: Q(expires__gt=timezone.now())),
    Tab("expired", "Expired", lambda: Q(expires__lte=timezone.now())),
)
ACCESS_TOKEN_EXPORT: tuple[ExportField, ...] = (
    ("Holder", "user.username"),
    ("Name", "note.name"),
    ("Application", "application.name"),
    ("Scopes", "scope"),
    ("Created", "created"),
    ("Expires", "expires"),
    ("Last used", "last_use.used_at"),
    ("Last address", "last_use.address"),
)
REFRESH_TOKEN_TABS = (
    Tab("valid", "Valid", Q(revoked__isnull=True)),
    Tab("revoked", "Revoked", Q(revoked__isnull=False)),
)
REFRESH_TOKEN_EXPORT: tuple[ExportField, ...] = (
    ("Holder", "user.username"),
    ("Application", "application.name"),
    ("Created", "created"),
    ("Revoked", "revoked"),
)

TASK_TABS = (Tab("enabled", "Enabled", Q(enabled=True)), Tab("paused", "Paused", Q(enabled=False)))
TASK_EXPORT: tuple[ExportField, ...] = (
    ("Name", "name"),
    ("Task", "task"),
    ("Enabled", "enabled"),
    ("Schedule", "scheduler"),
    ("Last run", "last_run_at"),
    ("Runs", "total_run_count"),
)
