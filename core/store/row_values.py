"""Rows as JSON values that each database reads again as the same rows."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models


class RowError(Exception):
    """Raised for values that are not those of a row of the model."""


def field_names(model: type[models.Model]) -> list[str]:
    """Return the names of the model's columns, in the order in which `row_text` writes their values."""
    return [field.attname for field in model._meta.concrete_fields]


def row_text(row: models.Model) -> str:
    """Return the values of a row as a JSON array on one line; the members of documents keep their order."""
    values = [getattr(row, field.attname) for field in row._meta.concrete_fields]
    return json.dumps(values, separators=(",", ":"), default=_as_json)


def row_of_values(model: type[models.Model], values: Sequence[Any]) -> models.Model:
    """Return the row of values that were read from a `row_text`, not written yet. Raises RowError."""
    fields = model._meta.concrete_fields
    try:
        named = {field.attname: _as_value(field, value) for field, value in zip(fields, values, strict=True)}
        return model(**named)
    except (ValueError, TypeError, ValidationError) as exc:
        raise RowError(f"A row of {model._meta.label} cannot be read: {exc}") from exc


def _as_json(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode("ascii")
    # UUID, Decimal and ZoneInfo, whose fields read their own text.
    return str(value)


def _as_value(field: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(field, models.BinaryField):
        return base64.b64decode(value, validate=True)
    return field.to_python(value)
