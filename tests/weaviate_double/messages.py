"""How requests and answers become JSON that can be compared, read and kept small."""

from __future__ import annotations

import hashlib
import json
from typing import Any

LONG_CHARS = 400
LONG_ITEMS = 40
_TEXT, _LIST = "$text", "$list"
# What an answer says of the moment or of the machine.
_VARYING = {"took": 0.0, "tookSeconds": 0.0, "hostname": "http://weaviate:8080"}


def digest(value: Any) -> str:
    """Return what stands for a value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


class LongTexts:
    """The long texts that requests held: answers repeat them, and a recording needs each by its digest alone."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def shortened(self, request: Any) -> Any:
        """Return a request with a digest for each long text and list."""
        if isinstance(request, dict):
            return {key: self.shortened(_ordered(key, value)) for key, value in request.items()}
        if isinstance(request, list):
            items = [self.shortened(item) for item in request]
            return items if len(items) <= LONG_ITEMS else {_LIST: digest(items), "items": len(items), "first": items[0]}
        return self._remembered(request) if isinstance(request, str) and len(request) > LONG_CHARS else request

    def without(self, answer: Any) -> Any:
        """Return an answer with a digest for each long text of a request, and without what varies."""
        if isinstance(answer, dict):
            return {key: _VARYING.get(key, self.without(value)) for key, value in answer.items()}
        if isinstance(answer, list):
            return [self.without(item) for item in answer]
        return {_TEXT: digest(answer)} if isinstance(answer, str) and digest(answer) in self._texts else answer

    def restored(self, answer: Any) -> Any:
        """Return an answer with the texts that it was recorded with."""
        if isinstance(answer, dict):
            if _TEXT in answer:
                return self._texts[answer[_TEXT]]
            return {key: self.restored(value) for key, value in answer.items()}
        return [self.restored(item) for item in answer] if isinstance(answer, list) else answer

    def _remembered(self, text: str) -> dict[str, Any]:
        self._texts[digest(text)] = text
        return {_TEXT: digest(text), "chars": len(text), "first": text[:40]}


def _ordered(key: str, value: Any) -> Any:
    """Return the names of the properties to be returned in order: the client sends them in that of a set."""
    return sorted(value) if key == "non_ref_properties" and isinstance(value, list) else value
