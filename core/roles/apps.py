"""The Django app of the roles that the hub makes."""

from __future__ import annotations

from django.apps import AppConfig


class RolesConfig(AppConfig):
    """The configuration of the app, which has to be the last of the apps with permissions.

    Django makes the permissions of one app after another, in the order of INSTALLED_APPS, and then sends `post_migrate`
    for that app.
    """

    name = "core.roles"
    label = "roles"
    default_auto_field = "django.db.models.BigAutoField"
