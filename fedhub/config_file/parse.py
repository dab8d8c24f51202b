"""Check the values of a file against the models of `document`, and collect all errors with path and line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from core.strict_json import Json
from fedhub.config_file.document import SECTIONS, VERSION, Entry
from fedhub.config_file.yaml_reader import FileError, Path, ReadFile, UnreadableError, path_text, read_yaml

_SECRETS = frozenset({"outbound_key", "secret"})
_MESSAGES = {
    "missing": "this key is required",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "string_type": "must be a text; put it in quotes",
    "list_type": "must be a list",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
}


@dataclass(frozen=True, slots=True)
class ParsedEntry:
    """A valid entry: its section, its model, and its place in the file."""

    section: str
    entry: Entry
    path: Path
    line: int


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """The valid entries of a file in the order of SECTIONS, the sections that stand in it, and all its errors."""

    entries: Sequence[ParsedEntry]
    sections: frozenset[str]
    errors: Sequence[FileError]
    source: ReadFile


def parse_file(text: str) -> ParsedFile:
    """Return the entries and the errors of a file. An entry with an error is not among the entries."""
    try:
        read = read_yaml(text)
    except UnreadableError as exc:
        return ParsedFile((), frozenset(), (exc.error,), ReadFile())
    errors = list(read.errors)
    if not isinstance(read.value, dict):
        errors.append(FileError(1, "", "The file must be a mapping with the key version"))
        return ParsedFile((), frozenset(), errors, read)
    errors += _root_errors(read.value, read)
    entries = [each for section in SECTIONS for each in _entries(section, read.value.get(section), read, errors)]
    present = frozenset(section for section in SECTIONS if isinstance(read.value.get(section), list))
    return ParsedFile(entries, present, sorted(set(errors)), read)


def _root_errors(root: Mapping[str, Json], read: ReadFile) -> list[FileError]:
    known = ("version", *SECTIONS)
    found = [FileError(read.line_of((key,)), key, _unknown(key, known)) for key in root if key not in known]
    if "version" not in root:
        found.append(FileError(1, "version", f"this key is required; write version: {VERSION}"))
    elif root["version"] is True or root["version"] != VERSION:
        found.append(FileError(read.line_of(("version",)), "version", f"this hub reads version {VERSION}"))
    return found


def _entries(section: str, items: Json, read: ReadFile, errors: list[FileError]) -> list[ParsedEntry]:
    """Return the valid entries of a section, and append the errors of the others."""
    if not isinstance(items, list):
        if (section,) in read.lines:
            errors.append(FileError(read.line_of((section,)), section, "must be a list; write [] for an empty one"))
        return []
    found = []
    for index, item in enumerate(items):
        path: Path = (section, index)
        try:
            entry = SECTIONS[section].model_validate(item)
        except ValidationError as exc:
            details = exc.errors(include_url=False, include_context=True, include_input=False)
            errors += [_file_error(path, detail, SECTIONS[section], read) for detail in details]
        else:
            found.append(ParsedEntry(section, entry, path, read.line_of(path)))
    return found


def _file_error(path: Path, detail: ErrorDetails, model: type[Entry], read: ReadFile) -> FileError:
    place: Path = (*path, *_without_types(path, detail["loc"], read))
    kind, last = detail["type"], place[-1]
    context: Mapping[str, Any] = detail.get("ctx", {})
    if kind == "extra_forbidden":
        message = _unknown(str(last), tuple(model.model_fields) if len(place) == len(path) + 1 else ())
    elif last in _SECRETS and kind == "model_type":
        message = "a secret may not stand in the file: write {env: NAME} or {file: PATH}"
    elif kind == "literal_error":
        message = f"must be {context['expected']}".replace("'", "")
    elif kind == "value_error":
        message = str(context["error"])
    elif kind == "string_pattern_mismatch":
        message = f"must have the form {context['pattern']}"
    else:
        message = _MESSAGES.get(kind, detail["msg"].replace("Input should", "must").replace("String should", "must"))
    return FileError(read.line_of(place), path_text(place), message)


def _without_types(path: Path, loc: tuple[str | int, ...], read: ReadFile) -> Path:
    """Return a place of pydantic's without the names of types that it adds; a missing key at the end stays."""
    kept: Path = ()
    for number, part in enumerate(loc):
        is_last = number == len(loc) - 1
        if (*path, *kept, part) in read.lines or (is_last and isinstance(part, str) and part.isidentifier()):
            kept = (*kept, part)
    return kept


def _unknown(key: str, known: Sequence[str]) -> str:
    near = get_close_matches(key, known, n=1)
    return "unknown key" + (f"; did you mean {near[0]}?" if near else "")
