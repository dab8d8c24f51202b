"""The state_deltas of a run's callbacks, each within its bounds: what is too large becomes name, size and digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from core.malformed_input import MalformedMessage
from core.strict_json import Json, JsonObject, check_json
from federations.runs.bounds import compact
from peers.protocol.canonical_json import canonical_bytes

DELTA_BYTES = 64 * 1024
"""The largest state_delta, as canonical bytes; peers refuse a larger one."""
RUN_BYTES = 512 * 1024
"""The largest sum of the state_deltas of one run."""
END_BYTES = 72 * 1024
"""The part of RUN_BYTES that is kept for the end of the run, whose state_delta is always sent."""
_DEPTH = 30
# A callback has the state_delta as a member, and a reader allows 32 levels in all.


def fit(candidates: Sequence[JsonObject], room: int) -> tuple[JsonObject, int] | None:
    """Return the first of the state_deltas that fits into `room` bytes and that a peer's parser takes, with its size.

    None where none of them fits.
    """
    for delta in candidates:
        try:
            check_json(delta, max_depth=_DEPTH)
            size = len(canonical_bytes(delta))
        except MalformedMessage:
            continue
        if size <= min(room, DELTA_BYTES):
            return delta, size
    return None


def artifact_deltas(payload: JsonObject) -> list[JsonObject]:
    """Return the state_deltas for the event of an artifact: with its parts, and with size and digest alone."""
    name, parts = payload.get("name", ""), payload.get("parts")
    size: Json = payload.get("size", 0)
    if isinstance(parts, list):
        size = sum(len(compact(part)) for part in parts)
    # A merge patch: the null removes the parts of an earlier, smaller version.
    short: JsonObject = {"name": name, "size": size, "digest": payload.get("digest", ""), "parts": None}
    forms: list[JsonObject] = [{"name": name, "parts": parts}, short] if isinstance(parts, list) else [short]
    return [{"artifacts": {str(payload.get("id", "")): form}} for form in forms]


def value_deltas(status: str, member: str, value: Json) -> list[JsonObject]:
    """Return the state_deltas `{"status", member: value}`: with the value, with its size and digest, without it."""
    content = compact(value)
    short: JsonObject = {
        "name": member,
        "size": len(content),
        "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
    }
    return [{"status": status, member: value}, {"status": status, member: short}, {"status": status}]


def answer_of(answer: JsonObject | None) -> Json:
    """Return the answer of a run in one value: its text, else the texts of its artifacts.

    The artifacts themselves have callbacks of their own.
    """
    if not answer:
        return ""
    if answer.get("text"):
        return answer["text"]
    artifacts = answer.get("artifacts")
    texts = [
        part["text"]
        for artifact in (artifacts if isinstance(artifacts, list) else [])
        if isinstance(artifact, dict) and isinstance(parts := artifact.get("parts"), list)
        for part in parts
        if isinstance(part, dict) and isinstance(part.get("text"), str)
    ]
    return "\n".join(str(text) for text in texts)
