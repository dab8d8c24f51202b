"""The Django app of the project, which registers the system checks and joins the pages of the apps."""

from __future__ import annotations

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate

APP_WORDS = {
    "auth": "Access",
    "people": "Access",
    "oauth2_provider": "Access",
    "auditlog": "Access",
    "django_celery_beat": "Technical",
}
"""The names of apps, as the paths of their pages show them: those of the menu's sections."""


class FedhubConfig(AppConfig):
    """The configuration of the app; when Django starts, it registers the system checks, senders of runs and roles."""

    name = "fedhub"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from federations.admin.run_givers import register_giver
        from fedhub import activity, checks, deploy_checks  # noqa: F401 (registers them)
        from fedhub.roles import give_roles_after_migrations
        from fedhub.run_givers import sender_of_run

        for label, words in APP_WORDS.items():
            apps.get_app_config(label).verbose_name = words
        activity.register()
        register_giver(sender_of_run)
        post_migrate.connect(give_roles_after_migrations, sender=apps.get_app_config("roles"))
