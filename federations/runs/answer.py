"""The answer of a run while it grows: the text, and each artifact within its bound."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from core.strict_json import Json, JsonObject
from federations.runs.bounds import (
    ANSWER_BYTES,
    ARTIFACTS,
    PAYLOAD_BYTES,
    clean_json,
    clean_line,
    clean_name,
    clean_text,
    compact,
)
from federations.runs.updates import ArtifactUpdate

_FRAME_BYTES = 2_048
"""The room in a payload for the members beside the parts."""


class AnswerTooLargeError(Exception):
    """Raised where an agent's answer is over a bound. The text of the error is the reason."""


@dataclass(slots=True)
class KeptArtifact:
    """One artifact: its parts if they fit into a payload, else only the size and the digest.

    `size` is the number of bytes of all parts as compact JSON. `digest` is the SHA-256 over them, each followed by a
    line feed, so that it is the same however the agent cuts the artifact into chunks of whole parts.
    """

    artifact_id: str
    name: str
    parts: list[Json] = field(default_factory=list)
    size: int = 0
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, parts: Iterable[JsonObject]) -> None:
        """Append parts."""
        for part in parts:
            cleaned = clean_json(part)
            content = compact(cleaned)
            self.size += len(content)
            self._digest.update(content + b"\n")
            self.parts.append(cleaned)
        if not self.is_whole:
            self.parts.clear()

    @property
    def is_whole(self) -> bool:
        """Tell whether the parts are kept."""
        return self.size <= PAYLOAD_BYTES - _FRAME_BYTES

    @property
    def digest(self) -> str:
        """Return the digest in hex."""
        return self._digest.hexdigest()

    def to_dict(self) -> JsonObject:
        """Return the artifact as the answer and the events hold it."""
        shown: JsonObject = {"id": self.artifact_id, "name": self.name}
        if self.is_whole:
            return {**shown, "parts": list(self.parts)}
        return {**shown, "size": self.size, "digest": f"sha256:{self.digest}"}


@dataclass(slots=True)
class Answer:
    """The artifacts of a run by id, in the order in which they came, and the text of the last message."""

    text: str = ""
    artifacts: dict[str, KeptArtifact] = field(default_factory=dict)

    def take(self, update: ArtifactUpdate) -> KeptArtifact:
        """Add an artifact or a chunk; raise AnswerTooLargeError for more than 1,000 artifacts."""
        key = clean_name(update.artifact_id)
        kept = self.artifacts.get(key)
        if kept is None or not update.append:
            if kept is None and len(self.artifacts) >= ARTIFACTS:
                raise AnswerTooLargeError(f"the agent gave more than {ARTIFACTS} artifacts")
            kept = self.artifacts[key] = KeptArtifact(key, clean_name(update.name))
        kept.add(update.parts)
        return kept

    def keep_only(self, artifact_ids: Iterable[str]) -> None:
        """Forget the artifacts that a whole task does not have."""
        wanted = {clean_name(artifact_id) for artifact_id in artifact_ids}
        for key in [key for key in self.artifacts if key not in wanted]:
            del self.artifacts[key]

    def to_dict(self) -> JsonObject:
        """Return `{"text", "artifacts"}`; raise AnswerTooLargeError for more than 4 MB of compact JSON."""
        answer: JsonObject = {"text": self.text, "artifacts": [kept.to_dict() for kept in self.artifacts.values()]}
        if len(compact(answer)) > ANSWER_BYTES:
            raise AnswerTooLargeError(f"the answer is larger than {ANSWER_BYTES} bytes")
        return answer


def text_of(parts: Iterable[JsonObject]) -> str:
    """Return the text parts of a message, cleaned, with a line feed between them."""
    return "\n".join(clean_text(text) for part in parts if isinstance(text := part.get("text"), str)).strip()


def other_parts(parts: Iterable[JsonObject]) -> list[Json]:
    """Return the parts of a message that are no texts, cleaned."""
    return [clean_json(part) for part in parts if not isinstance(part.get("text"), str)]


def line_of(parts: Iterable[JsonObject]) -> str:
    """Return the text parts of a message on one line, for a reason."""
    return clean_line(text_of(parts))
