"""Read a YAML text into plain values, with the line of each value; only the plain part of YAML is read.

Anchors, aliases, tags and duplicate keys are refused. Plain scalars are read by the core schema of YAML 1.2 (section
10.3.2), as editors do: `no` and `2026-01-31` are texts. PyYAML's own loaders read YAML 1.1, and the last of two equal
keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import yaml

from core.strict_json import Json

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 16
MAX_VALUES = 300_000

Path = tuple[str | int, ...]
"""The place of a value: keys of mappings and indexes of lists."""

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z|[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_WORDS: dict[str, Json] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# libyaml's parser is some 20 times as fast as the one in Python.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, order=True)
class FileError:
    """One error of the file: its line (0: the whole file), the path of the value as text, and what is wrong."""

    line: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.path}: {self.message}" if self.path else f"{where}{self.message}"


class UnreadableError(Exception):
    """Raised for a text that is not in the part of YAML that is read; `error` says where and why."""

    def __init__(self, message: str, line: int = 0, path: Path = ()) -> None:
        super().__init__(message)
        self.error = FileError(line, path_text(path), message)


@dataclass(slots=True)
class ReadFile:
    """The values of a file; `lines` has the line of each key and item, from 1; `errors` has the duplicate keys."""

    value: Json = None
    lines: dict[Path, int] = field(default_factory=dict)
    errors: list[FileError] = field(default_factory=list)

    def line_of(self, path: Path) -> int:
        """Return the line of the value, or of the nearest value that contains it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def path_text(path: Path) -> str:
    """Return a path as text, for example `peers[2].callback_origins[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def read_yaml(text: str) -> ReadFile:
    """Return the values of the one document in `text`; raise UnreadableError.

    The text is at most 4 MiB and has at most 300,000 values, nested at most 16 deep.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise UnreadableError(f"The file is larger than {MAX_BYTES // 1024 // 1024} MiB")
    reader = _Reader(iter(_events(text)))
    try:
        return reader.read()
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 0
        raise UnreadableError(f"The file is not YAML: {exc.problem or exc.context}", line) from exc
    except yaml.YAMLError as exc:
        raise UnreadableError(f"The file is not YAML: {str(exc).splitlines()[0]}") from exc


def _events(text: str) -> Iterator[Any]:
    yield from cast("Iterator[Any]", yaml.parse(text.removeprefix("\ufeff"), Loader=_LOADER))


class _Reader:
    """Builds the values from the parser's events, in one pass."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.events = events
        self.found = ReadFile()
        self.count = 0

    def read(self) -> ReadFile:
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise UnreadableError("The file has a second document")
                self.found.value = self._value(next(self.events), (), depth=0)
        return self.found

    def _value(self, event: Any, path: Path, *, depth: int) -> Json:
        line = event.start_mark.line + 1
        self.found.lines.setdefault(path, line)
        self.count += 1
        if self.count > MAX_VALUES:
            raise UnreadableError(f"The file has more than {MAX_VALUES:,} values", line)
        if depth > MAX_DEPTH:
            raise UnreadableError(f"The file is nested more than {MAX_DEPTH} deep", line, path)
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise UnreadableError("Anchors and aliases are not read: write the value out", line, path)
        if event.tag is not None:
            raise UnreadableError(f"The tag {event.tag[:40]} is not read", line, path)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event, line, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, depth)
        return self._mapping(path, depth)

    def _sequence(self, path: Path, depth: int) -> Json:
        items: list[Json] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items)), depth=depth + 1))
        return items

    def _mapping(self, path: Path, depth: int) -> Json:
        members: dict[str, Json] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key, line = self._key(event, path)
            inner = (*path, key)
            if is_twice := key in members:
                first = self.found.lines[inner]
                message = f"The key stands here a second time; it stands in line {first} already"
                self.found.errors.append(FileError(line, path_text(inner), message))
            else:
                self.found.lines[inner] = line
            value = self._value(next(self.events), inner, depth=depth + 1)
            if not is_twice:
                members[key] = value
        return members

    def _key(self, event: Any, path: Path) -> tuple[str, int]:
        line = event.start_mark.line + 1
        if not isinstance(event, yaml.ScalarEvent) or event.anchor is not None or event.tag is not None:
            raise UnreadableError("A key must be a plain text", line, path)
        if "\0" in event.value:
            raise UnreadableError("A key has a zero character", line, path)
        return event.value, line


def _scalar(event: Any, line: int, path: Path) -> Json:
    text: str = event.value
    if "\0" in text:
        raise UnreadableError("The text has a zero character", line, path)
    is_plain = event.implicit[0]
    if not is_plain:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return int(text)
    return float(text.replace(".inf", "inf").replace(".nan", "nan")) if _is_float(text) else text


def _is_float(text: str) -> bool:
    return bool(_FLOAT.match(text)) and text.lower() not in (".", "+.", "-.") and len(text) < 100
