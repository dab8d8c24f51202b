"""What staff do with a run: approve, refuse, answer and cancel it. Each action calls one service."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import action
from unfold.enums import ActionVariant

from core.actors import actor_of
from core.admin.refusals import show_refusals
from core.admin.row_pages import RowPagesMixin
from core.strict_json import JsonObject
from federations.admin.run_forms import AnswerForm, ApproveForm, CancelForm, RefuseForm
from federations.admin.run_labels import is_being_cancelled
from federations.models import AgentRun
from federations.runs.states import ALLOWED, Action
from federations.services.access import AnyUser, may_approve_runs, may_run_agents
from federations.services.runs import decide


class RunActionsMixin(RowPagesMixin):
    """Adds the buttons of a run. The live part of the page shows them, because they come and go with the state."""

    actions_detail = ["approve_run", "refuse_run", "answer_run", "cancel_run"]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        # The header of the page does not change while an agent works.
        return []

    def has_run_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the user may answer and cancel the run; `obj` is the run's id."""
        return may_run_agents(request.user) and self._is_visible(request, obj)

    def has_approve_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the user may approve and refuse the run; `obj` is the run's id."""
        return may_approve_runs(request.user) and self._is_visible(request, obj)

    def _is_visible(self, request: HttpRequest, run_id: Any) -> bool:
        return bool(run_id) and self.get_queryset(request).filter(pk=str(run_id)).exists()

    @action(
        description="Approve",
        icon="thumb_up",
        variant=ActionVariant.PRIMARY,
        permissions=["approve"],
        url_path="approve",
        dialog={
            "title": "Approve this work?",
            "description": "The agent gets the message and begins as soon as a worker is free.",
            "form_class": ApproveForm,
            "form_submit_text": "Approve",
            "keep_text": "Not yet",
        },
    )
    def approve_run(self, request: HttpRequest, form: ApproveForm, object_id: str) -> HttpResponse:
        with show_refusals(request):
            decide.approve_run(self.row_or_404(request, object_id), by=actor_of(request.user))
            messages.success(request, "The work is approved.")
        return self.redirect_to(request, self.back_url(request, object_id))

    @action(
        description="Refuse",
        icon="thumb_down",
        permissions=["approve"],
        url_path="refuse",
        dialog={
            "title": "Refuse this work?",
            "description": "The agent does not begin. The sender reads that staff refused the work, and your reason.",
            "form_class": RefuseForm,
            "form_submit_text": "Refuse",
            "keep_text": "Not yet",
        },
    )
    def refuse_run(self, request: HttpRequest, form: RefuseForm, object_id: str) -> HttpResponse:
        run, reason = self.row_or_404(request, object_id), form.cleaned_data["reason"]
        with show_refusals(request):
            decide.refuse_run(run, reason=reason, by=actor_of(request.user))
            messages.success(request, "The work is refused.")
        return self.redirect_to(request, self.back_url(request, object_id))

    @action(
        description="Answer",
        icon="reply",
        variant=ActionVariant.PRIMARY,
        permissions=["run"],
        url_path="answer",
        dialog={
            "title": "Answer the agent's question",
            "description": "",
            "form_class": AnswerForm,
            "form_submit_text": "Answer",
            "keep_text": "Not yet",
        },
    )
    def answer_run(self, request: HttpRequest, form: AnswerForm, object_id: str) -> HttpResponse:
        run: AgentRun = self.row_or_404(request, object_id)
        # The service refuses an answer to an earlier question than the one that the agent asks now.
        run.input_number = form.cleaned_data["number"]
        with show_refusals(request):
            decide.answer_run(run, text=form.cleaned_data["text"], by=actor_of(request.user))
            messages.success(request, "The agent gets the answer.")
        return self.redirect_to(request, self.back_url(request, object_id))

    @action(
        description="Cancel",
        icon="block",
        variant=ActionVariant.DANGER,
        permissions=["run"],
        url_path="cancel",
        dialog={
            "title": "Cancel this run?",
            "description": "The run ends without an answer. If the agent works, the hub asks it to cancel its task. To "
            "decline a peer's work that waits for approval, press Refuse: then the sender reads that staff refused it.",
            "form_class": CancelForm,
            "form_submit_text": "Cancel the run",
            "keep_text": "Let it run",
        },
    )
    def cancel_run(self, request: HttpRequest, form: CancelForm, object_id: str) -> HttpResponse:
        run, reason = self.row_or_404(request, object_id), form.cleaned_data["reason"]
        with show_refusals(request):
            changed = decide.cancel_run(run, by=actor_of(request.user), reason=reason)
            ended = "The run is cancelled." if changed.has_ended else "The hub asks the agent to cancel its task."
            messages.success(request, ended)
        return self.redirect_to(request, self.back_url(request, object_id))


BUTTONS = (
    ("approve_run", Action.APPROVE, may_approve_runs),
    ("refuse_run", Action.REFUSE, may_approve_runs),
    ("answer_run", Action.ANSWER, may_run_agents),
    ("cancel_run", Action.CANCEL, may_run_agents),
)


def buttons_of(user: AnyUser, run: AgentRun) -> list[JsonObject]:
    """Return the buttons that the state of the run and the rights of the user allow."""
    if is_being_cancelled(run):
        return []
    found = [name for name, what, is_permitted in BUTTONS if run.state in ALLOWED[what] and is_permitted(user)]
    return [_button(run, name) for name in found]


def _button(run: AgentRun, name: str) -> JsonObject:
    method = getattr(RunActionsMixin, name)
    return {
        "id": name.replace("_", "-"),
        "text": method.short_description,
        "icon": method.icon,
        "is_primary": method.variant == ActionVariant.PRIMARY,
        "href": reverse(f"admin:federations_agentrun_{name}", args=[run.pk]),
    }
