"""The chips above a list: each active filter with its value, and the address of the list without it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.views.main import ChangeList

from core.admin.labels import sentence

Parameters = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Chip:
    """One active filter; `url` is the list's address without it."""

    title: str
    value: str
    url: str


def address(parameters: Parameters, changed: Mapping[str, str | None] | None = None) -> str:
    """Return the query of a list's address; `changed` has the new value of a parameter, None to leave it out."""
    kept = {name: list(values) for name, values in parameters.items()}
    for name, value in (changed or {}).items():
        kept.pop(name, None)
        if value is not None:
            kept[name] = [value]
    return f"?{urlencode(sorted(kept.items()), doseq=True)}"


def without(parameters: Parameters, name: str, value: str) -> str:
    """Return the query of a list's address without one value of a parameter."""
    left = [each for each in parameters[name] if each != value]
    return address({**parameters, name: left} if left else {key: parameters[key] for key in parameters if key != name})


def filter_chips(changelist: ChangeList, parameters: Parameters) -> Iterator[Chip]:
    """Yield a chip for each value of a filter in the list's address, with the words of the filter's own form."""
    seen: set[str] = set()
    for spec in changelist.filter_specs:
        for name in map(str, spec.expected_parameters()):
            if name not in parameters or name in seen:
                continue
            seen.add(name)
            words = _words(spec, changelist)
            for value in filter(None, parameters[name]):
                yield Chip(sentence(str(spec.title)), words.get(value, value), without(parameters, name, value))
    for name in parameters:
        if name not in seen:
            # A look-up of an address that no filter of the page has: `status__in`.
            title = sentence(name.replace("__", " ").replace("_", " ").removesuffix(" exact"))
            for value in parameters[name]:
                yield Chip(title, value, without(parameters, name, value))


def _words(spec: Any, changelist: ChangeList) -> dict[str, str]:
    """Return the words of a filter's choices by their values."""
    words: dict[str, str] = {}
    for choice in spec.choices(changelist):
        form = choice.get("form") if isinstance(choice, dict) else None
        for field in form.fields.values() if form else ():
            words |= {str(value): str(text) for value, text in getattr(field, "choices", ())}
    return words
