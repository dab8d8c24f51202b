"""What the page of a plan says above its changes: the state of the plan, and the decisions that the user may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.admin.cells import row_link, time_until
from core.admin.labels import format_age, format_time
from federations.admin.labels import count_of
from federations.admin.visible_text import visible
from federations.models import (
    ACTIVE_JOB,
    AccessLevel,
    Federation,
    FederationStatus,
    PlanStatus,
    StoredPlan,
    SyncJob,
)
from federations.services.access import AnyUser, level_of
from federations.services.stored_plans.described import CHANGES, DELETIONS
from federations.sync.plan import GUARD_PERCENT

HELD = "Held"
PLAN_COLORS = {
    HELD: "warning",
    PlanStatus.OPEN.label: "info",
    PlanStatus.APPLIED.label: "success",
    PlanStatus.STALE.label: "danger",
    PlanStatus.EXPIRED.label: "default",
    PlanStatus.DISMISSED.label: "default",
}
GUARDS = {DELETIONS: "the deletion guard", CHANGES: "the review of changes"}


@dataclass(frozen=True, slots=True)
class Banner:
    """The state of a plan: a heading and a sentence. `color` is `info`, `warning`, `danger`, `success` or `default`."""

    color: str
    heading: str
    text: SafeString


@dataclass(frozen=True, slots=True)
class Decision:
    """What the user may do with a plan. `refusal` says who can do what the user may not do, and is empty otherwise.

    `is_busy` tells whether a job of the federation is under way, whose end changes the decision.
    """

    may_apply: bool = False
    may_dismiss: bool = False
    may_make: bool = False
    needs_reason: bool = False
    is_busy: bool = False
    refusal: SafeString | str = ""

    @property
    def has_form(self) -> bool:
        """Tell whether the page shows a form."""
        return self.may_apply or self.may_dismiss


def plan_state(plan: StoredPlan) -> str:
    """Return the status of a plan in words; an open plan that a guard holds is held."""
    status = plan.status_at(timezone.now())
    return HELD if status == PlanStatus.OPEN and plan.held else str(status.label)


def job_of(plan: StoredPlan) -> SyncJob | None:
    """Return the newest job that applies or applied the plan."""
    jobs = SyncJob.objects.filter(federation_id=plan.federation_id, plan_id=plan.pk, held=False)
    return jobs.defer("changes", "warnings").first()


def banner_of(plan: StoredPlan) -> Banner:
    """Return the banner of a plan, with a link to the job that applies it."""
    status = plan.status_at(timezone.now())
    job = job_of(plan) if status in (PlanStatus.OPEN, PlanStatus.APPLIED) else None
    link = format_html(" {}.", row_link(job, "Open the job")) if job else ""
    if status == PlanStatus.OPEN:
        return _open_banner(plan, job, link)
    when = format_age(plan.ended_at)
    if status == PlanStatus.APPLIED:
        by = plan.ended_by_name or "the hub"
        text = format_html("{} applied it {}.{}{}", by, when, _reason(plan), link)
        return Banner("success", "This plan is applied.", text)
    if status == PlanStatus.DISMISSED:
        by = plan.ended_by_name or "the hub"
        return Banner(
            "default",
            "This plan is dismissed.",
            format_html("{} dismissed it {}, and nothing was changed.{}", by, when, _reason(plan)),
        )
    if status == PlanStatus.STALE:
        why = visible(plan.end_reason.removeprefix("The plan is stale: "))
        text = format_html("{}. Nothing was changed. Make a new plan to see what a sync would change now.", why)
        return Banner("danger", "This plan is stale:", text)
    text = format_html("It was open until {}, and nothing was changed.", format_time(plan.expires_at))
    return Banner("default", "This plan is expired.", text)


def _open_banner(plan: StoredPlan, job: SyncJob | None, link: SafeString | str) -> Banner:
    until = format_html("until {} ({})", format_time(plan.expires_at), time_until(plan.expires_at))
    if job and job.is_active:
        return Banner("info", "A job applies this plan now.", format_html("{}", link))
    if not plan.held:
        text = format_html("{}. Nothing was changed yet. An apply makes exactly the changes of this plan.", until)
        return Banner("info", "This plan is open", text)
    guards = " and ".join(GUARDS.get(name, name) for name in plan.held_by)
    heading = f"{guards[:1].upper()}{guards[1:]} {'hold' if len(plan.held_by) > 1 else 'holds'} this plan"
    text = format_html("{}. {} Nothing was changed yet.", until, " ".join(_held_because(plan)))
    return Banner("warning", heading, text)


def _held_because(plan: StoredPlan) -> list[str]:
    """Return a sentence for each guard that holds the plan."""
    sentences = []
    if DELETIONS in plan.held_by:
        number = count_of(plan.summary, "deleted")
        sentences.append(f"It deletes {number} resources, and more than {GUARD_PERCENT} % of those that are stored.")
    if CHANGES in plan.held_by:
        breaking, risky = plan.classes.get("breaking", 0), plan.classes.get("risky", 0)
        sentences.append(f"It has {breaking} breaking and {risky} risky changes.")
    return sentences


def _reason(plan: StoredPlan) -> SafeString | str:
    return format_html(" Reason: “{}”.", visible(plan.end_reason)) if plan.end_reason else ""


def decision_of(user: AnyUser, plan: StoredPlan) -> Decision:
    """Return what `user` may do with the plan, so that the page shows only buttons that are not refused."""
    federation, level = plan.federation, level_of(user, plan.federation)
    may_edit = level >= AccessLevel.EDIT
    if plan.status_at(timezone.now()) != PlanStatus.OPEN:
        return Decision(may_make=may_edit and federation.status == FederationStatus.ACTIVE)
    job = SyncJob.objects.filter(ACTIVE_JOB, lock_key=federation.pk).only("id").first()
    refusal = _refusal(user, plan, level, job)
    return Decision(
        may_apply=not refusal,
        may_dismiss=may_edit,
        needs_reason=plan.held,
        is_busy=job is not None,
        refusal=refusal,
    )


def _refusal(user: AnyUser, plan: StoredPlan, level: int, job: SyncJob | None) -> SafeString | str:
    """Return why the user cannot apply the plan and who can, or an empty text. `job` is under way."""
    federation = plan.federation
    if federation.status != FederationStatus.ACTIVE:
        return f"The federation is {federation.get_status_display().lower()}, so its plans cannot be applied."
    if job:
        return format_html("{} of this federation is under way. Apply the plan after its end.", row_link(job, "A job"))
    if level < AccessLevel.EDIT:
        return f"A user who may change this federation can apply or dismiss the plan.{_holders(federation, plan)}"
    if plan.held and level < AccessLevel.OWNER:
        return f"An owner of the federation can apply a held plan.{_holders(federation, plan)}"
    if plan.held and settings.FEDHUB_PLAN_SECOND_PERSON and plan.created_by_id == str(user.pk):
        return f"You made this plan, so another owner must apply it.{_holders(federation, plan, without=str(user.pk))}"
    return ""


def _holders(federation: Federation, plan: StoredPlan, *, without: str = "") -> str:
    """Return the sentence that names the owners by grant. Roles can give the right to others too."""
    level = AccessLevel.OWNER if plan.held else AccessLevel.EDIT
    grants = federation.grants.filter(level__gte=level).order_by("holder_name")
    names = [name for holder, name in grants.values_list("user_id", "holder_name") if not without or holder != without]
    return f" These hold a grant for it: {', '.join(names)}." if names else " Ask an administrator of the hub."


def plan_context(user: AnyUser, plan: StoredPlan) -> dict[str, Any]:
    """Return the template context of the state and the decisions of a plan."""
    return {"plan": plan, "banner": banner_of(plan), "decision": decision_of(user, plan)}
