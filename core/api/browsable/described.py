"""The OpenAPI description, read for pages: the operations of an address, and what each of them takes and answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

from django.utils.safestring import SafeString

from core.api.browsable.prose import prose

Schema = Mapping[str, Any]
ROOT = "/api/v1"
JSON_TYPE = "application/json"
PEERS_ONLY: list[dict[str, list[str]]] = [{"peer": []}]
_METHODS = ("get", "post", "put", "patch", "delete")
_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Example:
    """A documented body of a request: a name for people, and the JSON value."""

    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address, as the OpenAPI description has it.

    `path` is the template, such as `/api/v1/federations/{federation_id}`. `title` is the summary, `text` the first
    paragraph of the description. `scope` is None for an operation that needs none. `is_signed` is true where only
    another hub can call, with its signature or its own token. `query` and `headers` are the descriptions of the
    parameters, `body` is the schema of the request's body, `answers` the schema of each answer by its status.
    """

    id: str
    method: str
    path: str
    title: str
    text: str
    tag: str
    scope: str | None
    is_signed: bool
    query: tuple[Schema, ...]
    headers: tuple[Schema, ...]
    body: Schema | None
    examples: tuple[Example, ...]
    answers: Mapping[str, Schema]

    @property
    def text_html(self) -> SafeString:
        """Return the text as HTML."""
        return prose(self.text)

    @property
    def names(self) -> list[str]:
        """Return the names of the parameters in the path."""
        return _PARAMETER.findall(self.path)

    def address(self, values: Mapping[str, str]) -> str:
        """Return the path with the values of its parameters."""
        return _PARAMETER.sub(lambda match: quote(values[match[1]], safe=""), self.path)


class Description:
    """The whole OpenAPI description. `groups` are the tags with their descriptions, in their order."""

    def __init__(self, schema: Schema) -> None:
        self.components: Mapping[str, Schema] = schema["components"]["schemas"]
        self.groups = {tag["name"]: tag["description"] for tag in schema.get("tags", ())}
        self.operations = tuple(_operations(schema))
        self._addresses = [(path, re.compile(_pattern(path))) for path in {each.path for each in self.operations}]

    def find(self, path: str) -> tuple[str, dict[str, str]] | None:
        """Return the template and the parameters of an address, or None for an address that is not described."""
        bare = path.rstrip("/")
        found = [(template, match) for template, pattern in self._addresses if (match := pattern.match(bare))]
        if not found:
            return None
        # A literal address is more exact than one with parameters.
        template, match = min(found, key=lambda each: each[0].count("{"))
        return template, {name: unquote(value) for name, value in match.groupdict().items()}

    def at(self, template: str) -> list[Operation]:
        """Return the operations of a template, reading ones first."""
        return [operation for operation in self.operations if operation.path == template]

    def below(self, template: str) -> list[Operation]:
        """Return the operations whose template has exactly one more part, which is not a parameter."""
        start = f"{template}/"
        below = [each for each in self.operations if each.path.startswith(start)]
        return [each for each in below if re.fullmatch(r"[^/{]+", each.path[len(start) :])]

    def resolve(self, schema: Schema | None, value: Any = None) -> tuple[str, Schema]:
        """Return the name and the schema that a reference points to; the name is empty for a schema without one.

        Of alternatives, the one is chosen whose required members `value` has.
        """
        if not schema:
            return "", {}
        if "$ref" in schema:
            name = str(schema["$ref"]).rpartition("/")[2]
            target = self.components[name]
            return self.resolve(target, value) if "oneOf" in target else (name, target)
        if "allOf" in schema:
            return self.resolve(schema["allOf"][0], value)
        if "oneOf" in schema:
            options = [self.resolve(option, value) for option in schema["oneOf"]]
            return next((option for option in options if _fits(option[1], value)), ("", {}))
        return "", schema


def _fits(schema: Schema, value: Any) -> bool:
    return isinstance(value, dict) and "properties" in schema and value.keys() >= set(schema.get("required", ()))


def _pattern(template: str) -> str:
    parts = _PARAMETER.split(template)
    return "".join(f"(?P<{part}>[^/]+)" if at % 2 else re.escape(part) for at, part in enumerate(parts)) + r"\Z"


def _operations(schema: Schema) -> Iterator[Operation]:
    for path, methods in schema["paths"].items():
        for method in _METHODS:
            if method in methods:
                yield _operation(path, method, methods[method])


def _operation(path: str, method: str, described: Schema) -> Operation:
    parameters: Sequence[Schema] = described.get("parameters", ())
    content = described.get("requestBody", {}).get("content", {}).get(JSON_TYPE, {})
    examples = [Example(each.get("summary", name), each["value"]) for name, each in content.get("examples", {}).items()]
    return Operation(
        id=described["operationId"],
        method=method.upper(),
        path=path,
        title=described["summary"],
        text=described["description"].partition("\n\n")[0],
        tag=described["tags"][0],
        scope=described.get("x-required-scope"),
        is_signed=described.get("security") == PEERS_ONLY,
        query=tuple(each for each in parameters if each["in"] == "query"),
        headers=tuple(each for each in parameters if each["in"] == "header"),
        body=content.get("schema"),
        examples=tuple(examples),
        answers={
            status: answer.get("content", {}).get(JSON_TYPE, {}).get("schema", {})
            for status, answer in described["responses"].items()
        },
    )


@lru_cache(maxsize=1)
def hub_description() -> Description:
    """Return the description of this hub's API. It is made once in each process, in about 0.3 s."""
    # The framework's views import the renderer of pages, and the generator imports the framework's views.
    from drf_spectacular.generators import SchemaGenerator

    generator: Any = SchemaGenerator
    return Description(generator().get_schema(request=None, public=True))
