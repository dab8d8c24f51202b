"""Recordings of test modules: the requests of each test in their order, and the answers of a real server."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.weaviate_double.messages import LongTexts, digest

FOLDER = Path(__file__).parent / "recordings"

Exchange = tuple[str, Any, Any]


class UnknownRequestError(Exception):
    """The recording of this test does not have this request."""


@dataclass(slots=True)
class Recording:
    """The recorded tests of one module, by name. An exchange is a call, its request and its answer."""

    path: Path
    server: dict[str, str] = field(default_factory=dict)
    tests: dict[str, list[Exchange]] = field(default_factory=dict)

    @classmethod
    def load(cls, module: str) -> Recording:
        """Read a module's recording. Return an empty one if there is no file."""
        path = FOLDER / f"{module}.json"
        if not path.exists():
            return cls(path)
        content = json.loads(path.read_text(encoding="utf-8"))
        messages = content["messages"]
        tests = {
            name: [(call, messages[request], messages[answer]) for call, request, answer in exchanges]
            for name, exchanges in content["tests"].items()
        }
        return cls(path, content["server"], tests)

    def save(self) -> None:
        """Write the recording, each message once."""
        messages = {
            digest(message): message for exchanges in self.tests.values() for _, *pair in exchanges for message in pair
        }
        lines = [
            f'{{"server": {json.dumps(self.server)},',
            '"messages": {',
            ",\n".join(f'"{key}": {json.dumps(messages[key], ensure_ascii=False)}' for key in sorted(messages)),
            '},\n"tests": {',
            ",\n".join(f"{json.dumps(name)}: {self._lines(name)}" for name in sorted(self.tests)),
            "}}\n",
        ]
        FOLDER.mkdir(exist_ok=True)
        self.path.write_text("\n".join(lines), encoding="utf-8")

    def _lines(self, name: str) -> str:
        rows = [json.dumps([call, digest(request), digest(answer)]) for call, request, answer in self.tests[name]]
        return "[\n  " + ",\n  ".join(rows) + "]"


class Replay:
    """Answers the requests of one test. Each answer is given once, for equal requests in the recorded order."""

    def __init__(self, exchanges: list[Exchange]) -> None:
        self._texts = LongTexts()
        self._answers: dict[str, deque[Any]] = defaultdict(deque)
        for call, request, answer in exchanges:
            self._answers[digest([call, request])].append(answer)

    def answer(self, call: str, request: Any) -> Any:
        """Return the recorded answer. Raise UnknownRequestError if there is none, or none left."""
        short = self._texts.shortened(request)
        answers = self._answers[digest([call, short])]
        if not answers:
            raise UnknownRequestError(f"{call} {json.dumps(short)[:2_000]}")
        return self._texts.restored(answers.popleft())
