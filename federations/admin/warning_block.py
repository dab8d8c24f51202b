"""The warnings of a job, a dry run or a runtime for admin pages: the losses that do not fail a sync."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from core.admin.labels import count_text
from federations.admin.visible_text import visible
from federations.models import RuntimeObservation
from federations.services.access import AnyUser, runtimes_visible_to
from federations.sync.resources import Json

KINDS = {
    "tool": "Tool",
    "resource": "Resource",
    "resource_template": "Resource template",
    "prompt": "Prompt",
    "skill": "Skill",
    "card": "Agent card",
    "listing": "Listing",
    "runtime": "Runtime",
}
MORE = "more"
OPEN_UP_TO = 10


@dataclass(frozen=True, slots=True)
class WarningLine:
    """One warning. `runtime` is the runtime of the warning, if the page has warnings of several runtimes."""

    subject: SafeString
    message: SafeString
    runtime: RuntimeObservation | None = None


@dataclass(frozen=True, slots=True)
class WarningBlock:
    """What an admin page says about warnings. `title` has their number; a long list is closed at first."""

    title: str
    lines: tuple[WarningLine, ...]

    @property
    def is_open(self) -> bool:
        """Tell whether the list is open at first."""
        return len(self.lines) <= OPEN_UP_TO


def warning_block(
    warnings: Sequence[Mapping[str, Json]],
    *,
    count: int = 0,
    runtimes: Mapping[str, RuntimeObservation] | None = None,
) -> WarningBlock | None:
    """Return the block of `warnings`, which are JSON of the API contract, or None if there are none.

    `count` is their number before the list was cut. `runtimes` maps a runtime's id to the observation to which the page
    links.
    """
    if not warnings:
        return None
    lines = tuple(
        WarningLine(
            visible(_subject(found)), visible(_text(found, "message")), (runtimes or {}).get(_text(found, "runtimeId"))
        )
        for found in warnings
    )
    return WarningBlock(_title(warnings, count), lines)


def warnings_of_runtime(runtime: RuntimeObservation) -> dict[str, object]:
    """Return the template context of the warnings of one runtime: the block, and a note below its title."""
    # A runtime that failed, or whose status forbids a call, was not read at all.
    was_read = not runtime.error and all(found.get("kind") != "runtime" for found in runtime.warnings)
    note = "Everything else of this runtime is stored." if was_read else ""
    return {"warnings": warning_block(runtime.warnings), "warnings_note": note}


def warning_block_of_sync(
    user: AnyUser, warnings: Sequence[Mapping[str, Json]], *, scope: str, count: int = 0
) -> WarningBlock | None:
    """Return the block of the warnings of a sync, with links to the runtimes of `scope` that `user` may view."""
    ids = {_text(found, "runtimeId") for found in warnings} - {""}
    runtimes: dict[str, RuntimeObservation] = {}
    if ids:
        found = runtimes_visible_to(user).filter(scope=scope, runtime_id__in=sorted(ids))
        runtimes = {row.runtime_id: row for row in found.only("id", "runtime_id", "name")}
    return warning_block(warnings, count=count, runtimes=runtimes)


def _title(warnings: Sequence[Mapping[str, Json]], count: int) -> str:
    listed = sum(found.get("kind") != MORE for found in warnings)
    if not count and listed < len(warnings):
        return f"More than {listed} warnings"
    return count_text(count or listed, "warning")


def _subject(warning: Mapping[str, Json]) -> str:
    kind = _text(warning, "kind")
    return "" if kind == MORE else f"{KINDS.get(kind, kind.capitalize())} {_text(warning, 'name')}".strip()


def _text(warning: Mapping[str, Json], key: str) -> str:
    return str(warning.get(key) or "")
