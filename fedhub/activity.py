"""What the Activity tells of users, groups, programs, tokens and periodic tasks, whose models are not the hub's own."""

from __future__ import annotations

from django.contrib.auth.models import Group, User
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from oauth2_provider.models import get_access_token_model, get_application_model, get_refresh_token_model

from core.activity.sources import record_model
from core.activity.words import FieldWords

RIGHTS = {
    "is_staff": FieldWords("May use the admin"),
    "is_superuser": FieldWords("Superuser"),
    "is_active": FieldWords("Active"),
    "user_permissions": FieldWords("Permissions"),
    "groups": FieldWords("Groups"),
}


def register() -> None:
    """Let the audit log record these models. The columns that change by themselves are left out, and so are secrets."""
    record_model(
        User,
        ["username", "first_name", "last_name", "email", "is_active", "is_staff", "is_superuser"],
        lists=["groups", "user_permissions"],
        secrets=["password"],
        words=RIGHTS,
    )
    # Where people are put into a group from the group's side, the list is still called by the user's field.
    record_model(Group, ["name"], lists=["permissions"], words={"groups": FieldWords("Members")})
    record_model(
        get_application_model(),
        ["name", "client_id", "user", "redirect_uris", "client_type", "authorization_grant_type", "skip_authorization"],
        secrets=["client_secret"],
        words={"user": FieldWords("Owner")},
    )
    for model in (get_access_token_model(), get_refresh_token_model()):
        has_scope = model is get_access_token_model()
        record_model(model, ["user", "application", *(["scope", "expires"] if has_scope else ["revoked"])])
    record_model(PeriodicTask, ["name", "enabled", "interval", "crontab", "solar", "start_time"])
    record_model(IntervalSchedule, ["every", "period"])
    record_model(CrontabSchedule, ["minute", "hour", "day_of_week", "day_of_month", "month_of_year", "timezone"])
    record_model(SolarSchedule, ["event", "latitude", "longitude"])
