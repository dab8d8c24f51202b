"""The two pages beside a federation's form to which htmx posts what is typed: a check of one field, and the test."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils import timezone

from core.actors import actor_of
from core.errors import HubError
from federations.admin.actions import FederationActionsMixin
from federations.admin.connection_words import Tested, found_words, kept_words, seal
from federations.admin.form_words import in_form_words
from federations.admin.forms import FederationForm
from federations.admin.provider_fields import fields_of
from federations.models import Federation
from federations.schedules.rule import Schedule, next_run
from federations.schedules.words import crontab_words, interval_words
from federations.services.agent_readers import count_shown_agents
from federations.services.connection import ConnectionReport, check_connection
from federations.services.discover import ConnectionRefusedError
from federations.sync.naming import region_and_account

CHECKED = ("registry_url", "region", "role_arn", "tag_filter", "sync_interval", "sync_crontab", "sync_time_zone")


class FormChecksMixin(FederationActionsMixin):
    """The pages that check a field and test the connection, for the form to add and for the form to edit."""

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(f"{place}{name}/", self.admin_site.admin_view(view), name=f"federations_federation_{name}{suffix}")
            for name, view in (("check", self.check_field), ("test", self.check_connection))
            for place, suffix in (("", "_new"), ("<path:object_id>/", ""))
        ]
        return own + list(super().get_urls())

    def check_field(self, request: HttpRequest, object_id: str | None = None) -> HttpResponse:
        """Answer with the form's verdict about one field."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        form, _ = self._typed_form(request, object_id)
        name = request.GET.get("field", "")
        if name not in CHECKED:
            return HttpResponse(status=400)
        errors = errors_of(form, name)
        shown = {
            "errors": errors,
            "warning": form.warnings.get(name, ""),
            "note": "" if errors else note_of(form, name),
        }
        return render(request, "federations/check.html", shown)

    def check_connection(self, request: HttpRequest, object_id: str | None = None) -> HttpResponse:
        """Test the connection with what is typed, and answer with the result; nothing is stored."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        form, federation = self._typed_form(request, object_id)
        config = form.tested_config()
        if config is None:
            return render(
                request, "federations/connection.html", {"refused": "Nothing was asked.", "advice": faults(form)}
            )
        try:
            report = check_connection(
                provider_type=form.provider_type,
                config=config,
                external_id=form.instance.external_id,
                secret=form.tested_secret(config),
                federation=federation,
                by=actor_of(request.user),
            )
        except HubError as error:
            advice = error.advice if isinstance(error, ConnectionRefusedError) else ""
            refused = {"refused": _sentence(in_form_words(error.message)), "advice": advice}
            return render(request, "federations/connection.html", refused)
        tested = _tested(report, federation)
        return render(
            request,
            "federations/connection.html",
            {
                "found": found_words(report),
                "kept": kept_words(report),
                "removed": tested.removed,
                "follows": list(tested.sentences()),
                "seal": seal(tested, federation.pk if federation else "", config),
            },
        )

    def _typed_form(self, request: HttpRequest, object_id: str | None) -> tuple[FederationForm, Federation | None]:
        """Return the form with what is typed, validated, and the stored federation; raise without the right to save."""
        federation = self._federation(request, object_id) if object_id else None
        is_allowed = self.has_change_permission(request, federation) if federation else self.has_add_permission(request)
        if not is_allowed:
            raise PermissionDenied
        row: Any = self._federation(request, object_id) if object_id else None
        # The form writes typed values into its instance, so the stored federation is another object.
        form = self.get_form(request, row, change=bool(row))(request.POST, instance=row)
        form.is_valid()
        return form, federation


def note_of(form: FederationForm, name: str) -> str:
    """Return what the hub understood from a valid field; an empty text where there is nothing to say."""
    value: Any = form.cleaned_data.get(name)
    if name == "region":
        return form.region_description(str(value)) if value else "Without a region the hub cannot sync."
    if name == "registry_url":
        return f"The hub reads {value}/v0.1/servers." if value else "Without a URL the hub cannot sync."
    if name == "role_arn":
        if not value:
            return "Without a role the hub cannot sync."
        return f"The role {str(value).rsplit('/', 1)[-1]} of the account {region_and_account(str(value))[1]}."
    if name == "tag_filter":
        pairs = " and ".join(f"{key}:{text}" for key, text in (value or {}).items())
        return f"Keeps the runtimes with {pairs}." if pairs else "Without a filter the hub discovers every runtime."
    if name == "sync_interval":
        return "" if form.cleaned_data.get("sync_crontab") and not value else f"The hub syncs {interval_words(value)}."
    return _crontab_note(form, name)


def _crontab_note(form: FederationForm, name: str) -> str:
    """Return the words of the crontab at its field, and the time of the next sync at the time zone."""
    crontab, zone = form.cleaned_data.get("sync_crontab"), form.cleaned_data.get("sync_time_zone")
    if not crontab:
        return ""
    if name == "sync_crontab":
        return f"The hub syncs {crontab_words(crontab)}."
    run = next_run(Schedule(crontab=crontab, time_zone=str(zone)), form.instance.id, timezone.now())
    local = run.astimezone(ZoneInfo(str(zone))) if run else None
    return f"The next sync is on {local:%a, %d %b %Y at %H:%M %Z}." if local else ""


def faults(form: FederationForm) -> str:
    """Return the errors of the fields of the configuration as sentences, each with the label of its field."""
    found = []
    for name in (*fields_of(form.provider_type).values(), "provider_type"):
        label = str(getattr(form.fields.get(name), "label", "") or name.replace("_", " ").capitalize())
        found += [_sentence(text if text.startswith(label) else f"{label}: {text}") for text in errors_of(form, name)]
    return " ".join(found)


def errors_of(form: FederationForm, name: str) -> list[str]:
    """Return the errors of one field as texts."""
    return [str(text) for text in form.errors.get(name, ())]


def _tested(report: ConnectionReport, federation: Federation | None) -> Tested:
    effect, paths = report.effect, report.effect.removed_paths or frozenset()
    return Tested(
        stored=effect.stored,
        removed=len(paths),
        shown=count_shown_agents(federation.pk, paths) if federation and paths else 0,
        is_held=effect.is_held,
        is_other_account=effect.is_other_account,
    )


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
