"""The books of the Activity: each app registers where it wrote about its objects, and the words of its fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auditlog.registry import auditlog
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model, Q, QuerySet

from core.activity.lines import Line, Link, Window
from core.activity.recording import masked
from core.activity.words import FieldWords, choice_title, title_of

AnyUser = User | AnonymousUser
Read = Callable[[Any, AnyUser, Window], Sequence[Line]]


@dataclass(frozen=True, slots=True)
class Source:
    """A book: its name in the addresses of lines, and the function that reads a window of its lines about a row.

    The function returns only what the user may see, and sends at most one query.
    """

    name: str
    read: Read


@dataclass(frozen=True, slots=True)
class Owner:
    """The page of the thing that an id in a row of the audit log names: its words, address and permission."""

    text: str
    page: str
    permission: str = ""


_sources: dict[str, list[Source]] = {}
_words: dict[str, dict[str, FieldWords]] = {}
_owners: dict[str, Owner] = {}
_recorded: set[str] = set()
_parts: dict[str, str] = {}
_keys: dict[str, Callable[[Any], tuple[str, str]]] = {}


def record_model(
    model: type[Model],
    fields: Sequence[str],
    *,
    lists: Sequence[str] = (),
    secrets: Sequence[str] = (),
    words: Mapping[str, FieldWords] | None = None,
    part: str = "",
) -> None:
    """Let the audit log record each save and deletion of the model's rows, in these fields.

    `lists` are fields of many rows. Of `secrets` the log records that they changed, and no value. `part` says what such
    a row is of the object whose Activity tells its changes; the model's `get_additional_data` names that object.
    """
    _recorded.add(model._meta.label_lower)
    if part:
        _parts[model._meta.label_lower] = part
    if not auditlog.contains(model):
        auditlog.register(
            model,
            include_fields=[*fields, *secrets],
            m2m_fields=set(lists),
            mask_fields=list(secrets),
            mask_callable=f"{masked.__module__}.{masked.__name__}" if secrets else None,
        )
    add_words(model, words or {})


def add_words(model: type[Model], words: Mapping[str, FieldWords]) -> None:
    """Name fields of a model whose own labels and choices do not say enough."""
    _words.setdefault(model._meta.label_lower, {}).update(words)


def add_source(model: type[Model], source: Source) -> None:
    """Add a book to the Activity of the model's rows."""
    found = _sources.setdefault(model._meta.label_lower, [])
    if source not in found:
        found.append(source)


def add_owner(name: str, owner: Owner) -> None:
    """Say which page an id such as `job_id` in a row of the audit log names."""
    _owners[name] = owner


def keep_under(model: type[Model], key: Callable[[Any], tuple[str, str]]) -> None:
    """Say under which model and key the audit log has the rows about an object, where they are not the object's own."""
    _keys[model._meta.label_lower] = key


def tells_changes(model: type[Model]) -> bool:
    """Tell whether some book has the changes of the model's rows, so that their Activity can tell them."""
    label = model._meta.label_lower
    return label in _recorded or label in _sources or label in _keys


def record_changes_of(model: type[Model]) -> None:
    """Say that the services of a model's rows call `core.activity.recording` themselves."""
    _recorded.add(model._meta.label_lower)


def sources_of(model: type[Model]) -> Sequence[Source]:
    """Return the books about the rows of a model, beside the audit log."""
    return _sources.get(model._meta.label_lower, ())


def key_of(row: Model) -> tuple[str, str]:
    """Return the label of the model and the key under which the audit log has the rows about an object."""
    found = _keys.get(row._meta.label_lower)
    return found(row) if found else (row._meta.label_lower, str(row.pk))


def part_of(model: type[Model]) -> str:
    """Return what a row of a model is of the object whose Activity tells its changes."""
    return _parts.get(model._meta.label_lower) or str(model._meta.verbose_name)


def links_of(data: Mapping[str, Any]) -> Iterator[Link]:
    """Yield the pages of the job, the plan and so on that a row of the audit log names."""
    for name, owner in _owners.items():
        if data.get(name):
            yield Link(owner.text, owner.page, str(data[name]), owner.permission)


def words_of(model: type[Model] | None, names: Sequence[str]) -> dict[str, FieldWords]:
    """Return the words of the fields of a model, from what the app registered and from the fields themselves."""
    if model is None:
        return {}
    known = _words.get(model._meta.label_lower, {})
    return {name: known.get(name) or _own_words(model, name) for name in names}


def _own_words(model: type[Model], name: str) -> FieldWords:
    try:
        found: Any = model._meta.get_field(name)
    except FieldDoesNotExist:
        return FieldWords(title_of(name))
    choices = {str(value): choice_title(str(text)) for value, text in getattr(found, "flatchoices", ())}
    title = str(getattr(found, "verbose_name", name))
    return FieldWords(title[:1].upper() + title[1:], choices)


def window_of(rows: QuerySet[Any], source: str, moment: str, window: Window) -> list[Any]:
    """Return the rows of a window, by the column `moment` and their key: the oldest first after a position."""
    is_number = rows.model._meta.pk.get_internal_type().endswith(("AutoField", "IntegerField"))
    if window.key:
        if is_number and not window.key.isdecimal():
            return []
        rows = rows.filter(pk=window.key)
    for position, word in ((window.before, "lt"), (window.after, "gt")):
        if position is None:
            continue
        beyond = Q(**{f"{moment}__{word}": position.at})
        if position.source == source and (position.key.isdecimal() or not is_number):
            beyond |= Q(**{moment: position.at, f"pk__{word}": position.key})
        elif (source < position.source) is (word == "lt"):
            beyond |= Q(**{moment: position.at})
        rows = rows.filter(beyond)
    order = ("", "") if window.after else ("-", "-")
    return list(rows.order_by(f"{order[0]}{moment}", f"{order[1]}pk")[: window.limit])
