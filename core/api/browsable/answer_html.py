"""An answer as HTML: indented JSON in which known ids are links. The length is bounded, whatever the answer has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from core.api.browsable.described import Description, Schema
from core.api.browsable.links import Rules, link_of

MAX_HTML_CHARS = 200_000
"""The longest HTML of one answer: a page of about 30 kB when it is compressed, in about 5,000 lines."""

_MAX_DEPTH = 60
_INDENT = "  "
_PIECE_CHARS = 2000
_DEEPER = "<i>…</i>"


class Number(str):
    """A number as it stands in the JSON: `1e21` and `1.0` must not be shown as other numbers."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """The HTML of an answer. `is_cut` tells whether the answer has more than the HTML shows."""

    html: str
    is_cut: bool


def show_answer(text: str, schema: Schema | None, description: Description, rules: Rules) -> ShownAnswer:
    """Return the HTML of an answer, of at most about MAX_HTML_CHARS characters.

    `text` is the JSON as it is sent to programs, `schema` its description, None for an answer without links.
    """
    if not text:
        return ShownAnswer("", is_cut=False)
    value = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=Number)
    pieces: list[str] = []
    length, is_deep = 0, False
    for piece in _Writer(description, rules).value(value, schema, ()):
        if length + len(piece) > MAX_HTML_CHARS:
            return ShownAnswer("".join(pieces), is_cut=True)
        pieces.append(piece)
        length += len(piece)
        is_deep |= piece is _DEEPER
    return ShownAnswer("".join(pieces), is_cut=is_deep)


@dataclass(frozen=True, slots=True)
class _Writer:
    description: Description
    rules: Rules

    def value(self, value: Any, schema: Schema | None, objects: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Yield the HTML of a value; `objects` are the described objects around it, the nearest first."""
        return self._at(value, schema, tuple(objects), 0)

    def _at(self, value: Any, schema: Schema | None, objects: tuple[Any, ...], depth: int) -> Iterator[str]:
        if isinstance(value, dict | list) and value and depth < _MAX_DEPTH:
            is_object = isinstance(value, dict)
            yield "{\n" if is_object else "[\n"
            yield from (self._members if is_object else self._items)(value, schema, objects, depth + 1)
            yield "\n" + _INDENT * depth + ("}" if is_object else "]")
        else:
            yield from _pieces(_scalar(value))

    def _members(self, value: Any, schema: Schema | None, objects: tuple[Any, ...], depth: int) -> Iterator[str]:
        name, resolved = self.description.resolve(schema, value)
        members: Schema = resolved.get("properties", {})
        around = (value, *objects) if members else ()
        for number, (member, inner) in enumerate(value.items()):
            yield (",\n" if number else "") + _INDENT * depth
            yield from _pieces(_tagged("b", _text(member)) + ": ")
            address = link_of(self.rules, name, member, around) if member in members else None
            if address is not None and isinstance(inner, str):
                yield f'<a href="{escape(address)}">{_text(inner)}</a>'
            else:
                yield from self._at(inner, members.get(member), around, depth)

    def _items(self, value: Any, schema: Schema | None, objects: tuple[Any, ...], depth: int) -> Iterator[str]:
        items = self.description.resolve(schema, value)[1].get("items")
        for number, inner in enumerate(value):
            yield (",\n" if number else "") + _INDENT * depth
            yield from self._at(inner, items, objects, depth)


def _scalar(value: Any) -> str:
    if isinstance(value, Number):
        return _tagged("i", escape(value))
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict | list):
        return _DEEPER if value else json.dumps(value)
    return f"<i>{json.dumps(value)}</i>"


def _text(value: str) -> str:
    return escape(json.dumps(value, ensure_ascii=False), quote=False)


def _tagged(tag: str, html: str) -> str:
    """Return the HTML in an element, unless it is so long that it may be cut inside the element."""
    return f"<{tag}>{html}</{tag}>" if len(html) < _PIECE_CHARS // 2 else html


def _pieces(html: str) -> Iterator[str]:
    """Yield a long text in pieces, so that its beginning is shown where the whole of it is too long.

    A piece never ends inside a character reference such as `&lt;`, which has at most 6 characters.
    """
    while len(html) > _PIECE_CHARS:
        end = _PIECE_CHARS
        if (reference := html.rfind("&", end - 6, end)) >= 0 and ";" not in html[reference:end]:
            end = reference
        yield html[:end]
        html = html[end:]
    yield html
