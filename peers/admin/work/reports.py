"""What a peer reports about work, in the words of a run's time line: what the agent says, asks and gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from federations.admin.run_parts import Room, artifact_block, artifact_name, data_block, text_block
from federations.admin.run_timeline import NAME_CHARACTERS
from federations.admin.visible_text import visible
from peers.admin.json_fields import short_fields
from peers.admin.labels import event_name
from peers.admin.work.answer import ANSWER, ARTIFACTS
from peers.protocol import CallbackEventType
from peers.services.inbox.work_progress import REFUSED

REPORT_CHARACTERS, REPORT_NODES = 40_000, 600
ICONS: Mapping[str, str] = {
    CallbackEventType.STATE_DELTA: "trending_up",
    CallbackEventType.STATUS_CHANGED: "swap_horiz",
    CallbackEventType.ATTESTATION: "verified",
    CallbackEventType.BUDGET_WARNING: "data_usage",
    CallbackEventType.COMPLETED: "check_circle",
    CallbackEventType.FAILED: "error",
}
TONES: Mapping[str, str] = {
    CallbackEventType.BUDGET_WARNING: "warning",
    CallbackEventType.COMPLETED: "good",
    CallbackEventType.FAILED: "bad",
}
ENDS = (CallbackEventType.COMPLETED, CallbackEventType.FAILED)
# The members of a state_delta that hubs of this program write about a run; other members are shown as they are.
KNOWN = ("status", "message", "question", "reason", "error", ANSWER, ARTIFACTS)


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that a report says, for a time line."""

    icon: str
    title: SafeString | str
    body: SafeString | str = ""
    tone: str = ""


@dataclass(slots=True)
class Reports:
    """The reports about one piece of work, read in their order: of an artifact that grows, each shows what is new."""

    room: Room = field(default_factory=lambda: Room(REPORT_CHARACTERS, REPORT_NODES))
    texts: dict[str, str] = field(default_factory=dict)

    def told(self, event_type: str, body: Mapping[str, Any]) -> Iterator[Said]:
        """Yield what the next report says; at least one thing."""
        found = body.get("state_delta")
        # A null takes a member away, such as the question that was answered.
        delta = {name: value for name, value in found.items() if value is not None} if isinstance(found, dict) else {}
        others = {name: value for name, value in delta.items() if name not in KNOWN}
        said = [*self._of_agent(event_type, delta), *self._artifacts(delta.get(ARTIFACTS))]
        if event_type in ENDS or not said or others:
            said.append(self._whole(event_type, delta, others, is_alone=not said))
        yield from said

    def _of_agent(self, event_type: str, delta: Mapping[str, Any]) -> Iterator[Said]:
        status = delta.get("status")
        if event_type in ENDS:
            return
        if status == "waiting_approval":
            yield Said("hourglass_top", "The peer's staff must approve the work", tone="warning")
        elif "question" in delta:
            yield Said("help", "The agent asks the peer's staff", self._value(delta["question"]), "warning")
        elif "message" in delta:
            yield Said("chat", "The agent says", self._value(delta["message"]))
        elif status == "working":
            yield Said("smart_toy", "The agent works")
        elif isinstance(status, str):
            yield Said("swap_horiz", format_html("The work is {}", visible(status[:NAME_CHARACTERS].replace("_", " "))))

    def _artifacts(self, artifacts: object) -> Iterator[Said]:
        for key, artifact in artifacts.items() if isinstance(artifacts, dict) else ():
            if not isinstance(artifact, dict):
                continue
            whole = {name: value for name, value in artifact.items() if value is not None}
            name = visible((artifact_name(whole) or key)[:NAME_CHARACTERS])
            text, earlier = _text_of(whole), self.texts.get(key, "")
            self.texts[key] = text
            if earlier and text == earlier:
                yield Said("draft", format_html("The agent gives the artifact {} again, unchanged", name))
            elif earlier and text.startswith(earlier):
                added = text_block(text[len(earlier) :].lstrip("\n"), self.room)
                yield Said("draft", format_html("The agent adds to the artifact {}", name), added)
            else:
                shown = artifact_block(whole, self.room)
                yield Said("draft", format_html("The agent gives the artifact {}", name), shown)

    def _whole(self, event_type: str, delta: Mapping[str, Any], others: Mapping[str, Any], *, is_alone: bool) -> Said:
        """Return what the report says beside the agent's own words: its event, a reason, and members of other hubs."""
        reason = delta.get("reason") or delta.get("error")
        is_refused = isinstance(reason, str) and reason.startswith(REFUSED)
        title = "The peer's staff refused it" if is_refused else event_name(event_type)
        if not (is_alone or event_type in ENDS):
            title = "It also reports"
        shown = self._value(reason.removeprefix(REFUSED) if isinstance(reason, str) else reason) if reason else ""
        body = format_html("{}{}", shown, short_fields(others) if others else "")
        return Said(ICONS.get(event_type, "circle"), title, body, TONES.get(event_type, ""))

    def _value(self, value: Any) -> SafeString:
        return text_block(value, self.room) if isinstance(value, str) else data_block(value, self.room)


def _text_of(artifact: Mapping[str, Any]) -> str:
    """Return the text of an artifact that has texts alone; "" for any other one."""
    parts = artifact.get("parts")
    texts = [part.get("text") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    is_text = bool(texts) and all(isinstance(text, str) for text in texts) and len(texts) == len(parts or [])
    return "\n".join(map(str, texts)) if is_text else ""
