"""The admin pages of federations: the list, the form and the status panel above the form."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from core.actors import actor_of
from core.admin.labels import format_age, label
from core.admin.linked_filters import OldestFirstMixin
from core.admin.list_page import ListPageMixin
from core.admin.saving import UnitOfWorkMixin
from core.errors import HubError
from federations.admin.actions import FederationActionsMixin
from federations.admin.filters import FederationTagFilter, HeldSyncFilter
from federations.admin.forms import FederationForm, GrantForm, GrantFormSet
from federations.admin.labels import (
    STATUS_COLORS,
    SYNC_COLORS,
    count_of,
    counters,
    duration,
    error_summary,
    job_label,
    job_trigger,
    job_type,
    progress_bar,
    sync_label,
    sync_outcome,
    would_have,
)
from federations.admin.linked_filters import CauseFilter, FailingFilter
from federations.admin.list_pages import FEDERATION_EXPORT, FEDERATION_TABS
from federations.admin.permissions import GrantedPermissionsMixin
from federations.admin.plan_tables import open_held_plan, open_plans_table
from federations.admin.skipped import notice_of_last_sync
from federations.models import (
    AccessLevel,
    Federation,
    FederationGrant,
    JobTrigger,
    JobType,
    ProviderType,
    SyncJob,
    SyncStatus,
)
from federations.services.access import federations_visible_to, level_of
from federations.services.audit import audited
from federations.services.federations import create_federation, update_federation
from federations.services.schedule import set_interval
from federations.services.start import start_sync

SHORT_PROVIDERS = {ProviderType.AWS_AGENTCORE: "AWS AgentCore", ProviderType.AZURE_AI_FOUNDRY: "Azure AI Foundry"}
RECENT_JOBS = 5
TRUST_POLICY_PRINCIPAL = "arn:aws:iam::<account of the hub>:root"


class GrantInline(TabularInline):
    """The grants in the form of a federation. Only an owner may edit them. Users with a model permission need none."""

    model = FederationGrant
    form = GrantForm
    formset = GrantFormSet
    fields = ["holder", "level"]
    extra = 0
    verbose_name = "grant"
    verbose_name_plural = "Access to this federation"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_add_permission(request, obj) and _is_owner(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and _is_owner(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and _is_owner(request, obj)

    @display(description="Holder")
    def holder(self, grant: FederationGrant) -> str:
        return grant.holder_name


@admin.register(Federation)
class FederationAdmin(
    OldestFirstMixin, FederationActionsMixin, UnitOfWorkMixin, GrantedPermissionsMixin, ListPageMixin
):
    """The list and the form of federations. The form calls services to save, so that all rules of the API apply."""

    form = FederationForm
    inlines = [GrantInline]
    list_display = [
        "name",
        "provider",
        "region",
        "status_label",
        "sync_label",
        "servers",
        "agents",
        "tools",
        "last_sync_ago",
        "interval",
    ]
    list_filter = [
        ("provider_type", ChoicesDropdownFilter),
        ("status", ChoicesDropdownFilter),
        ("sync_status", ChoicesDropdownFilter),
        HeldSyncFilter,
        FederationTagFilter,
        FailingFilter,
        CauseFilter,
    ]
    list_filter_submit = True
    oldest_first = {("failing", ""): "failing_since", ("cause", ""): "failing_since"}
    show_facets = admin.ShowFacets.NEVER
    list_fullwidth = True
    list_per_page = 50
    tabs = FEDERATION_TABS
    date_field, date_title = "last_sync__created_at", "Last sync"
    export_fields = FEDERATION_EXPORT
    search_fields = ["display_name", "description", "id__exact"]
    search_help_text = "Name or description"
    warn_unsaved_form = True
    change_form_outer_before_template = "federations/overview.html"
    empty_hint = (
        "A federation is an AWS Bedrock AgentCore account and region that the hub discovers. "
        "Add a federation and sync it to see its MCP servers and A2A agents."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Federation]:
        return federations_visible_to(request.user).with_details()  # type: ignore[attr-defined, no-any-return]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        may_change = self.has_change_permission(request, obj) if obj else True
        schedule = ["sync_interval_minutes", "change_policy", *(["sync_after_save"] if may_change else [])]
        fieldsets = [
            (None, {"fields": ["display_name", "description", "tags"]}),
            ("Cloud account", {"fields": ["provider_type", "region", "role_arn", "tag_filter"]}),
            ("Synchronization", {"fields": schedule}),
        ]
        if obj:
            fieldsets += [
                ("Trust", {"fields": ["external_id_copy", "trust_policy"]}),
                ("Record", {"fields": ["created", "updated"], "classes": ["collapse"]}),
            ]
        return fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["provider_type", "external_id_copy", "trust_policy", "created", "updated"] if obj else []

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        own = {"refusal": getattr(request, "refusal", ""), "may_end_review": _is_owner(request, obj)}
        return type("FederationForm", (form,), own)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "description" and field:
            field.widget.attrs["rows"] = 3
        return field

    def changeform_view(self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any) -> Any:
        try:
            response = super().changeform_view(request, object_id, *args, **kwargs)
        except HubError as error:
            # The transaction is already rolled back. Show the form again, with the typed values and the refusal.
            request.refusal = error.message  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, *args, **kwargs)
        # After the save is committed: a sync that cannot start must not roll the save back.
        if start := getattr(request, "start_sync", None):
            start()
        return response

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj:
            context.update(overview_of(obj), recent_jobs=recent_jobs_table(obj), open_plans=open_plans_table(obj))
            if obj.last_sync and count_of(obj.last_sync.summary or {}, "skipped"):
                context["skipped"] = notice_of_last_sync(request.user, obj)
            # A reload would discard the errors of a refused form.
            context["is_running"] = request.method == "GET" and bool(obj.last_sync and obj.last_sync.is_active)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)  # type: ignore[no-any-return]

    def save_model(self, request: HttpRequest, obj: Federation, form: Any, change: bool) -> None:
        by, typed = actor_of(request.user), form.cleaned_data
        names = ("display_name", "description", "tags", "provider_config", "change_policy")
        editable = {key: typed[key] for key in names}
        editable["description"] = editable["description"] or None
        old_config = Federation.objects.filter(pk=obj.pk).values_list("provider_config", flat=True).first()
        if not change:
            obj.pk = create_federation(provider_type=typed["provider_type"], **editable, by=by).pk
            obj._state.adding = False
            set_interval(obj, typed["sync_interval_minutes"])
        else:
            with audited(obj, by=by):
                obj.refresh_from_db()
                # The form checked the right to end the reviews for this policy; the service refuses another one.
                obj.change_policy = form.initial["change_policy"]
                update_federation(obj, **editable, sync_after_update=False, force=False, by=by)
                set_interval(obj, typed["sync_interval_minutes"])
        obj.refresh_from_db()
        if typed["sync_after_save"]:
            config_changed = change and old_config != obj.provider_config
            request.start_sync = partial(  # type: ignore[attr-defined]
                self._sync_after_save, request, obj, config_changed=config_changed
            )

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

    @display(description="Name", ordering="display_name", header=True)
    def name(self, federation: Federation) -> list[str]:
        return [federation.display_name, ", ".join(federation.tags)]

    @display(description="Provider", ordering="provider_type")
    def provider(self, federation: Federation) -> str:
        return SHORT_PROVIDERS[ProviderType(federation.provider_type)]

    @display(description="Region")
    def region(self, federation: Federation) -> str:
        return str(federation.provider_config.get("region") or "-")

    @display(description="Role ARN")
    def role_arn(self, federation: Federation) -> str:
        return str(federation.provider_config.get("assumeRoleArn") or "-")

    @display(description="Tag filter")
    def tag_filter(self, federation: Federation) -> str:
        pairs = federation.provider_config.get("resourceTagsFilter") or {}
        return ", ".join(f"{key}:{value}" for key, value in pairs.items()) or "none: every runtime"

    @display(description="Tags")
    def tags(self, federation: Federation) -> str:
        return ", ".join(federation.tags) or "-"

    @display(description="Status", ordering="status", label=STATUS_COLORS)
    def status_label(self, federation: Federation) -> str:
        return federation.get_status_display()

    @display(description="Last sync", ordering="sync_status")
    def sync_label(self, federation: Federation) -> SafeString:
        return sync_label(federation)

    @display(description="Servers", ordering="mcp_server_count")
    def servers(self, federation: Federation) -> str:
        return f"{federation.mcp_server_count:,}"

    @display(description="Agents", ordering="agent_count")
    def agents(self, federation: Federation) -> str:
        return f"{federation.agent_count:,}"

    @display(description="Tools", ordering="tool_count")
    def tools(self, federation: Federation) -> str:
        return f"{federation.tool_count:,}"

    @display(description="When", ordering="last_sync__created_at")
    def last_sync_ago(self, federation: Federation) -> str:
        job = federation.last_sync
        return format_age(job.finished_at or job.started_at or job.created_at) if job else "-"

    @display(description="Interval", ordering="sync_interval_minutes")
    def interval(self, federation: Federation) -> str:
        minutes = federation.sync_interval_minutes
        return f"{minutes:,} min" if minutes else "-"

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

    @display(description="Created")
    def created(self, federation: Federation) -> SafeString:
        return format_html("{} by {}", format_age(federation.created_at), federation.created_by_name or "the hub")

    @display(description="Updated")
    def updated(self, federation: Federation) -> SafeString:
        return format_html("{} by {}", format_age(federation.updated_at), federation.updated_by_name or "the hub")


def _is_owner(request: HttpRequest, federation: Federation | None) -> bool:
    """Tell whether the user is an owner of `federation`, which is None while the user adds a federation.

    Only an owner may change grants, because otherwise an editor could raise the level of the editor's own grant.
    """
    # The person who adds a federation becomes its owner.
    return federation is None or level_of(request.user, federation) >= AccessLevel.OWNER


def trust_policy_of(external_id: str) -> str:
    """Return the trust policy that the federation's role needs, as JSON (AWS STS AssumeRole, `ExternalId`)."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": TRUST_POLICY_PRINCIPAL},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)


