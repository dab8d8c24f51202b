"""The message that gives the work to the agent, with ids that are derived from the run's id."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID, uuid5

from core.strict_json import Json, JsonObject

_NAMESPACE = UUID("6f1c1a52-4b7e-5d0a-9a53-0c6f7f4f9d21")
DATA_MEMBERS = ("intent_id", "state", "constraints", "budget")
"""The members of the data part of work from a peer."""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message of the hub to an agent. The role is `user`.

    `text` becomes a text part and `data` a data part, if there is any. `task_id` is empty for the first message.
    """

    message_id: str
    context_id: str
    text: str
    data: Json = None
    task_id: str = ""
    metadata: JsonObject = field(default_factory=dict)


def message_id(run_id: str, number: int = 0) -> str:
    """Return the id of the run's message; `number` counts the answers to the agent's questions from 1."""
    return _derived(f"message {run_id} {number}" if number else f"message {run_id}")


def context_id(run_id: str) -> str:
    """Return the id of the A2A context of the run."""
    return _derived(f"context {run_id}")


def session_id(run_id: str) -> str:
    """Return the value of the runtime's session header: 36 characters, the same for every request of the run."""
    return _derived(f"session {run_id}")


def trace_parent(run_id: str) -> str:
    """Return a `traceparent` (W3C Trace Context) for work that came without one."""
    digits = UUID(_derived(f"trace {run_id}")).hex
    return f"00-{digits}-{UUID(_derived(f'span {run_id}')).hex[:16]}-01"


def work_text(title: str, description: str) -> str:
    """Return the text part of an intent: the title, a blank line, the description."""
    return "\n\n".join(part for part in (title.strip(), description.strip()) if part)


def _derived(text: str) -> str:
    return str(uuid5(_NAMESPACE, text))
