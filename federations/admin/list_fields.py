"""Form inputs for a federation's tags and tag filter: rows that staff add and remove, one tag or one pair in each row.

A row also takes a line of items with commas between them: `production, payments`, `env:production, team:platform`.
A row that shows a stored item stays that item, so a stored tag with a comma or a stored key with a colon survives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.forms import MultiWidget, TextInput
from django.http import QueryDict
from unfold.contrib.forms.widgets import ArrayWidget
from unfold.widgets import INPUT_CLASSES, UnfoldAdminTextInputWidget

PairRow = tuple[str, str]

# A browser removes line breaks from the value of a text input (HTML, "value sanitization algorithm").
LINE_BREAKS = str.maketrans("", "", "\r\n")
EACH_PAIR = "The tag filter needs a key and a value for each pair, as in env:production"


class TagWidget(UnfoldAdminTextInputWidget):
    """One row of the tags."""

    def __init__(self) -> None:
        super().__init__(attrs={"placeholder": "production, payments", "aria-label": "Tag"})


class PairWidget(MultiWidget):
    """One row of the tag filter: a key and a value. The key's input has the field's own name."""

    def __init__(self) -> None:
        # Plain inputs with unfold's classes: unfold's own input sits in a box, which would take the margin inside.
        look = " ".join(INPUT_CLASSES)
        key = TextInput(attrs={"placeholder": "env", "aria-label": "Key", "class": look})
        value = TextInput(attrs={"placeholder": "production", "aria-label": "Value", "class": f"{look} ml-2"})
        super().__init__({"": key, "value": value})

    def decompress(self, value: Any) -> list[str]:
        return [value or "", ""]


class TagsWidget(ArrayWidget):
    """The rows of the tags. An empty list shows one empty row."""

    def __init__(self, row: type[UnfoldAdminTextInputWidget] | type[PairWidget] = TagWidget) -> None:
        super().__init__(row)

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, value or [""], attrs)  # type: ignore[no-any-return]


class PairsWidget(TagsWidget):
    """The rows of the tag filter; its value is a list of keys with their values."""

    def __init__(self) -> None:
        super().__init__(PairWidget)

    def value_from_datadict(self, data: QueryDict, files: Any, name: str) -> list[PairRow]:
        rows = zip_longest(data.getlist(name), data.getlist(f"{name}_value"), fillvalue="")
        return [row for row in rows if any(row)]


def read_tags(rows: Iterable[str], *, stored: Iterable[str]) -> list[str]:
    """Return the tags in `rows`, each tag once and in the order of the rows.

    A row that shows a tag of `stored` is that tag; any other row is split at its commas. Raises ValidationError for a
    NUL character.
    """
    shown = {tag.translate(LINE_BREAKS): tag for tag in stored}
    tags: list[str] = []
    for row in rows:
        ProhibitNullCharactersValidator()(row)
        tags += [shown[row]] if row in shown else _split(row)
    return list(dict.fromkeys(tags))


def read_pairs(rows: Iterable[PairRow], *, stored: Mapping[str, str]) -> dict[str, str]:
    """Return the key and value pairs in `rows`.

    A row that shows a pair of `stored` is that pair; a row with a key and a value is that pair as typed; a row with
    only a key is split at its commas, and each part at its first colon. Raises ValidationError for a part without a
    key or without a value, for a key that appears twice, and for a NUL character.
    """
    shown = {(key.translate(LINE_BREAKS), value.translate(LINE_BREAKS)): (key, value) for key, value in stored.items()}
    pairs: dict[str, str] = {}
    for row in rows:
        ProhibitNullCharactersValidator()("".join(row))
        for key, value in [shown[row]] if row in shown else _pairs_in(*row):
            if not key:
                raise ValidationError(f"{EACH_PAIR}. This part has no key: :{value}")
            if key in pairs:
                raise ValidationError(f"The tag filter has the key {key} twice. A runtime has one value for each key.")
            pairs[key] = value
    return pairs


def _split(line: str) -> list[str]:
    return [part for part in map(str.strip, line.split(",")) if part]


def _pairs_in(key: str, value: str) -> list[PairRow]:
    if value.strip():
        return [(key.strip(), value.strip())]
    return [_split_at_colon(part) for part in _split(key)]


def _split_at_colon(part: str) -> PairRow:
    key, colon, value = part.partition(":")
    if not colon:
        raise ValidationError(f"{EACH_PAIR}. This part has no value: {part}")
    return key.strip(), value.strip()
