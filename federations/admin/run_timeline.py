"""The time line of a run: each event with its time, who or what caused it, and its content."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.admin.labels import format_time
from federations.admin.labels import short_time
from federations.admin.run_labels import STATE_WORDS
from federations.admin.run_parts import Room, artifact_block, artifact_name, kept_as_digest, parts_block, text_block
from federations.admin.visible_text import visible
from federations.models import AgentRun, AgentRunEvent
from federations.runs.message import message_id
from federations.runs.states import EventKind, RunState

PER_PAGE = 100
NAME_CHARACTERS = 200
SHORT_CHARACTERS = 600
LIMIT_WORDS = {
    "max_llm_tokens": "LLM tokens",
    "max_tool_calls": "tool calls",
    "cost_ceiling_usd": "the cost in USD",
}
Payload = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: `body` is empty where the title says all. `is_folded` is for content that people open.

    `url` is the address of a content for which the page has no room; its fold loads it.
    """

    number: int
    kind: str
    icon: str
    title: SafeString | str
    time: SafeString
    body: SafeString | str = ""
    is_folded: bool = False
    tone: str = ""
    url: str = ""


def newest_events(run: AgentRun, *, before: int = 0) -> tuple[list[AgentRunEvent], bool]:
    """Return the last events of a run, or the last ones before a sequence, and whether there are earlier ones."""
    rows = AgentRunEvent.objects.filter(run_id=run.pk).order_by("-sequence")
    found = list((rows.filter(sequence__lt=before) if before else rows)[: PER_PAGE + 1])
    return found[:PER_PAGE][::-1], len(found) > PER_PAGE


def events_after(run: AgentRun, sequence: int) -> list[AgentRunEvent]:
    """Return the first events of a run after a sequence."""
    return list(AgentRunEvent.objects.filter(run_id=run.pk, sequence__gt=sequence).order_by("sequence")[:PER_PAGE])


def entries_of(run: AgentRun, events: Iterable[AgentRunEvent], room: Room) -> list[Entry]:
    """Return the entries of events. The newest ones have their content in the page, as far as there is room."""
    return [_entry(run, event, room) for event in reversed(list(events))][::-1]


def content_of(event: AgentRunEvent) -> SafeString | str:
    """Return the content of an event, for the fold that loads it."""
    return _described(event, Room())[2]


def moment_text(moment: datetime, beside: datetime) -> SafeString:
    """Return the time of day, with the day where it is not that of `beside`; the whole time is the tooltip."""
    local, day = timezone.localtime(moment), timezone.localtime(beside).date()
    text = local.strftime("%H:%M:%S") if local.date() == day else short_time(moment)
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), format_time(moment), text)


def _entry(run: AgentRun, event: AgentRunEvent, room: Room) -> Entry:
    has_room = room.has_room_for(event.payload)
    icon, title, body, is_folded, tone = _described(event, room if has_room else Room(SHORT_CHARACTERS, 0))
    return Entry(
        number=event.sequence,
        kind=event.kind.replace("_", "-"),
        icon=icon,
        title=title,
        time=moment_text(event.created_at, run.created_at),
        body=body if has_room else "",
        is_folded=is_folded and len(body) > SHORT_CHARACTERS,
        tone=tone,
        url="" if has_room or not body else reverse("admin:federations_agentrun_event", args=[run.pk, event.sequence]),
    )


def _described(event: AgentRunEvent, room: Room) -> tuple[str, SafeString | str, SafeString | str, bool, str]:
    """Return icon, title, content, whether the content is folded, and the tone."""
    payload: Payload = event.payload if isinstance(event.payload, dict) else {}
    icon, describe = KINDS.get(event.kind, ("circle", _unknown))
    title, body, is_folded, tone = describe(payload, room)
    if event.kind == EventKind.SENT and payload.get("messageId") != message_id(event.run_id):
        title = "The hub sends the answer to the agent"
    if event.kind == EventKind.ENDED:
        icon = _END_ICONS.get(str(payload.get("state")), icon)
    # An event of a kind that is not in the table has its kind as the title.
    return icon, title or event.get_kind_display(), body, is_folded, tone


Described = tuple[SafeString | str, SafeString | str, bool, str]


