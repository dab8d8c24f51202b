"""Serializer fields that refuse a value of another JSON type: a number for a text, or "yes" for true."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


class Text(serializers.CharField):
    """The serializer field of a JSON string: it keeps every character and refuses a value of another JSON type."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("trim_whitespace", False)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the string; fail for a number or a truth value, which the base class would convert."""
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class Flag(serializers.BooleanField):
    """The serializer field of a JSON true or false, which refuses words.

    The base class would also read words as truth values, and `"dryRun": "no"` would then start a sync.
    """

    def to_internal_value(self, data: Any) -> bool:
        """Return the truth value; fail for a value of another type."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


@extend_schema_field({"type": "object", "additionalProperties": {}})
class JsonObjectField(serializers.Field):  # type: ignore[type-arg]
    """Any JSON object."""

    default_error_messages = {"invalid": "Must be a JSON object."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the object; fail for a value of another type."""
        if not isinstance(data, dict):
            self.fail("invalid")
        return data

    def to_representation(self, value: Any) -> Any:
        """Return the object unchanged."""
        return value


class UtcTime(serializers.DateTimeField):
    """A time in the contract's form: UTC, whole seconds, `Z` at the end."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M:%SZ", default_timezone=UTC, **kwargs)


@extend_schema_field({"type": "string", "nullable": True})
class NullableText(serializers.CharField):
    """The serializer field of a text column whose empty text means that there is no value; it is shown as null."""

    def to_representation(self, value: Any) -> Any:
        """Return the text, or None if it is empty."""
        return value or None
