"""What pages of the registry say about their object: a title with its name, and actions that the hub would refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from core.actors import actor_of
from core.api.browsable.facts import PageFacts
from core.errors import HubError
from core.ids import is_object_id
from federations.models import AccessLevel, Federation, FederationStatus, PlanStatus, StoredPlan, SyncStatus
from federations.services.access import level_of, may_create_federations
from federations.services.federations import check_updatable
from federations.services.start import check_force, check_syncable
from federations.services.stored_plans.apply import check_open, check_second_person

TITLES = {
    "retrieve_federation": "Federation {federation}",
    "update_federation": "Federation {federation}",
    "delete_federation": "Federation {federation}",
    "sync_federation": "Sync {federation}",
    "list_jobs": "Sync jobs of {federation}",
    "retrieve_job": "A sync job of {federation}",
    "list_job_changes": "What a sync job of {federation} changed",
    "list_plans": "Plans of {federation}",
    "create_plan": "Plans of {federation}",
    "retrieve_plan": "A plan of {federation}",
    "list_plan_changes": "The changes of a plan of {federation}",
    "apply_plan": "Apply a plan of {federation}",
    "dismiss_plan": "Dismiss a plan of {federation}",
}
NEEDED = {
    "update_federation": AccessLevel.EDIT,
    "sync_federation": AccessLevel.EDIT,
    "create_plan": AccessLevel.EDIT,
    "apply_plan": AccessLevel.EDIT,
    "dismiss_plan": AccessLevel.EDIT,
    "delete_federation": AccessLevel.OWNER,
}
BUSY = (SyncStatus.PENDING, SyncStatus.SYNCING)
ONLY_DRY_RUN = "A sync is under way: until it ends, only a dry run is possible."


def facts_of_list(title: str, user: User) -> PageFacts:
    """Return the facts of a list of the whole registry."""
    refused = "" if may_create_federations(user) else "Your roles give no right to create federations."
    return PageFacts(title, refused={"create_federation": refused} if refused else {})


def facts_of_resource(kind: str, answer: Any, *names: str) -> PageFacts:
    """Return the facts of one resource or runtime; its title has the first of the members `names` that has a text."""
    found = answer if isinstance(answer, dict) else {}
    name = next((str(found[each]) for each in names if found.get(each)), "")
    return PageFacts(f"{kind} {name}") if name else PageFacts()


def facts_of_federation(operation: str, user: User, federation_id: str, plan_id: str = "") -> PageFacts:
    """Return the facts of the pages of one federation; a federation that the caller may not view stays unnamed."""
    rows = Federation.objects.filter(id=federation_id).exclude(status=FederationStatus.DELETED)
    federation = rows.first() if is_object_id(federation_id) else None
    level = level_of(user, federation) if federation else 0
    if federation is None or level < AccessLevel.VIEW:
        return PageFacts(refused=dict.fromkeys(NEEDED, "You may not see this federation."))
    rights = _Rights(user, federation, level, _plan(federation, plan_id))
    force = frozenset({"force"}) if rights.may_not_force() else frozenset()
    return PageFacts(
        TITLES.get(operation, "").format(federation=federation.display_name),
        names={"federation_id": federation.display_name},
        refused=dict(rights.refused()),
        hidden={"sync_federation": force, "update_federation": force},
        notes={"sync_federation": ONLY_DRY_RUN} if federation.sync_status in BUSY else {},
    )


def _plan(federation: Federation, plan_id: str) -> StoredPlan | None:
    if not is_object_id(plan_id):
        return None
    return StoredPlan.objects.filter(federation=federation, id=plan_id).defer("findings", "basis").first()


@dataclass(frozen=True, slots=True)
class _Rights:
    """What a person may do with a federation, and with one of its plans, now."""

    user: User
    federation: Federation
    level: int
    plan: StoredPlan | None

    def may_not_force(self) -> bool:
        return self.level < AccessLevel.OWNER or _refusal(lambda: check_force(True)) is not None

    def refused(self) -> Iterator[tuple[str, str]]:
        """Yield each operation that would be refused, with the reason."""
        for operation, needed in NEEDED.items():
            if self.level < needed:
                yield operation, f"It needs the access level {needed.name} on this federation."
            elif reason := self._state_refuses(operation):
                yield operation, reason

    def _state_refuses(self, operation: str) -> str | None:
        if operation == "update_federation":
            return _refusal(lambda: check_updatable(self.federation))
        if operation == "dismiss_plan":
            return self._dismissal_refused()
        if operation == "delete_federation":
            return self._deletion_refused()
        return _refusal(lambda: check_syncable(self.federation)) or self._apply_refused(operation)

    def _deletion_refused(self) -> str | None:
        if self.federation.status != FederationStatus.ACTIVE:
            return f"Federation in status '{self.federation.status}' cannot be deleted."
        return "A job of the federation is under way." if self.federation.sync_status in BUSY else None

    def _dismissal_refused(self) -> str | None:
        status = self.plan.status_at(timezone.now()) if self.plan else PlanStatus.OPEN
        return None if status == PlanStatus.OPEN else f"Plan in status '{status}' cannot be dismissed."

    def _apply_refused(self, operation: str) -> str | None:
        if operation != "apply_plan" or self.plan is None:
            return None
        plan = self.plan
        if plan.held and self.level < AccessLevel.OWNER:
            return f"The plan is held: it needs the access level {AccessLevel.OWNER.name} on this federation."
        if self.federation.sync_status in BUSY:
            return "A sync of the federation is under way."
        return _refusal(lambda: check_open(plan)) or _refusal(lambda: check_second_person(plan, actor_of(self.user)))


def _refusal(check: Callable[[], object]) -> str | None:
    """Return the message of the error that a service's check raises, or None."""
    try:
        check()
    except HubError as exc:
        return f"{exc.message}."
    return None
