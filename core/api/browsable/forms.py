"""A form for each action of a page, from the schema of its body, filled with the documented example."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from core.api.browsable.curl import curl_command
from core.api.browsable.described import Description, Operation, Schema
from core.api.browsable.prose import prose

PREFERENCES = {"Prefer": "respond-async"}
"""The headers of a request that a form offers, with the only value that the hub knows."""

CURRENT = "The present values"
_KINDS = {"boolean": "flag", "integer": "number", "number": "number", "object": "json", "string": "text"}
_LONG_CHARS = 5000


@dataclass(frozen=True, slots=True)
class FormField:
    """One member of a body as a field. `kind` is `flag`, `select`, `text`, `long`, `number`, `lines` or `json`."""

    name: str
    kind: str
    options: tuple[str, ...]
    max_length: int | None
    is_required: bool
    help: SafeString


@dataclass(frozen=True, slots=True)
class ActionForm:
    """A form that sends one request.

    `bodies` are the values that a person can start from, by name, as JSON; the first one fills the form. They are empty
    for a request without a body. `preferences` are headers that the person may add. `url` is the whole address, `note`
    a sentence on what the object's state allows.
    """

    operation: Operation
    url: str
    fields: tuple[FormField, ...]
    bodies: Mapping[str, str]
    preferences: Mapping[str, str]
    note: str = ""

    @property
    def body(self) -> str | None:
        """Return the body that fills the form, None for a request without one."""
        return next(iter(self.bodies.values()), None)

    @property
    def curl(self) -> str:
        """Return the request as a command for a shell."""
        return curl_command(self.operation.method, self.url, body=self.body)


def action_form(
    operation: Operation,
    description: Description,
    url: str,
    *,
    present: Mapping[str, Any],
    hidden: frozenset[str] = frozenset(),
    note: str = "",
) -> ActionForm:
    """Return the form of an operation.

    `present` are the values of the page's object and of its address. Where the body has members of these names, the
    form starts from them: a digest in an example is the digest of another plan, and a PUT replaces each member, so that
    an example would overwrite an object. `hidden` members are left out.
    """
    properties: Schema = description.resolve(operation.body)[1].get("properties", {})
    required = set(description.resolve(operation.body)[1].get("required", ()))
    fields = tuple(
        _field(name, schema, description, is_required=name in required)
        for name, schema in properties.items()
        if name not in hidden
    )
    return ActionForm(
        operation,
        url,
        fields,
        dict(_bodies(operation, {name: present[name] for name in properties if name in present})),
        {each["name"]: PREFERENCES[each["name"]] for each in operation.headers if each["name"] in PREFERENCES},
        note,
    )


def _bodies(operation: Operation, present: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if operation.body is None:
        return
    example = operation.examples[0].value if operation.examples else {}
    if present:
        yield CURRENT, _text(present if operation.method == "PUT" else {**example, **present})
    for each in operation.examples:
        yield each.name, _text(each.value)
    if not present and not operation.examples:
        yield "Empty", "{}"


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _field(name: str, schema: Schema, description: Description, *, is_required: bool) -> FormField:
    _, resolved = description.resolve(schema)
    options = tuple(str(value) for value in resolved.get("enum", ()) if value)
    if options:
        kind = "select"
    elif resolved.get("type") == "array":
        is_text = description.resolve(resolved.get("items"))[1].get("type") == "string"
        kind = "lines" if is_text else "json"
    else:
        kind = _KINDS.get(resolved.get("type", ""), "json")
    length = resolved.get("maxLength")
    if kind == "text" and length and length >= _LONG_CHARS:
        kind = "long"
    # The framework adds a list of the choices after an empty line, which the options of the field repeat.
    text = str(schema.get("description") or resolved.get("description", "")).partition("\n\n")[0]
    return FormField(name, kind, options, length, is_required, prose(text))
