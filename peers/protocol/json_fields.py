"""Typed reading of the fields of a JSON object: an absent field has a default, a wrong type raises MalformedMessage.

Optional fields may be null, because OpenIntent's request models send null; other fields may not.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

from core.strict_json import Json, JsonMapping, JsonObject
from peers.protocol.errors import MalformedMessage

Choice = TypeVar("Choice", bound=StrEnum)


def require_fields(data: JsonMapping, names: Iterable[str]) -> None:
    """Raise MalformedMessage that lists the names that `data` does not have."""
    if absent := [name for name in names if name not in data]:
        raise MalformedMessage(f"missing: {', '.join(absent)}")


def read_object(value: object, what: str) -> JsonMapping:
    """Return the value if it is an object with string keys; `what` names it in the error."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise MalformedMessage(f"{what} is not an object")
    return value


def read_text(data: JsonMapping, key: str, default: str = "") -> str:
    """Return a string field."""
    value = data.get(key, default)
    if not isinstance(value, str):
        raise _refused(key, "a string")
    return value


def read_optional_text(data: JsonMapping, key: str) -> str | None:
    """Return a string field, None if it is absent or null."""
    return None if data.get(key) is None else read_text(data, key)


def read_integer(data: JsonMapping, key: str, default: int = 0) -> int:
    """Return an integer field, 0 or greater; true and 1.0 are refused."""
    value = data.get(key, default)
    if type(value) is not int or value < 0:
        raise _refused(key, "a non-negative integer")
    return value


def read_boolean(data: JsonMapping, key: str, *, default: bool) -> bool:
    """Return a boolean field."""
    value = data.get(key, default)
    if not isinstance(value, bool):
        raise _refused(key, "a boolean")
    return value


def read_text_list(data: JsonMapping, key: str, default: tuple[str, ...] = ()) -> list[str]:
    """Return a field that is a list of strings, as a new list."""
    value = data.get(key, list(default))
    if not isinstance(value, list):
        raise _refused(key, "a list of strings")
    texts = [item for item in value if isinstance(item, str)]
    if len(texts) != len(value):
        raise _refused(key, "a list of strings")
    return texts


def read_json_object(data: JsonMapping, key: str) -> JsonObject:
    """Return a field that is an object of any JSON values, as a shallow copy."""
    value: Json = data.get(key, {})
    if not isinstance(value, dict):
        raise _refused(key, "an object")
    return dict(value)


def read_text_map(data: JsonMapping, key: str) -> dict[str, str]:
    """Return a field that is an object whose values are strings, as a new dict."""
    value = read_json_object(data, key)
    texts = {name: text for name, text in value.items() if isinstance(text, str)}
    if len(texts) != len(value):
        raise _refused(key, "an object of strings")
    return texts


def read_choice(data: JsonMapping, key: str, default: Choice) -> Choice:
    """Return a field that is a value of the default's enum."""
    text = read_text(data, key, default)
    try:
        return type(default)(text)
    except ValueError as exc:
        raise _refused(key, f"one of {', '.join(type(default))}") from exc


def without_falsy(data: JsonObject) -> JsonObject:
    """Return the object without fields that are None, empty, 0 or false, as OpenIntent omits optional fields."""
    return {key: value for key, value in data.items() if value}


def _refused(key: str, expected: str) -> MalformedMessage:
    return MalformedMessage(f"{key} is not {expected}")
