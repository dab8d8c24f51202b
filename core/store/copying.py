"""Copy what the hub stores into another database, table by table, and prove that both hold the same.

What is there already and equal is left alone, so a copy that was cut short goes on where it stopped, and a second run
brings over what has changed since. The registry names users by id; so where it lies in the same database as Django's
own tables, those go with it. Sessions do not: everyone signs in again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from auditlog.context import disable_auditlog
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management.color import no_style
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, models, transaction
from django.db.utils import load_backend

from core.store.databases import REGISTRY_APPS, database

CHUNK = 500
# Sessions are thrown away; the other is the mark by which the beat knows that its schedules have changed.
LEFT_OUT = ("sessions.Session", "django_celery_beat.PeriodicTasks")
_DIGEST_BYTES = 32

Progress: TypeAlias = Callable[[str, int], None]
Row: TypeAlias = models.Model


class CopyError(Exception):
    """The copy was refused or did not come out equal; nothing of the source was changed."""


@dataclass(frozen=True, slots=True)
class TableCopy:
    """What became of one table: its rows, how many of them this run wrote, and the digest that both sides share."""

    label: str
    rows: int
    written: int
    digest: str


@contextmanager
def connected(alias: str, url: str) -> Iterator[None]:
    """Know another database as `alias`, in this thread, for as long as the block runs.

    Raises ValueError for an address that is none, CopyError for one that the hub uses already.
    """
    settings = connections.configure_settings({DEFAULT_DB_ALIAS: {}, alias: database(url)})[alias]
    if any(_place(settings) == _place(known.settings_dict) for known in connections.all()):
        raise CopyError("The target is the database that this hub uses already.")
    connection = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, alias)
    connections[alias] = connection
    try:
        yield
    finally:
        connection.close()
        del connections[alias]


def registry_models() -> list[type[Row]]:
    """Return the models of federations and peers, each after those that it refers to."""
    chosen = [model for model in _all_models() if model._meta.app_label in REGISTRY_APPS]
    return list(TopologicalSorter({model: _referred(model, chosen) for model in chosen}).static_order())


def account_models() -> list[type[Row]]:
    """Return the models of everything else that is kept: users, tokens, schedules, the audit log."""
    return [
        model
        for model in _all_models()
        if model._meta.app_label not in REGISTRY_APPS and model._meta.label not in LEFT_OUT
    ]


def copy_tables(
    chosen: Sequence[type[Row]], *, source: str, target: str, progress: Progress, delete_surplus: bool = False
) -> list[TableCopy]:
    """Bring the target's rows of these models in line with the source's; return one entry a table, verified.

    `progress` is called with a table's label and how many more of its rows were looked at. Raises CopyError where the
    target holds rows that the source lacks, unless they are to be deleted, and where the result is not equal.
    """
    written = {model: _copy_table(model, source, target, progress) for model in chosen}
    for model in reversed(chosen):
        _settle_surplus(model, source, target, delete_surplus=delete_surplus)
    return [verify_table(model, source=source, target=target, written=written[model]) for model in chosen]


def replace_accounts(*, source: str, target: str, progress: Progress) -> list[TableCopy]:
    """Put Django's own tables in place of the target's, in one transaction; return one entry a table, verified.

    Raises CopyError where the target has users that the source lacks: it is somebody else's.
    """
    chosen = account_models()
    strangers = set(_ids(User, target)) - set(_ids(User, source))
    if strangers:
        raise CopyError(f"The target has {len(strangers)} users of its own; copy into a new database.")
    # Foreign keys are checked at the commit, so the order of the tables does not matter.
    with disable_auditlog(), transaction.atomic(using=target):
        for model in chosen:
            model._base_manager.using(target).all().delete()
        written = {model: _insert_all(model, source, target, progress) for model in chosen}
    _restart_sequences(chosen, target)
    return [verify_table(model, source=source, target=target, written=written[model]) for model in chosen]


def count_rows(chosen: Iterable[type[Row]], using: str) -> int:
    """Return how many rows the tables of these models have together."""
    return sum(model._base_manager.using(using).count() for model in chosen)


def verify_table(model: type[Row], *, source: str, target: str, written: int = 0) -> TableCopy:
    """Read both tables again and return what they share; raises CopyError unless count and digest are equal."""
    label = model._meta.label
    (rows, digest), (copied, copied_digest) = table_digest(model, source), table_digest(model, target)
    if (rows, digest) != (copied, copied_digest):
        raise CopyError(
            f"{label} differs: {rows} rows with digest {digest[:12]} here, {copied} with {copied_digest[:12]} there. "
            "Stop the web, worker and beat processes, then run the copy again."
        )
    return TableCopy(label, rows, written, digest)


def table_digest(model: type[Row], using: str) -> tuple[int, str]:
    """Return how many rows there are, and the sum of their digests modulo 2^256 in hexadecimal.

    A sum, since databases sort text differently.
    """
    count, total = 0, 0
    for row in model._base_manager.using(using).order_by("pk").iterator(CHUNK):
        count += 1
        total += int.from_bytes(row_digest(row), "big")
    return count, (total % (1 << 8 * _DIGEST_BYTES)).to_bytes(_DIGEST_BYTES, "big").hex()


def row_digest(row: Row) -> bytes:
    """Return the SHA-256 of all columns, whichever database they come from.

    Times count to the millisecond, which is all that MongoDB keeps; members of JSON objects in the order of their
    names, which is how PostgreSQL gives them back.
    """
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=_as_text).encode()).digest()


def _place(settings: dict[str, Any]) -> tuple[str, ...]:
    # MongoDB's host is a whole address, which may or may not repeat the name.
    host = urlsplit(settings["HOST"]).netloc or settings["HOST"]
    return (settings["ENGINE"], host, str(settings["PORT"]), str(Path(settings["NAME"]).resolve()))


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    return value.isoformat() if isinstance(value, date) else str(value)


def _all_models() -> Iterable[type[Row]]:
    return (model for model in apps.get_models(include_auto_created=True) if not model._meta.proxy)


def _referred(model: type[Row], chosen: Sequence[type[Row]]) -> Iterator[type[Row]]:
    for field in model._meta.concrete_fields:
        if isinstance(field, models.ForeignKey) and field.related_model in chosen:
            yield field.related_model


def _copy_table(model: type[Row], source: str, target: str, progress: Progress) -> int:
    written = 0
    for rows in _chunks(model, source):
        written += _write_changed(model, rows, target)
        progress(model._meta.label, len(rows))
    return written


def _chunks(model: type[Row], using: str) -> Iterator[list[Row]]:
    """Yield the rows in the order of their ids, a few at a time; a query each, so that no cursor has to stay open."""
    ordered = model._base_manager.using(using).order_by("pk")
    rows = list(ordered[:CHUNK])
    while rows:
        yield rows
        rows = list(ordered.filter(pk__gt=rows[-1].pk)[:CHUNK])


def _write_changed(model: type[Row], rows: Sequence[Row], target: str) -> int:
    there = model._base_manager.using(target)
    digests = {row.pk: row_digest(row) for row in there.filter(pk__in=[row.pk for row in rows])}
    new = [row for row in rows if row.pk not in digests]
    changed = [row for row in rows if row.pk in digests and row_digest(row) != digests[row.pk]]
    try:
        there.bulk_create(new)
        if changed:
            there.bulk_update(changed, [field.name for field in model._meta.concrete_fields if not field.primary_key])
    except DatabaseError as exc:
        raise CopyError(f"{model._meta.label} could not be written: {exc}") from exc
    return len(new) + len(changed)


def _settle_surplus(model: type[Row], source: str, target: str, *, delete_surplus: bool) -> None:
    surplus = set(_ids(model, target)) - set(_ids(model, source))
    if not surplus:
        return
    if not delete_surplus:
        raise CopyError(
            f"The target holds {len(surplus)} rows of {model._meta.label} that are not here. Copy into a new database, "
            "or let --delete-surplus remove them."
        )
    for chunk in _slices(sorted(surplus)):
        model._base_manager.using(target).filter(pk__in=chunk).delete()


def _insert_all(model: type[Row], source: str, target: str, progress: Progress) -> int:
    written = 0
    for row in model._base_manager.using(source).iterator(CHUNK):
        # Raw: as it is, without the times that a save would set anew.
        row.save_base(using=target, raw=True, force_insert=True)
        written += 1
        progress(model._meta.label, 1)
    return written


def _restart_sequences(chosen: Sequence[type[Row]], target: str) -> None:
    """Let automatic ids go on after the copied ones."""
    statements = connections[target].ops.sequence_reset_sql(no_style(), list(chosen))
    with connections[target].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _ids(model: type[Row], using: str) -> Iterable[Any]:
    return model._base_manager.using(using).values_list("pk", flat=True).iterator(CHUNK)


def _slices(ids: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]
