"""Copy the hub's tables into another database and verify that both databases hold the same rows.

A row that the target already holds unchanged is not written again. So a copy that was interrupted continues where it
stopped, and a second run copies the rows that have changed since the first. The registry names users by id; if the
registry and Django's own tables share a database, the copy includes those tables. Sessions are not copied, and all
users sign in again.
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

CHUNK_ROWS = 500
# Users sign in again; PeriodicTasks only tells the beat that its schedules have changed, and BeatLease which beat acts.
EXCLUDED_MODELS = ("sessions.Session", "django_celery_beat.PeriodicTasks", "beat.BeatLease")
_DIGEST_BYTES = 32

Progress: TypeAlias = Callable[[str, int], None]
Row: TypeAlias = models.Model


class CopyError(Exception):
    """Raised if the copy is refused, or if source and target differ after the copy; the source is unchanged."""


@dataclass(frozen=True, slots=True)
class TableCopy:
    """The verified result for one table, which `copy_tables`, `replace_accounts` and `verify_table` return.

    `label` is the label of the table's model. `rows` is the number of rows in the source, and equally in the target;
    `written` is the number of rows that this run wrote into the target. `digest` is the digest of the rows
    (`table_digest`), which is the same in the source and in the target.
    """

    label: str
    rows: int
    written: int
    digest: str


@contextmanager
def connect_as(alias: str, url: str) -> Iterator[None]:
    """Connect this thread to the database at `url` under the name `alias` while the block runs.

    Raises ValueError for a malformed URL, CopyError for a database that the hub already uses.
    """
    settings = connections.configure_settings({DEFAULT_DB_ALIAS: {}, alias: database(url)})[alias]
    if any(_location(settings) == _location(known.settings_dict) for known in connections.all()):
        raise CopyError("The target is the database that this hub uses already.")
    connection = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, alias)
    connections[alias] = connection
    try:
        yield
    finally:
        connection.close()
        del connections[alias]


def registry_models() -> list[type[Row]]:
    """Return the models of federations and peers; each model comes after the models that it refers to."""
    chosen = [model for model in _all_models() if model._meta.app_label in REGISTRY_APPS]
    return list(TopologicalSorter({model: _referred_models(model, chosen) for model in chosen}).static_order())


def account_models() -> list[type[Row]]:
    """Return the other models that are copied: users, tokens, schedules, the audit log."""
    return [
        model
        for model in _all_models()
        if model._meta.app_label not in REGISTRY_APPS and model._meta.label not in EXCLUDED_MODELS
    ]


def copy_tables(
    chosen: Sequence[type[Row]], *, source: str, target: str, progress: Progress, delete_surplus: bool = False
) -> list[TableCopy]:
    """Make the target's rows of these models equal to the source's; return one verified TableCopy for each table.

    `progress` is called with the label of a table and the number of rows read since the last call. With
    `delete_surplus`, a row that only the target holds is deleted. Raises CopyError for such a row without
    `delete_surplus`, and if a table of the target differs from the source after the copy.
    """
    written = {model: _copy_table(model, source, target, progress) for model in chosen}
    for model in reversed(chosen):
        _delete_or_refuse_surplus(model, source, target, delete_surplus=delete_surplus)
    return [verify_table(model, source=source, target=target, written=written[model]) for model in chosen]


def replace_accounts(*, source: str, target: str, progress: Progress) -> list[TableCopy]:
    """Replace the target's rows of Django's own tables in one transaction; return a verified TableCopy for each.

    Raises CopyError if the target has users that the source lacks, because the target is then the database of another
    hub.
    """
    chosen = account_models()
    foreign_users = set(_primary_keys(User, target)) - set(_primary_keys(User, source))
    if foreign_users:
        raise CopyError(f"The target has {len(foreign_users)} users of its own; copy into a new database.")
    # Foreign keys are checked at the commit, so the order of the tables does not matter.
    with disable_auditlog(), transaction.atomic(using=target):
        for model in chosen:
            model._base_manager.using(target).all().delete()
        written = {model: _insert_all(model, source, target, progress) for model in chosen}
    restart_sequences(chosen, target)
    return [verify_table(model, source=source, target=target, written=written[model]) for model in chosen]


def count_rows(chosen: Iterable[type[Row]], using: str) -> int:
    """Return the number of rows in all tables of these models."""
    return sum(model._base_manager.using(using).count() for model in chosen)


def verify_table(model: type[Row], *, source: str, target: str, written: int = 0) -> TableCopy:
    """Read the model's table in source and target again and return its TableCopy; raise CopyError if the two differ."""
    label = model._meta.label
    (rows, digest), (copied, copied_digest) = table_digest(model, source), table_digest(model, target)
    if (rows, digest) != (copied, copied_digest):
        raise CopyError(
            f"{label} differs: {rows} rows with digest {digest[:12]} here, {copied} with {copied_digest[:12]} there. "
            "Stop the web, worker and beat processes, then run the copy again."
        )
    return TableCopy(label, rows, written, digest)


