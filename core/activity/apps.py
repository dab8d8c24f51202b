"""The Django app of the Activity, which has no tables: its lines are rows of the audit log and of the apps' books."""

from __future__ import annotations

from django.apps import AppConfig


class ActivityConfig(AppConfig):
    """The configuration of the app, which completes each row of the audit log."""

    name = "core.activity"
    label = "activity"

    def ready(self) -> None:
        from auditlog.models import LogEntry
        from django.contrib.auth.models import User
        from django.db.models.signals import pre_delete, pre_save

        from core.activity.recording import complete, leave_out_deleted

        pre_save.connect(complete, sender=LogEntry, dispatch_uid="core.activity")
        pre_delete.connect(leave_out_deleted, sender=User, dispatch_uid="core.activity")
