"""A plan with the detail of each change: the changed fields and items, the class, and the guards that hold the plan."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from core.errors import ConflictError
from core.strict_json import Json, JsonObject
from federations.services.stored_plans.contents import StoredContent, read_contents
from federations.services.sync_targets import SyncTarget
from federations.sync.changes import Change, Create, Delete, Failure, Skip, Unchanged, Update
from federations.sync.compatibility.classes import ChangeClass
from federations.sync.content import content_of
from federations.sync.diff import ContentDiff, diff_contents
from federations.sync.plan import Plan
from federations.sync.resources import Discovery, ResourceKind
from federations.sync.stored_findings import finding_to_json

DELETIONS, CHANGES = "deletions", "changes"


class HeldPlanError(ConflictError):
    """Raised by a sync whose plan a guard holds. The sync changed no resource.

    `described` is the plan, and `discovery` what it was made from.
    """

    def __init__(self, described: DescribedPlan, discovery: Discovery) -> None:
        super().__init__(described.held_message)
        self.described = described
        self.discovery = discovery


@dataclass(frozen=True, slots=True)
class DescribedChange:
    """One change with its difference (None for a skip or an error), and the stored content before it, if any."""

    change: Change
    diff: ContentDiff | None
    before: StoredContent | None = None

    @property
    def change_class(self) -> str:
        """Return the class of the change, or an empty text for a change without one."""
        return str(self.diff.change_class) if self.diff else ""

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the change with the content that it writes, in hex; times and own ids are left out."""
        text = json.dumps(_identity(self.change), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def detail(self) -> JsonObject:
        """Return the difference as JSON."""
        return diff_to_json(self.diff) if self.diff else {"fields": [], "rules": [], "items": []}


@dataclass(frozen=True)
class DescribedPlan:
    """A plan, its described changes (without the unchanged resources), and the guards that hold the plan."""

    plan: Plan
    changes: tuple[DescribedChange, ...]
    reviews_changes: bool

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 over the sorted digests of the changes, in hex."""
        return hashlib.sha256("".join(sorted(change.digest for change in self.changes)).encode()).hexdigest()

    @property
    def classes(self) -> dict[str, int]:
        """Return the number of changed resources of each class."""
        counted = Counter(change.change_class for change in self.changes)
        return {str(name): counted[str(name)] for name in ChangeClass}

    @property
    def held_by(self) -> list[str]:
        """Return the names of the guards that hold the plan."""
        needs_review = self.classes[ChangeClass.BREAKING] + self.classes[ChangeClass.RISKY] > 0
        guards = [(DELETIONS, self.plan.is_held), (CHANGES, self.reviews_changes and needs_review)]
        return [name for name, holds in guards if holds]

    @property
    def held_message(self) -> str:
        """Return the error text of a held plan, or an empty text."""
        texts = []
        if DELETIONS in self.held_by:
            texts.append(self.plan.held_message)
        if CHANGES in self.held_by:
            breaking, risky = self.classes[ChangeClass.BREAKING], self.classes[ChangeClass.RISKY]
            texts.append(
                f"Sync held: {breaking} breaking and {risky} risky changes wait for a review. "
                "Nothing was changed; look at the plan, then apply or dismiss it"
            )
        return ". ".join(texts)


def describe_plan(target: SyncTarget, plan: Plan) -> DescribedPlan:
    """Read the stored contents that the plan changes, and compare both sides of each change."""
    before: dict[str, StoredContent] = {}
    for kind in ResourceKind:
        ids = [
            change.old.resource_id
            for change in plan.changes
            if isinstance(change, Update | Delete) and change.kind is kind
        ]
        before |= read_contents(kind, ids)
    changes = tuple(_describe(change, before) for change in plan.changes if not isinstance(change, Unchanged))
    return DescribedPlan(plan, changes, target.reviews_changes)


def _describe(change: Change, before: Mapping[str, StoredContent]) -> DescribedChange:
    match change:
        case Create(new=new):
            return DescribedChange(change, diff_contents(change.kind, None, content_of(new)))
        # Outside a transaction a resource may be deleted before its content is read.
        case Update(old=old, new=new):
            stored = before.get(old.resource_id)
            content = stored.content if stored else {}
            return DescribedChange(change, diff_contents(change.kind, content, content_of(new)), stored)
        case Delete(old=old):
            stored = before.get(old.resource_id)
            content = stored.content if stored else {}
            return DescribedChange(change, diff_contents(change.kind, content, None), stored)
    return DescribedChange(change, None)


def _identity(change: Change) -> JsonObject:
    """Return what makes two changes equal: the resource, and what an apply writes."""
    identity: dict[str, Any] = {
        "action": change.action,
        "kind": str(change.kind or ""),
        "name": change.name,
        "runtimeId": change.runtime_id,
        "reason": change.reason,
    }
    if isinstance(change, Update | Delete):
        identity["before"] = [change.old.path, change.old.version, change.old.content_digest]
    if isinstance(change, Create):
        identity["path"] = change.path
    if isinstance(change, Create | Update | Skip):
        identity["content"] = finding_to_json(change.new)
        identity["content"]["runtime"].pop("last_updated_at")
    if isinstance(change, Failure):
        identity["version"] = change.found.version
    return identity


def diff_to_json(diff: ContentDiff) -> JsonObject:
    """Return a difference as JSON: the changed `fields` with their `rules`, and the changed `items`."""
    fields: list[Json] = [{"field": field.field, "before": field.before, "after": field.after} for field in diff.fields]
    items: list[Json] = [
        {
            "kind": str(item.kind),
            "name": item.name,
            "action": item.action,
            "class": str(item.change_class),
            "rules": list(item.rules),
            "fields": [{"field": field.field, "before": field.before, "after": field.after} for field in item.fields],
        }
        for item in diff.items
    ]
    return {"fields": fields, "rules": list(diff.rules), "items": items}
