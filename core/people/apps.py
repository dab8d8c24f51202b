"""The Django app of signing in."""

from __future__ import annotations

from django.apps import AppConfig


class PeopleConfig(AppConfig):
    """The configuration of the app, whose tables hold providers' accounts, second factors and sessions."""

    name = "core.people"
    label = "people"
    verbose_name = "Signing in"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from core.activity.sources import keep_under, record_model
        from core.people import checks, sessions
        from core.people.models import SecondFactor, SignInIdentity, UserSession

        checks.register_all()
        sessions.connect()
        record_model(SignInIdentity, ["issuer", "subject"], part="provider account")
        keep_under(UserSession, lambda row: ("auth.user", str(row.user_id)))
        record_model(SecondFactor, ["kind", "name"], part="second factor")
