"""Save, rename and delete a person's views of a list, and keep the columns that the person hides."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.db import IntegrityError

from core.errors import ConflictError, InvalidRequestError
from core.lists.models import MAX_NAME_CHARS, HiddenColumns, SavedView
from core.lists.queries import InvalidQueryError, clean_query

MAX_VIEWS = 20
"""The number of views that a person may save for one list."""


def save_view(owner: Any, list_name: str, *, name: str, query: str) -> SavedView:
    """Save the query of a list under a name; a view of this name gets the new query.

    Raises InvalidRequestError for an empty or too long name and for an invalid query, and ConflictError if the person
    has MAX_VIEWS views of the list already.
    """
    name = _checked_name(name)
    try:
        query = clean_query(query)
    except InvalidQueryError as exc:
        raise InvalidRequestError(str(exc)) from exc
    own = SavedView.objects.filter(owner=owner, list_name=list_name)
    if not own.filter(name=name).exists() and own.count() >= MAX_VIEWS:
        raise ConflictError(f"You have {MAX_VIEWS} views of this list. Delete one to save another.")
    view, _ = SavedView.objects.update_or_create(owner=owner, list_name=list_name, name=name, defaults={"query": query})
    return view


def rename_view(view: SavedView, name: str) -> None:
    """Give a view another name; raises InvalidRequestError for an invalid name, ConflictError for a name in use."""
    view.name = _checked_name(name)
    if SavedView.objects.filter(owner_id=view.owner_id, list_name=view.list_name, name=view.name).exclude(pk=view.pk):
        raise ConflictError(f"You have a view with the name {view.name} already.")
    try:
        view.save(update_fields=["name"])
    except IntegrityError as exc:
        raise ConflictError(f"You have a view with the name {view.name} already.") from exc


def hidden_columns(owner: Any, list_name: str) -> frozenset[str]:
    """Return the names of the columns of a list that a person hides."""
    row = HiddenColumns.objects.filter(owner=owner, list_name=list_name).first()
    return frozenset(row.names.split()) if row else frozenset()


def hide_columns(owner: Any, list_name: str, *, hidden: Iterable[str], choosable: Collection[str]) -> None:
    """Keep those of `hidden` that are `choosable`; without one, the person sees every column again."""
    names = [name for name in choosable if name in set(hidden)]
    if names:
        HiddenColumns.objects.update_or_create(owner=owner, list_name=list_name, defaults={"names": " ".join(names)})
    else:
        HiddenColumns.objects.filter(owner=owner, list_name=list_name).delete()


def column_name(column: Any) -> str:
    """Return the name of an entry of `list_display`; the text of a function differs from process to process."""
    return str(getattr(column, "__name__", column))


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise InvalidRequestError("Give the view a name.")
    if len(name) > MAX_NAME_CHARS or not name.isprintable():
        raise InvalidRequestError(f"A view's name has at most {MAX_NAME_CHARS} printable characters.")
    return name
