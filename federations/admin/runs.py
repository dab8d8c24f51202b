"""The admin pages of runs: the list, and the page of a run as one live time line."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from core.admin.cells import copyable, row_link
from core.admin.labels import format_age
from core.admin.linked_filters import OldestFirstMixin
from core.admin.list_page import ListChangeList
from core.admin.read_only import ReadOnlyAdmin, is_list_page
from federations.admin.list_pages import RUN_EXPORT, RUN_TABS
from federations.admin.permissions import VisibleByFederationMixin
from federations.admin.run_actions import RunActionsMixin
from federations.admin.run_filters import RunAgentFilter, RunFederationFilter, RunSourceFilter
from federations.admin.run_labels import giver_of, live_state, run_title, state_label, took_of
from federations.admin.run_page import STOP, agent_with_status, artifact_answer, event_answer, live_answer, run_context
from federations.admin.run_rows import LARGE_COLUMNS, slim
from federations.admin.visible_text import visible
from federations.models import A2aAgent, AgentRun
from federations.runs.states import RunSource, RunState
from federations.services.access import agents_visible_to, runs_visible_to

MAX_ROWS = 100


class RunChangeList(ListChangeList):
    """A list of runs, which reads at once which agents of a page are still there."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        known = set(
            agents_visible_to(request.user)
            .filter(pk__in={row.agent_id for row in rows})
            .order_by()
            .values_list("pk", flat=True)
        )
        for row in rows:
            row.is_agent_known = row.agent_id in known
        self.result_list = rows