def table_digest(model: type[Row], using: str) -> tuple[int, str]:
    """Return the number of rows, and the sum of their digests modulo 2^256 in hexadecimal.

    A sum does not depend on the order of rows; databases sort text differently.
    """
    count, total = 0, 0
    for row in model._base_manager.using(using).order_by("pk").iterator(CHUNK_ROWS):
        count += 1
        total = add_digest(total, row)
    return count, digest_text(total)


def add_digest(total: int, row: Row) -> int:
    """Return the sum `total` of digests of rows, with the digest of `row` added."""
    return (total + int.from_bytes(row_digest(row), "big")) % (1 << 8 * _DIGEST_BYTES)


def digest_text(total: int) -> str:
    """Return a sum of digests of rows as `table_digest` returns it."""
    return total.to_bytes(_DIGEST_BYTES, "big").hex()


def row_digest(row: Row) -> bytes:
    """Return the SHA-256 of all columns, which is the same on each database.

    Times are cut to milliseconds, as MongoDB stores them; the members of JSON objects are sorted by name, because
    PostgreSQL does not keep their order.
    """
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=_as_text).encode()).digest()


def _location(settings: dict[str, Any]) -> tuple[str, ...]:
    # The host of MongoDB is a whole URL, which may contain the name of the database.
    host = urlsplit(settings["HOST"]).netloc or settings["HOST"]
    return (settings["ENGINE"], host, str(settings["PORT"]), str(Path(settings["NAME"]).resolve()))


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    return value.isoformat() if isinstance(value, date) else str(value)


def _all_models() -> Iterable[type[Row]]:
    return (model for model in apps.get_models(include_auto_created=True) if not model._meta.proxy)


def _referred_models(model: type[Row], chosen: Sequence[type[Row]]) -> Iterator[type[Row]]:
    for field in model._meta.concrete_fields:
        if isinstance(field, models.ForeignKey) and field.related_model in chosen:
            yield field.related_model


def _copy_table(model: type[Row], source: str, target: str, progress: Progress) -> int:
    written = 0
    for rows in chunks_of_rows(model, source):
        written += _write_changed(model, rows, target)
        progress(model._meta.label, len(rows))
    return written


def chunks_of_rows(model: type[Row], using: str) -> Iterator[list[Row]]:
    """Yield the rows in the order of their ids, 500 at a time; each chunk is a query, so that no cursor stays open."""
    ordered = model._base_manager.using(using).order_by("pk")
    rows = list(ordered[:CHUNK_ROWS])
    while rows:
        yield rows
        rows = list(ordered.filter(pk__gt=rows[-1].pk)[:CHUNK_ROWS])


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


def _delete_or_refuse_surplus(model: type[Row], source: str, target: str, *, delete_surplus: bool) -> None:
    surplus = set(_primary_keys(model, target)) - set(_primary_keys(model, source))
    if not surplus:
        return
    if not delete_surplus:
        raise CopyError(
            f"The target holds {len(surplus)} rows of {model._meta.label} that are not here. Copy into a new database, "
            "or let --delete-surplus remove them."
        )
    for chunk in _split(sorted(surplus)):
        model._base_manager.using(target).filter(pk__in=chunk).delete()


def _insert_all(model: type[Row], source: str, target: str, progress: Progress) -> int:
    written = 0
    for row in model._base_manager.using(source).iterator(CHUNK_ROWS):
        insert_account_row(row, target)
        written += 1
        progress(model._meta.label, 1)
    return written


def insert_account_row(row: Row, using: str) -> None:
    """Insert a row of one of Django's own tables; keep its times, which a usual save would set to now."""
    row.save_base(using=using, raw=True, force_insert=True)


def restart_sequences(chosen: Sequence[type[Row]], target: str) -> None:
    """Set the sequences of automatic ids behind the copied ids."""
    statements = connections[target].ops.sequence_reset_sql(no_style(), list(chosen))
    with connections[target].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _primary_keys(model: type[Row], using: str) -> Iterable[Any]:
    return model._base_manager.using(using).values_list("pk", flat=True).iterator(CHUNK_ROWS)


def _split(ids: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(ids), CHUNK_ROWS):
        yield ids[start : start + CHUNK_ROWS]
