"""The response bodies of the dispatch and receive endpoints (OpenIntent RFC-0022)."""

from dataclasses import dataclass
from typing import Self

from core.strict_json import JsonMapping, JsonObject
from peers.protocol.enums import DispatchStatus
from peers.protocol.json_fields import (
    read_boolean,
    read_choice,
    read_object,
    read_optional_text,
    read_text,
    without_falsy,
)


@dataclass
class DispatchResult:
    """The response of the dispatch endpoint, which the dispatching server returns to its own client.

    `status` is the response of `target_server`, PENDING before that response. `remote_intent_id` is the intent's id on
    `target_server`, None while it is unknown.
    """

    dispatch_id: str
    status: DispatchStatus
    target_server: str
    message: str = ""
    remote_intent_id: str | None = None

    def to_dict(self) -> JsonObject:
        """Return the wire form."""
        return {
            "dispatch_id": self.dispatch_id,
            "status": DispatchStatus(self.status).value,
            "target_server": self.target_server,
            "message": self.message,
            **without_falsy({"remote_intent_id": self.remote_intent_id}),
        }

    @classmethod
    def from_dict(cls, data: JsonMapping) -> Self:
        """Read the wire form; an absent status becomes `pending`. Raises MalformedMessage."""
        data = read_object(data, "dispatch result")
        return cls(
            dispatch_id=read_text(data, "dispatch_id"),
            status=read_choice(data, "status", DispatchStatus.PENDING),
            target_server=read_text(data, "target_server"),
            message=read_text(data, "message"),
            remote_intent_id=read_optional_text(data, "remote_intent_id"),
        )


@dataclass
class ReceiveResult:
    """The response of the receive endpoint, which the target server returns to the source server.

    `accepted` tells whether the target server accepts the intent. `local_intent_id` is the intent's id on the target
    server, None if it has none.
    """

    dispatch_id: str
    accepted: bool
    local_intent_id: str | None = None
    message: str = ""

    def to_dict(self) -> JsonObject:
        """Return the wire form."""
        return {
            "dispatch_id": self.dispatch_id,
            "accepted": self.accepted,
            "message": self.message,
            **without_falsy({"local_intent_id": self.local_intent_id}),
        }

    @classmethod
    def from_dict(cls, data: JsonMapping) -> Self:
        """Read the wire form; an absent `accepted` becomes False. Raises MalformedMessage."""
        data = read_object(data, "receive result")
        return cls(
            dispatch_id=read_text(data, "dispatch_id"),
            accepted=read_boolean(data, "accepted", default=False),
            local_intent_id=read_optional_text(data, "local_intent_id"),
            message=read_text(data, "message"),
        )
