"""Make the plan of a file, and apply it exactly as it was shown: one transaction for each object, under a lock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.acting import acting_as
from core.actors import Actor
from core.errors import HubError
from core.roles.models import Role
from core.store.unit_of_work import locked, retried, unit_of_work
from fedhub.config_file.kinds import ChangedMeanwhileError, Kind, Write, Written
from fedhub.config_file.parse import parse_file
from fedhub.config_file.plan import ACTIONS, CHANGING, DELETE, Change, Key, Observed, Wanted, digest_of
from fedhub.config_file.registry import KINDS
from fedhub.config_file.resolve import resolve
from fedhub.config_file.yaml_reader import FileError

BY = Actor(id="", name="apply_config")
_DELETED_LAST = tuple(reversed(KINDS))


@dataclass(frozen=True, slots=True)
class ConfigPlan:
    """What an apply of a file would do. `changes` has each object of the file, in the order in which it is applied.

    With `errors` there are no changes: a file is applied only if all of it is right.
    """

    changes: Sequence[Change] = ()
    wanted: dict[tuple[str, Key], Wanted] | None = None
    errors: Sequence[FileError] = ()
    prune: bool = False

    @property
    def to_do(self) -> list[Change]:
        """Return the changes that an apply writes."""
        return [change for change in self.changes if change.action in CHANGING]

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the changes as they are shown."""
        return digest_of(self.changes)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one change: `refusal` says why it was not written, `problems` which part of it waits."""

    change: Change
    refusal: str = ""
    problems: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Tell whether the change was written as the plan shows it."""
        return not self.refusal and not self.problems


def make_plan(text: str, *, folder: Path, prune: bool) -> ConfigPlan:
    """Return the plan of a file; nothing is written and nothing is requested. `folder` is that of the file."""
    parsed = parse_file(text)
    if not parsed.sections and parsed.errors:
        return ConfigPlan(errors=parsed.errors, prune=prune)
    hub = {section: dict(kind.observe(None)) for section, kind in KINDS.items()}
    resolved = resolve(parsed, hub, folder=folder)
    if errors := sorted({*parsed.errors, *resolved.errors}):
        return ConfigPlan(errors=errors, prune=prune)
    wanted = {(each.section, each.key): each for each in resolved.wanted}
    changes = []
    for each in resolved.wanted:
        kind = KINDS[each.section]
        changes.append(kind.differ(each, hub[each.section].get(each.key, kind.absent), prune=prune))
    if prune:
        changes += _deletions(parsed.sections, wanted, hub)
    return ConfigPlan(changes, wanted, (), prune)


def _deletions(sections: frozenset[str], wanted: Any, hub: dict[str, dict[Key, Observed]]) -> Iterator[Change]:
    """Yield the deletions of what the sections of the file do not name, in the reverse order of the sections."""
    for section in _DELETED_LAST:
        if section not in sections:
            continue
        for key, observed in sorted(hub[section].items(), key=lambda item: item[0]):
            change = None if (section, key) in wanted else KINDS[section].deletion_of(key, observed)
            if change is not None:
                yield change


def apply_plan(plan: ConfigPlan, *, by: Actor = BY) -> Iterator[Outcome]:
    """Write the changes of a plan one by one, and yield what became of each.

    A change that the hub refuses does not stop the others. An unexpected error does; a later run writes the rest.
    """
    for change in plan.to_do:
        wanted = (plan.wanted or {}).get((change.section, change.key))
        try:
            prepared = KINDS[change.section].prepare(change)
            with acting_as(by):
                written = _write(change, wanted, plan.prune, prepared, by)
                if written.afterwards:
                    written.afterwards()
        except HubError as exc:
            yield Outcome(change, refusal=exc.message)
        else:
            yield Outcome(change, problems=written.problems)


@retried
def _write(change: Change, wanted: Wanted | None, prune: bool, prepared: Any, by: Actor) -> Written:
    """Write one change in one transaction; raises ChangedMeanwhileError if the plan would be another one by now."""
    kind = KINDS[change.section]
    with unit_of_work(with_accounts=True):
        # Two runs write one after another, since two transactions could create an object of one name.
        list(locked(Role.objects.order_by("pk"))[:1])
        kind.lock(change.key)
        observed = kind.observe([change.key]).get(change.key, kind.absent)
        if _change_now(kind, change, wanted, observed, prune) != change:
            raise ChangedMeanwhileError
        return kind.write(Write(change, wanted, observed, by, prepared))


def _change_now(
    kind: Kind, change: Change, wanted: Wanted | None, observed: Observed | None, prune: bool
) -> Change | None:
    if change.action == DELETE:
        return kind.deletion_of(change.key, observed) if observed else None
    return kind.differ(wanted, observed, prune=prune) if wanted else None


def in_shown_order(changes: Sequence[Change]) -> list[Change]:
    """Return the changes as a plan shows them: deletions first, what stays unchanged last."""
    return sorted(changes, key=lambda change: ACTIONS.index(change.action))
