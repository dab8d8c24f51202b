"""The admin pages of stored plans: the list, and the page on which staff look at a plan, apply it or dismiss it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString, mark_safe
from unfold.decorators import display

from core.actors import actor_of
from core.admin.cells import copyable, row_link, time_from_now
from core.admin.labels import format_age, format_time
from core.admin.linked_filters import OldestFirstMixin
from core.admin.read_only import ReadOnlyAdmin
from core.admin.refusals import show_refusals
from core.admin.row_pages import RowPagesMixin
from core.strict_json import JsonObject
from federations.admin.change_filters import StoredChanges
from federations.admin.change_page import asks_for_list, body_answer, change_context, list_answer
from federations.admin.filters import FederationFilter, HeldFilter, PlanStatusFilter
from federations.admin.job_live import STOP
from federations.admin.labels import counter_labels
from federations.admin.list_pages import PLAN_EXPORT, PLAN_TABS
from federations.admin.permissions import VisibleByFederationMixin
from federations.admin.plan_page import PLAN_COLORS, plan_context, plan_state
from federations.admin.skipped import skipped_notice
from federations.admin.visible_text import visible
from federations.admin.warning_block import warning_block_of_sync
from federations.models import AccessLevel, JobTrigger, PlannedChange, StoredPlan
from federations.services.access import level_of, plans_visible_to
from federations.services.stored_plans.apply import start_apply
from federations.services.stored_plans.end import dismiss_plan
from federations.services.stored_plans.read_changes import changes_of

LARGE_COLUMNS = ("findings", "basis")
CLASS_COLORS = {"breaking": "danger", "risky": "warning", "compatible": "success"}
MAX_REASON = 500


@admin.register(StoredPlan)
class StoredPlanAdmin(OldestFirstMixin, RowPagesMixin, VisibleByFederationMixin, ReadOnlyAdmin):
    """The plans. A plan's page has its changes, and the buttons that its state and the user's rights allow."""

    list_display = ["plan", "state", "changes", "classes_column", "author", "age", "expires"]
    list_filter = [("federation", FederationFilter), PlanStatusFilter, HeldFilter]
    oldest_first = {("held", "yes"): "created_at"}
    list_fullwidth = True
    list_per_page = 50
    tabs, export_fields = PLAN_TABS, PLAN_EXPORT
    date_field, date_title = "created_at", "Made"
    list_select_related: list[str] = []
    search_fields = ["created_by_name", "reason", "end_reason", "=id"]
    search_help_text = "Author, reason or id"
    change_form_outer_before_template = "federations/plan.html"
    fieldsets = [
        ("Record", {"fields": ["federation_link", "author", "asked_reason", "made_time", "expiry_time", "digest_copy"]})
    ]
    empty_hint = "A dry run of a federation stores a plan here, and so does a sync that a guard holds."

    def get_queryset(self, request: HttpRequest) -> QuerySet[StoredPlan]:
        return plans_visible_to(request.user).defer(*LARGE_COLUMNS).prefetch_related("federation")

    def get_urls(self) -> list[Any]:
        pages = [
            ("apply", "apply/", self.apply_view),
            ("dismiss", "dismiss/", self.dismiss_view),
            ("live", "live/", self.live_view),
            ("body", "changes/<str:change_id>/", self.body_view),
        ]
        own = [
            path(f"<str:object_id>/{end}", self.admin_site.admin_view(view), name=f"federations_storedplan_{name}")
            for name, end, view in pages
        ]
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if request.method == "GET" and asks_for_list(request):
            return list_answer(request, self._changes(request, self.row_or_404(request, object_id)))
        return super().change_view(request, object_id, form_url, extra_context)  # type: ignore[no-any-return]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        context.update(plan_context(request.user, obj), **self._changes(request, obj))
        context.update(federation_link=self.federation_link(obj), counter_labels=self._counters(obj))
        context["warnings"] = warning_block_of_sync(
            request.user, obj.warnings, scope=obj.federation_id, count=obj.warning_count
        )
        context["skipped"] = self._skipped(request, obj)
        context["typed_reason"] = request.GET.get("reason", "")[:MAX_REASON]
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def apply_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Start the job that applies the plan, and go to the job's page; a refusal goes back to the plan."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        plan = self._changeable(request, object_id)
        if plan.held and level_of(request.user, plan.federation) < AccessLevel.OWNER:
            raise PermissionDenied
        reason = _reason_in(request)
        # A refused apply gets its reason back, so that nobody types it twice.
        target = f"{self.row_url(object_id)}?{urlencode({'reason': reason})}"
        with show_refusals(request, "Not applied, and nothing was changed"):
            job = start_apply(
                plan,
                digest=request.POST.get("digest", ""),
                by=actor_of(request.user),
                reason=reason,
                queued=True,
                trigger=JobTrigger.MANUAL,
            )
            messages.success(request, "The apply is queued. It starts when a worker is free.")
            target = reverse("admin:federations_syncjob_change", args=[job.pk])
        return HttpResponseRedirect(target)

    def dismiss_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """End the plan without a change."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        plan = self._changeable(request, object_id)
        with show_refusals(request):
            dismiss_plan(plan, by=actor_of(request.user), reason=_reason_in(request))
            messages.success(request, "The plan is dismissed. Nothing was changed.")
        return HttpResponseRedirect(self.row_url(object_id))

    def body_view(self, request: HttpRequest, object_id: str, change_id: str) -> HttpResponse:
        """Return the body of the fold of one change."""
        change = _find(self.row_or_404(request, object_id), change_id)
        if change is None:
            raise Http404("Change not found")
        return body_answer(request, change)

    def live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return the state of the plan and the decisions once no job of the federation is under way."""
        context = plan_context(request.user, self.row_or_404(request, object_id))
        if context["decision"].is_busy:
            return HttpResponse(status=204)
        return TemplateResponse(request, "federations/plan_live.html", context, status=STOP)

    def _changeable(self, request: HttpRequest, object_id: str) -> StoredPlan:
        plan: StoredPlan = self.row_or_404(request, object_id)
        if level_of(request.user, plan.federation) < AccessLevel.EDIT:
            raise PermissionDenied
        return plan

    def _changes(self, request: HttpRequest, plan: StoredPlan) -> dict[str, Any]:
        return change_context(
            request,
            StoredChanges(changes_of(plan)),
            scope=plan.federation_id,
            path=self.row_url(plan.pk),
            body_url=lambda key: reverse("admin:federations_storedplan_body", args=[plan.pk, key]),
            find=lambda key: _find(plan, key),
        )

    def _skipped(self, request: HttpRequest, plan: StoredPlan) -> Any:
        if not any(plan.summary.get(key) for key in ("skippedMcpServers", "skippedAgents")):
            return None
        rows = changes_of(plan).filter(action="skip").values_list("kind", "name")
        skipped: list[JsonObject] = [{"action": "skip", "kind": kind, "name": name} for kind, name in rows]
        return skipped_notice(request.user, skipped, federation_id=plan.federation_id)

    def _counters(self, plan: StoredPlan) -> list[dict[str, str]]:
        return counter_labels(plan.summary, nothing="no changes")

    @display(description="Plan", header=True)
    def plan(self, plan: StoredPlan) -> list[str]:
        return [str(plan.federation), "from a sync" if plan.is_from_sync else "from a dry run"]

    @display(description="State", ordering="status", label=PLAN_COLORS)
    def state(self, plan: StoredPlan) -> str:
        return plan_state(plan)

    @display(description="Changes")
    def changes(self, plan: StoredPlan) -> SafeString:
        return _labels(self._counters(plan))

    @display(description="Classes")
    def classes_column(self, plan: StoredPlan) -> SafeString:
        return _labels(class_labels(plan.classes))

    @display(description="Author", ordering="created_by_name")
    def author(self, plan: StoredPlan) -> str:
        return plan.created_by_name or "the schedule"

    @display(description="Age", ordering="created_at")
    def age(self, plan: StoredPlan) -> str:
        return format_age(plan.created_at)

    @display(description="Expires", ordering="expires_at")
    def expires(self, plan: StoredPlan) -> str:
        return time_from_now(plan.expires_at)

    @display(description="Federation")
    def federation_link(self, plan: StoredPlan) -> SafeString:
        return row_link(plan.federation, plan.federation)

    @display(description="Reason")
    def asked_reason(self, plan: StoredPlan) -> SafeString | str:
        return visible(plan.reason) if plan.reason else "-"

    @display(description="Made")
    def made_time(self, plan: StoredPlan) -> str:
        return format_time(plan.created_at)

    @display(description="Expires")
    def expiry_time(self, plan: StoredPlan) -> str:
        return format_time(plan.expires_at)

    @display(description="Digest")
    def digest_copy(self, plan: StoredPlan) -> SafeString | str:
        return copyable(plan.digest)


def class_labels(classes: dict[str, int]) -> list[dict[str, str]]:
    """Return the text and the color of each class above zero, the worst first."""
    return [
        {"text": f"{number:,} {name}", "type": CLASS_COLORS[name]}
        for name in CLASS_COLORS
        if (number := classes.get(name))
    ]


def _find(plan: StoredPlan, change_id: str) -> PlannedChange | None:
    return changes_of(plan).filter(id=change_id).first()


def _reason_in(request: HttpRequest) -> str:
    return request.POST.get("reason", "").replace("\0", "").strip()[:MAX_REASON]


def _labels(labels: list[dict[str, str]]) -> SafeString:
    parts = [render_to_string("unfold/helpers/label.html", part) for part in labels]
    return mark_safe(f'<span class="fedhub-labels">{"".join(parts)}</span>' if parts else "-")  # noqa: S308 (escaped)
