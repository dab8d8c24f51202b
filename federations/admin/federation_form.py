"""The form of a federation: its fields, the confirmation of what a save changes, and the save by services."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from core.acting import because
from core.actors import actor_of
from core.admin.saving import UnitOfWorkMixin
from core.errors import HubError
from federations.admin.actions import FederationActionsMixin, allowed_actions, page_of
from federations.admin.connection_words import unseal
from federations.admin.forms import FederationForm
from federations.admin.grants import GrantInline, is_owner
from federations.admin.provider_fields import source_fieldsets
from federations.admin.save_effects import SaveEffects, effects_of_change
from federations.admin.trust_policy import trust_policy_of
from federations.models import Federation, JobTrigger, JobType
from federations.services.audit import audited
from federations.services.federations import check_updatable, create_federation, update_federation
from federations.services.schedule import set_schedule
from federations.services.start import start_sync

CONFIRMED, BACK = "_confirmed", "_back"
OWN_NAMES = ("csrfmiddlewaretoken", CONFIRMED, BACK)


class ConfirmationNeeded(Exception):
    """Raised inside a save, whose transaction it undoes, to show staff the effects first."""

    def __init__(self, effects: SaveEffects) -> None:
        super().__init__()
        self.effects = effects


class FederationFormMixin(FederationActionsMixin, UnitOfWorkMixin):
    """The form to add and to edit a federation. It calls services to save, so that all rules of the API apply."""

    form = FederationForm

    class Media:
        js = ("fedhub/provider.js",)

    inlines = [GrantInline]
    change_form_template = "federations/edit.html"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        schedule = ["sync_interval", "sync_crontab", "sync_time_zone", "change_policy", "sync_after_save"]
        return [
            (None, {"fields": ["display_name", "description", "tags"]}),
            *source_fieldsets(obj),
            ("Synchronization", {"fields": schedule}),
            *([("Why", {"fields": ["change_reason"]})] if obj else []),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*(["provider_type"] if obj else []), "external_id_copy", "trust_policy"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        own: dict[str, Any] = {
            "refusal": getattr(request, "refusal", ""),
            "may_end_review": is_owner(request, obj),
            "user_id": str(request.user.pk),
            "typed": getattr(request, "typed", None),
        }
        return type("FederationForm", (form,), own)

    def get_formset_kwargs(self, request: HttpRequest, obj: Any, inline: Any, prefix: str) -> dict[str, Any]:
        kwargs = super().get_formset_kwargs(request, obj, inline, prefix)
        typed = getattr(request, "typed", None)
        return kwargs if typed is None else {**kwargs, "data": typed}

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "description" and field:
            field.widget.attrs["rows"] = 3
        return field

    def changeform_view(self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any) -> Any:
        if request.method == "POST" and BACK in request.POST:
            # The way back from the confirmation: the same form with what was typed, and nothing is saved.
            request.typed = request.POST  # type: ignore[attr-defined]
            request.method = "GET"
        try:
            response = super().changeform_view(request, object_id, *args, **kwargs)
        except ConfirmationNeeded as needed:
            return self._confirmation(request, object_id, needed.effects)
        except HubError as error:
            # The transaction is already rolled back. Show the form again, with the typed values and the refusal.
            request.refusal = error.message  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, *args, **kwargs)
        # After the save is committed: a sync that cannot start must not roll the save back.
        if start := getattr(request, "start_sync", None):
            start()
        return response

    @action(description="Edit", icon="edit", permissions=["change"], url_path="edit")
    def edit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        federation = self._federation(request, object_id)
        if request.method != "POST" and "edit" not in allowed_actions(federation):
            status = federation.get_status_display().lower()
            messages.warning(request, f"{federation} is {status}, so it cannot be edited.")
            return HttpResponseRedirect(page_of(federation))
        return self.changeform_view(request, object_id)  # type: ignore[no-any-return]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        # The actions stand on the federation's page, where no typed value is lost.
        context["actions_detail"] = []
        context["cancel_url"] = page_of(obj) if obj else "../"
        context["title"] = f"Edit {obj}" if obj else "Add a federation"
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)  # type: ignore[no-any-return]

    def save_model(self, request: HttpRequest, obj: Federation, form: Any, change: bool) -> None:
        typed = form.cleaned_data
        names = ("display_name", "description", "tags", "provider_config", "change_policy")
        editable = {key: typed[key] for key in names}
        editable["description"] = editable["description"] or None
        stored = Federation.objects.with_details().get(pk=obj.pk) if change else None
        effects = self._effects(request, stored, form)
        if effects.needs_confirmation and request.POST.get(CONFIRMED) != effects.digest:
            raise ConfirmationNeeded(effects)
        if stored is None:
            self._create(request, obj, typed, editable)
        elif effects.changes:
            editable["provider_secret"] = form.typed_secret()
            self._update(request, obj, typed, editable, stored_policy=form.initial["change_policy"])
        request.is_unchanged = change and not effects.changes  # type: ignore[attr-defined]
        obj.refresh_from_db()
        if typed["sync_after_save"]:
            config_changed = stored is not None and stored.provider_config != obj.provider_config
            request.start_sync = partial(  # type: ignore[attr-defined]
                self._sync_after_save, request, obj, config_changed=config_changed
            )

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        if any(formset.has_changed() for formset in formsets):
            request.is_unchanged = False  # type: ignore[attr-defined]
            request.has_new_grants = True  # type: ignore[attr-defined]
        return super().construct_change_message(request, form, formsets, add)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None if getattr(request, "is_unchanged", False) else super().log_change(request, obj, message)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        messages.success(request, f"{obj} is added.")
        return HttpResponseRedirect(page_of(obj))

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        if getattr(request, "is_unchanged", False):
            messages.info(request, f"Nothing was changed, so nothing of {obj} was saved.")
        else:
            messages.success(request, f"{obj} is saved.")
        if getattr(request, "has_new_grants", False):
            return HttpResponseRedirect(reverse("admin:federations_federation_access", args=[obj.pk]))
        return HttpResponseRedirect(page_of(obj))

    def _effects(self, request: HttpRequest, stored: Federation | None, form: Any) -> SaveEffects:
        warnings = tuple(form.warnings.values())
        if stored is None:
            return SaveEffects(warnings=warnings)
        check_updatable(stored)
        secret = form.typed_secret()
        changed_region = stored.provider_config.get("region") != form.cleaned_data["provider_config"].get("region")
        tested = unseal(request.POST.get("tested", ""), stored.pk, form.cleaned_data["provider_config"])
        return effects_of_change(
            stored, form.cleaned_data, warnings=warnings if changed_region else (), tested=tested, secret=secret
        )

    def _create(self, request: HttpRequest, obj: Federation, typed: dict[str, Any], editable: dict[str, Any]) -> None:
        external_id = obj.external_id
        if Federation.objects.filter(external_id=external_id).exists():
            # The same form was saved before. Two federations must not share an external id.
            external_id = ""
            messages.warning(request, "The external id is a new one, because the one on the form is in use already.")
        by = actor_of(request.user)
        created = create_federation(
            provider_type=typed["provider_type"],
            **editable,
            external_id=external_id,
            by=by,
            provider_secret=typed["registry_token"],
        )
        obj.pk = created.pk
        obj._state.adding = False
        set_schedule(obj, typed["schedule"])

    def _update(
        self,
        request: HttpRequest,
        obj: Federation,
        typed: dict[str, Any],
        editable: dict[str, Any],
        *,
        stored_policy: Any,
    ) -> None:
        by = actor_of(request.user)
        with because(typed["change_reason"]), audited(obj, by=by):
            obj.refresh_from_db()
            # The form checked the right to end the reviews for this policy; the service refuses another one.
            obj.change_policy = stored_policy
            update_federation(obj, **editable, sync_after_update=False, force=False, by=by)
            set_schedule(obj, typed["schedule"])

    def _confirmation(self, request: HttpRequest, object_id: str | None, effects: SaveEffects) -> HttpResponse:
        federation = self._federation(request, object_id) if object_id else None
        typed = [(name, value) for name, values in request.POST.lists() if name not in OWN_NAMES for value in values]
        name = federation or request.POST.get("display_name", "")
        context = {"effects": effects, "typed": typed, "names": {"confirmed": CONFIRMED, "back": BACK}}
        return self._page(request, federation, "federations/confirm_save.html", f"Save {name}", context)

    def _sync_after_save(self, request: HttpRequest, federation: Federation, *, config_changed: bool) -> None:
        try:
            start_sync(
                federation,
                job_type=JobType.CONFIG_RESYNC if config_changed else JobType.FULL_SYNC,
                trigger=JobTrigger.MANUAL,
                reason="Saved by staff",
                force=False,
                by=actor_of(request.user),
                queued=True,
            )
        except HubError as error:
            messages.warning(request, f"The federation is saved, but no sync was started: {error.message}")

    @display(description="External id")
    def external_id_copy(self, federation: Federation) -> SafeString:
        return format_html('<code class="fedhub-copy">{}</code>', federation.external_id)

    @display(description="Trust policy")
    def trust_policy(self, federation: Federation) -> SafeString:
        return format_html(
            '<p class="mb-2">Set this trust policy on the role. Replace the placeholder with the account that the hub '
            "runs in. The external id stops other users of the hub from making it assume this role.</p>"
            '<pre class="fedhub-code fedhub-copy">{}</pre>',
            trust_policy_of(federation.external_id),
        )
