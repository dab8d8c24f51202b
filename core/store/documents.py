"""The model field for documents: JSON values that are sent or compared again, kept as text.

A database's own JSON type changes some values. PostgreSQL's jsonb stores numbers as decimals, so that 1e21 becomes an
integer and -0.0 becomes 0.0, and it drops the order of members. MongoDB stops at integers of 64 bits. The signature of
a message covers these differences, so a changed value makes a message that its receiver refuses.
"""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.db import models
from django.db.models.lookups import Lookup


def document_text(value: object) -> str:
    """Return the text in which a JSON value is stored: compact and ASCII, with its members in their order.

    Every database stores this text unchanged, because NUL and lone surrogates are escaped. Raises ValueError for NaN
    and infinities, TypeError for a value that is not JSON.
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


class DocumentField(models.TextField):  # type: ignore[type-arg]
    """The model field of a JSON value that is stored as text. Rows give the parsed value; None is SQL's NULL.

    Two documents are equal when their parsed values are equal, which a database cannot tell from their texts. So the
    only look-up is `isnull`; every other one raises FieldError.
    """

    description = "JSON as text"

    # django-stubs reads the types of the attribute from these names.
    _pyi_private_set_type: Any
    _pyi_private_get_type: Any
    _pyi_lookup_exact_type: Any

    def get_prep_value(self, value: Any) -> Any:
        """Return the text of a value."""
        return value if value is None or hasattr(value, "as_sql") else document_text(value)

    def from_db_value(self, value: Any, expression: object, connection: object) -> Any:
        """Return the value of a text; a document that MongoDB still holds as such, before its migration, stays."""
        return json.loads(value) if isinstance(value, str) else value

    def to_python(self, value: Any) -> Any:
        """Return the value unchanged: a form or a fixture gives a parsed value."""
        return value

    def value_to_string(self, obj: models.Model) -> Any:
        """Return the value, which a serializer of fixtures writes as JSON."""
        return self.value_from_object(obj)

    def formfield(self, **kwargs: Any) -> Any:
        """Return a form field whose input is JSON."""
        return models.Field.formfield(self, **{"form_class": forms.JSONField, **kwargs})

    def get_lookup(self, lookup: str) -> type[Lookup[Any]] | None:
        """Return the look-up of this name if the text can answer it."""
        return super().get_lookup(lookup) if lookup == "isnull" else None
