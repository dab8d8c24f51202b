"""What migrations do with the rows of documents: JSON columns become text, and text becomes JSON columns again.

Both functions work in batches and skip rows that are done, so an interrupted migration of MongoDB, which undoes
nothing, continues where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from core.store.documents import document_text
from core.strict_json import INTEGERS

BATCH = 500
# SQL's NULL has no text; the JSON text `null` of an optional document becomes NULL.
_NULL = "null"


def store_as_text(apps: Any, editor: Any, app_label: str, documents: Mapping[str, Sequence[str]]) -> None:
    """Give the documents of each model, by its fields' names, the one form of text.

    An integer beyond 64 bits becomes a floating-point number again: the hub refused such integers, and PostgreSQL made
    them of numbers like 1e21.
    """
    for model, columns in _tables(apps, app_label, documents):
        if editor.connection.vendor == "mongodb":
            _convert_collection(editor, model, columns, ("object", "array"), _text)
        else:
            _rewrite_table(editor, model, columns)


def store_as_json(apps: Any, editor: Any, app_label: str, documents: Mapping[str, Sequence[str]]) -> None:
    """Turn the texts of MongoDB into its own documents; on other databases the change of the column's type does it."""
    if editor.connection.vendor == "mongodb":
        for model, columns in _tables(apps, app_label, documents):
            _convert_collection(editor, model, columns, ("string",), lambda value: _bounded(json.loads(value)))


def _tables(apps: Any, app_label: str, documents: Mapping[str, Sequence[str]]) -> Iterator[tuple[Any, list[str]]]:
    for name, fields in documents.items():
        model = apps.get_model(app_label, name)
        yield model, [model._meta.get_field(field).column for field in fields]


def _text(value: object) -> str:
    return document_text(_bounded(value))


def _bounded(value: Any) -> Any:
    """Return a JSON value in which integers beyond 64 bits are floating-point numbers, where these are as exact."""
    if isinstance(value, dict):
        return {name: _bounded(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_bounded(member) for member in value]
    if isinstance(value, int) and not INTEGERS.start <= value < INTEGERS.stop:
        return float(value)
    return value


def _convert_collection(
    editor: Any, model: Any, columns: Sequence[str], types: Sequence[str], convert: Callable[[Any], Any]
) -> None:
    from pymongo import UpdateOne

    key = model._meta.pk.column
    collection, session = editor.get_collection(model._meta.db_table), editor.connection.session
    unconverted = {"$or": [{column: {"$type": kind}} for column in columns for kind in types]}
    found = list(collection.find(unconverted, session=session).sort(key, 1).limit(BATCH))
    while found:
        updates = []
        for row in found:
            # `$type` also looks at the members of an array, so the type is checked again.
            values = {
                column: convert(row[column])
                for column in columns
                if isinstance(row.get(column), str if types == ("string",) else dict | list)
            }
            if values:
                updates.append(UpdateOne({key: row[key]}, {"$set": values}))
        if updates:
            collection.bulk_write(updates, ordered=False, session=session)
        after = {"$and": [{key: {"$gt": found[-1][key]}}, unconverted]}
        found = list(collection.find(after, session=session).sort(key, 1).limit(BATCH))


def _rewrite_table(editor: Any, model: Any, columns: Sequence[str]) -> None:
    quoted = editor.connection.ops.quote_name
    table, key = quoted(model._meta.db_table), quoted(model._meta.pk.column)
    select = f"SELECT {', '.join([key, *map(quoted, columns)])} FROM {table} WHERE {key} > %s"  # noqa: S608
    update = f"UPDATE {table} SET {', '.join(f'{quoted(name)} = %s' for name in columns)} WHERE {key} = %s"  # noqa: S608
    with editor.connection.cursor() as cursor:
        last = ""
        while True:
            cursor.execute(f"{select} ORDER BY {key} LIMIT {BATCH}", [last])
            if not (rows := cursor.fetchall()):
                return
            last = rows[-1][0]
            changed = [(*new, pk) for pk, *old in rows if (new := [_rewritten(text) for text in old]) != old]
            if changed:
                cursor.executemany(update, changed)


def _rewritten(text: str | None) -> str | None:
    if text is None or text == _NULL:
        return None
    return _text(json.loads(text))