def overview_of(federation: Federation) -> dict[str, Any]:
    """Return the template context of the status panel above the form: states, counts with links, and the last sync."""
    job = federation.last_sync
    filter_by_federation = f"federation__id__exact={federation.pk}"
    servers = f"{reverse('admin:federations_mcpserver_changelist')}?{filter_by_federation}"
    agents = f"{reverse('admin:federations_a2aagent_changelist')}?{filter_by_federation}"
    return {
        "federation": federation,
        "status_label": label(federation.get_status_display(), STATUS_COLORS),
        "sync_label": sync_label(federation),
        "sync_color": SYNC_COLORS[sync_outcome(federation)],
        "failure": error_summary(job) if job and federation.sync_status == SyncStatus.FAILED else "",
        "cards": [
            {"title": "MCP servers", "number": federation.mcp_server_count, "href": servers, "icon": "dns"},
            {"title": "A2A agents", "number": federation.agent_count, "href": agents, "icon": "smart_toy"},
            {"title": "Tools", "number": federation.tool_count, "href": servers, "icon": "build"},
        ],
        "last_job": job,
        "last_job_ago": format_age(job.finished_at or job.started_at or job.created_at) if job else "",
        "progress": progress_bar(job) if job and job.is_active else "",
        "is_held": bool(job and job.held),
        "held_plan": open_held_plan(federation),
        "would_have": would_have(job) if job else "",
    }


def recent_jobs_table(federation: Federation) -> dict[str, list[Any]]:
    """Return the newest jobs of `federation` as the input of unfold's table component."""
    jobs = SyncJob.objects.filter(federation_id=federation.pk).defer("changes", "warnings")[:RECENT_JOBS]
    rows = [
        [
            format_html(
                '<a class="text-link" href="{}">{}</a>',
                reverse("admin:federations_syncjob_change", args=[job.pk]),
                job_type(job),
            ),
            job_label(job),
            progress_bar(job) if job.is_active else counters(job),
            format_age(job.created_at),
            duration(job),
            job.requested_by_name or job_trigger(job),
        ]
        for job in jobs
    ]
    return {"headers": ["Job", "Status", "Result", "Started", "Took", "By"], "rows": rows}