@admin.register(AgentRun)
class AgentRunAdmin(OldestFirstMixin, RunActionsMixin, VisibleByFederationMixin, ReadOnlyAdmin):
    """The pages of the runs that the user may view. A page that shows an unfinished run follows it without a reload."""

    class Media:
        css: ClassVar = {"all": ["fedhub/jobs.css", "fedhub/runs.css"]}

    list_display = ["asked", "agent_link", "state_label", "given_by", "made", "took"]
    list_filter = [RunFederationFilter, RunAgentFilter, RunSourceFilter]
    list_fullwidth = True
    list_per_page = 50
    tabs, export_fields = RUN_TABS, RUN_EXPORT
    fixed_columns = ["state_label"]
    date_field, date_title = "created_at", "Given"
    oldest_first: ClassVar = {
        ("tab", RunState.WAITING_APPROVAL.value): "created_at",
        ("tab", RunState.INPUT_REQUIRED.value): "due_at",
    }
    search_fields = ["text", "agent_name", "created_by_name", "id__exact", "dispatch_id__exact"]
    search_help_text = "Work, agent, person or id"
    list_before_template = "federations/run_list_live.html"
    change_form_outer_before_template = "federations/run.html"
    empty_hint = "Open an A2A agent and press Try it, or let a program or a peer give it work."

    def get_queryset(self, request: HttpRequest) -> QuerySet[AgentRun]:
        runs = runs_visible_to(request.user)
        return slim(runs) if is_list_page(request) else runs

    def get_fieldsets(self, request: HttpRequest, obj: AgentRun | None = None) -> list[Any]:
        of_peer = ["dispatch"] if obj is not None and obj.dispatch_id else []
        return [("Ids", {"fields": ["run_id", "context", "trace", *of_peer]})]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ListChangeList]:
        return RunChangeList

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        if context := getattr(response, "context_data", None):
            context["unfinished_runs"] = [run for run in context["cl"].result_list if not run.has_ended]
        return response

    def search_by_name(
        self, request: HttpRequest, queryset: QuerySet[AgentRun], search_term: str
    ) -> tuple[QuerySet[AgentRun], bool]:
        """Return the run with this id, or of the received dispatch with this id, for the search over everything."""
        term = search_term.strip()
        return queryset.filter(Q(pk=term) | Q(dispatch_id=term)) if term else queryset.none(), False

    def heading_of(self, row: AgentRun) -> str:
        # A character that turns the direction of a text would turn the browser's title too.
        return "".join(character for character in run_title(row) if character.isprintable())

    def get_urls(self) -> list[Any]:
        pages = [
            ("live", "<str:object_id>/live/", self.live_view),
            ("event", "<str:object_id>/events/<int:sequence>/", self.event_view),
            ("artifact", "<str:object_id>/artifacts/<int:place>/", self.artifact_view),
            ("answer_file", "<str:object_id>/answer.json", self.answer_file_view),
            ("live_rows", "live/", self.live_rows_view),
        ]
        own = [
            path(address, self.admin_site.admin_view(view), name=f"federations_agentrun_{name}")
            for name, address, view in pages
        ]
        return [*own, *super().get_urls()]

    def live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return the parts of a run's page that changed; see `live_answer`."""
        return live_answer(request, self.row_or_404(request, object_id))

    def live_rows_view(self, request: HttpRequest) -> HttpResponse:
        """Return the states of the runs in the query `run`, for lists that show unfinished runs."""
        asked = request.GET.getlist("run")[:MAX_ROWS]
        rows = list(runs_visible_to(request.user).filter(pk__in=asked).defer(*LARGE_COLUMNS))
        is_over = all(row.has_ended for row in rows)
        context = {"rows": [(row, state_label(row)) for row in rows]}
        return TemplateResponse(
            request, "federations/live_runs_answer.html", context, status=STOP if is_over else 200
        )  # fmt: skip

    def event_view(self, request: HttpRequest, object_id: str, sequence: int) -> HttpResponse:
        """Return the content of one event, for the fold that loads it."""
        return event_answer(self.row_or_404(request, object_id), sequence)

    def artifact_view(self, request: HttpRequest, object_id: str, place: int) -> HttpResponse:
        """Return the content of one artifact of the answer, for the fold that loads it."""
        return artifact_answer(self.row_or_404(request, object_id), place)

    def answer_file_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return the whole answer as a JSON file, which a browser saves and does not show."""
        run = self.row_or_404(request, object_id)
        if run.answer is None:
            raise Http404("The run has no answer")
        headers = {
            "Content-Disposition": f'attachment; filename="answer-{run.pk}.json"',
            "X-Content-Type-Options": "nosniff",
        }
        text = json.dumps(run.answer, indent=2, ensure_ascii=False)
        return HttpResponse(text, content_type="application/json", headers=headers)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        context.update(run_context(request, obj, agent_with_status(request, obj.agent_id)))
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    @display(description="Work")
    def asked(self, run: AgentRun) -> SafeString:
        return visible(run_title(run))

    @display(description="Agent", ordering="agent_name")
    def agent_link(self, run: Any) -> SafeString:
        name = visible(run.agent_name)
        return row_link(A2aAgent(pk=run.agent_id), name) if run.is_agent_known else name

    @display(description="State", ordering="state")
    def state_label(self, run: AgentRun) -> SafeString:
        return live_state(run)

    @display(description="Given by", ordering="created_by_name")
    def given_by(self, run: AgentRun) -> SafeString:
        return format_html("{}{}", visible(giver_of(run)), " (peer)" if run.source == RunSource.PEER else "")

    @display(description="Given", ordering="created_at")
    def made(self, run: AgentRun) -> str:
        return format_age(run.created_at)

    @display(description="Took")
    def took(self, run: AgentRun) -> str:
        return took_of(run) or "-"

    @display(description="Run")
    def run_id(self, run: AgentRun) -> SafeString | str:
        return copyable(run.pk)

    @display(description="Context at the agent")
    def context(self, run: AgentRun) -> SafeString | str:
        return copyable(run.context_id)

    @display(description="Trace")
    def trace(self, run: AgentRun) -> SafeString | str:
        return copyable(run.trace_parent)

    @display(description="Received dispatch")
    def dispatch(self, run: AgentRun) -> SafeString | str:
        return copyable(run.dispatch_id)
