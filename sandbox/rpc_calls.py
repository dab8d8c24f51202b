"""The JSON-RPC call in a request of the data plane, read without the SDKs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from core.strict_json import Json, JsonObject

CARD_METHOD = "GetAgentCard"
# The name under which a body that is not JSON-RPC is counted.
INVALID_CALL = "invalid"


@dataclass(frozen=True, slots=True)
class RpcCall:
    """One JSON-RPC request or notification, or the request for an agent card (`CARD_METHOD`).

    `method` is empty if the body is not a JSON-RPC message. `request_id` is None in a notification.
    """

    method: str
    request_id: Json = None
    params: JsonObject = field(default_factory=dict)

    @property
    def cursor(self) -> str | None:
        """Return the cursor of a listing, None for its first page."""
        cursor = self.params.get("cursor")
        return cursor if isinstance(cursor, str) else None


def read_call(body: bytes) -> RpcCall:
    """Return the call in the body of a POST request."""
    try:
        message = json.loads(body)
    except ValueError:
        message = None
    method = message.get("method") if isinstance(message, dict) else None
    if not isinstance(method, str):
        return RpcCall("")
    params = message.get("params")
    return RpcCall(method, message.get("id"), params if isinstance(params, dict) else {})
