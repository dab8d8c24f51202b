"""Fields that take a value as it was meant or refuse it: no number for a text, no "yes" for true."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


class Text(serializers.CharField):
    """A JSON string, kept to the character: nothing is trimmed, nothing turned into text."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("trim_whitespace", False)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the string; fail for a number or a truth value, which the base class would turn into text."""
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class Flag(serializers.BooleanField):
    """A JSON true or false. A word that looks like one is refused: `"dryRun": "yes"` must not start a sync."""

    def to_internal_value(self, data: Any) -> bool:
        """Return the truth value; fail for everything else."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


@extend_schema_field({"type": "object", "additionalProperties": {}})
class JsonObjectField(serializers.Field):  # type: ignore[type-arg]
    """Any JSON object."""

    default_error_messages = {"invalid": "Must be a JSON object."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the object; fail for every other JSON value."""
        if not isinstance(data, dict):
            self.fail("invalid")
        return data

    def to_representation(self, value: Any) -> Any:
        """Return the object as it is."""
        return value


class UtcTime(serializers.DateTimeField):
    """A time as the contract writes it: UTC, whole seconds, ending in Z."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M:%SZ", default_timezone=UTC, **kwargs)
