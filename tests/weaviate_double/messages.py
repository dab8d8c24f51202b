"""The JSON form of requests and answers in a recording: comparable, readable and small."""

from __future__ import annotations

import hashlib
import json
from typing import Any

LONG_CHARS = 400
LONG_ITEMS = 40
_TEXT, _LIST = "$text", "$list"
# The members of an answer that depend on the time or the machine.
_VARYING = {"took": 0.0, "tookSeconds": 0.0, "hostname": "http://weaviate:8080"}


def digest(value: Any) -> str:
    """Return the digest of a value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


class LongTexts:
    """The long texts of requests. Answers repeat them, so a recording has their digests only."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def shortened(self, request: Any) -> Any:
        """Return a request with a digest in place of each long text and list."""
        if isinstance(request, dict):
            return {key: self.shortened(_ordered(key, value)) for key, value in request.items()}
        if isinstance(request, list):
            items = [self.shortened(item) for item in request]
            return items if len(items) <= LONG_ITEMS else {_LIST: digest(items), "items": len(items), "first": items[0]}
        return self._remembered(request) if isinstance(request, str) and len(request) > LONG_CHARS else request

    def without(self, answer: Any) -> Any:
        """Return an answer with a digest in place of each long text, and with fixed values for varying members."""
        if isinstance(answer, dict):
            return {key: _VARYING.get(key, self.without(value)) for key, value in answer.items()}
        if isinstance(answer, list):
            return [self.without(item) for item in answer]
        return {_TEXT: digest(answer)} if isinstance(answer, str) and digest(answer) in self._texts else answer

    def restored(self, answer: Any) -> Any:
        """Return an answer with its long texts restored."""
        if isinstance(answer, dict):
            if _TEXT in answer:
                return self._texts[answer[_TEXT]]
            return {key: self.restored(value) for key, value in answer.items()}
        return [self.restored(item) for item in answer] if isinstance(answer, list) else answer

    def _remembered(self, text: str) -> dict[str, Any]:
        self._texts[digest(text)] = text
        return {_TEXT: digest(text), "chars": len(text), "first": text[:40]}


def _ordered(key: str, value: Any) -> Any:
    """Sort the names of the requested properties, which the client sends in the order of a set."""
    return sorted(value) if key == "non_ref_properties" and isinstance(value, list) else value