def _named(payload: Payload, key: str, otherwise: str) -> SafeString:
    return visible(str(payload.get(key) or otherwise)[:NAME_CHARACTERS])


def _waits(payload: Payload, room: Room) -> Described:
    return "The work waits for approval", "", False, "warning"


def _approved(payload: Payload, room: Room) -> Described:
    return format_html("{} approved the work", _named(payload, "by", "Staff")), "", False, "good"


def _sent(payload: Payload, room: Room) -> Described:
    sends = payload.get("sends")
    again = " again" if isinstance(sends, int) and sends > 1 else ""
    return f"The hub sends the message to the agent{again}", "", False, ""


def _working(payload: Payload, room: Room) -> Described:
    task = format_html("Task <code>{}</code>", _named(payload, "taskId", "without an id"))
    return "The agent begins", task, False, ""


def _message(payload: Payload, room: Room) -> Described:
    parts = parts_block(payload["parts"], room) if "parts" in payload else ""
    digest = kept_as_digest(payload) if "digest" in payload else ""
    text = text_block(str(payload.get("text", "")), room) if payload.get("text") else ""
    return "The agent says", format_html("{}{}{}", text, parts, digest), False, ""


def _artifact(payload: Payload, room: Room) -> Described:
    name = visible(artifact_name(payload)[:NAME_CHARACTERS])
    kept = "" if "parts" in payload else ", kept as a digest"
    return format_html("The agent gives the artifact {}{}", name, kept), artifact_block(payload, room), True, ""


def _asks(payload: Payload, room: Room) -> Described:
    title = "The agent asks for a sign-in" if payload.get("state") == "auth-required" else "The agent asks"
    return title, text_block(str(payload.get("question") or "It does not say what it needs."), room), False, "warning"


def _answered(payload: Payload, room: Room) -> Described:
    title = format_html("{} answers", _named(payload, "by", "Staff"))
    return title, text_block(str(payload.get("text", "")), room), False, "good"


def _budget(payload: Payload, room: Room) -> Described:
    limit = str(payload.get("limit", ""))
    what = LIMIT_WORDS.get(limit, limit[:NAME_CHARACTERS])
    used, bound = (_figure(payload.get(key)) for key in ("used", "bound"))
    return f"More than 80 % of the limit on {what} is used", f"{used} of {bound}", False, "warning"


def _cancelled(payload: Payload, room: Room) -> Described:
    title = format_html("{} ends the run", _named(payload, "by", "The hub"))
    reason = str(payload.get("reason") or "")
    # "Cancelled by ada" says nothing beside the title.
    is_plain = reason.startswith("Cancelled by ")
    return title, "" if is_plain or not reason else text_block(reason, room), False, ""


def _ended(payload: Payload, room: Room) -> Described:
    state, error = str(payload.get("state", "")), str(payload.get("error") or "")
    title = STATE_WORDS.get(state, state[:NAME_CHARACTERS])
    return title, text_block(error, room) if error else "", False, _END_TONES.get(state, "")


def _unknown(payload: Payload, room: Room) -> Described:
    return "", "", False, ""


def _figure(value: Any) -> str:
    return f"{value:,g}" if isinstance(value, int | float) else "?"


_END_TONES: Mapping[str, str] = {RunState.COMPLETED: "good", RunState.FAILED: "bad", RunState.EXPIRED: "bad"}
_END_ICONS: Mapping[str, str] = {
    RunState.COMPLETED: "check_circle",
    RunState.CANCELLED: "block",
    RunState.EXPIRED: "timer_off",
}
KINDS: Mapping[str, tuple[str, Callable[[Payload, Room], Described]]] = {
    EventKind.WAITING_APPROVAL: ("hourglass_top", _waits),
    EventKind.APPROVED: ("thumb_up", _approved),
    EventKind.SENT: ("send", _sent),
    EventKind.WORKING: ("smart_toy", _working),
    EventKind.MESSAGE: ("chat", _message),
    EventKind.ARTIFACT: ("draft", _artifact),
    EventKind.INPUT_REQUIRED: ("help", _asks),
    EventKind.ANSWERED: ("reply", _answered),
    EventKind.BUDGET_WARNING: ("data_usage", _budget),
    EventKind.CANCELLED: ("block", _cancelled),
    EventKind.ENDED: ("error", _ended),
}
