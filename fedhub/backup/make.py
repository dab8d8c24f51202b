"""Make a backup: the rows of one moment, written to a file that appears whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from django.db.models import Model

from core.private_files import create_private_file
from core.sealed_stream import DEFAULT_COSTS, Costs
from core.store.copying import add_digest, chunks_of_rows, digest_text
from core.store.restoring import database_of
from core.store.row_values import field_names, row_text
from core.store.snapshots import READ_ERRORS, snapshot_of
from core.store.unit_of_work import REGISTRY
from fedhub import VERSION
from fedhub.backup.contents import Head, applied_migrations, backup_models
from fedhub.backup.errors import BackupError
from fedhub.backup.key_files import hub_key_fingerprint, saved_keys
from fedhub.backup.stream import LineWriter
from peers.services.trust.identity import hub_url

Progress = Callable[[str, int], None]
"""Called with the label of a table and the number of its rows since the last call."""


@dataclass(frozen=True, slots=True)
class TableSum:
    """The rows of one table in a backup: the label of its model, their number, and their digest (`table_digest`)."""

    label: str
    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Backup:
    """What `make_backup` wrote or `verify_backup` read."""

    head: Head
    tables: tuple[TableSum, ...]

    @property
    def rows(self) -> int:
        """Return the number of rows in all tables."""
        return sum(table.rows for table in self.tables)


def make_backup(
    path: Path, passphrase: str, *, with_keys: bool, progress: Progress, costs: Costs = DEFAULT_COSTS
) -> Backup:
    """Write a backup of this hub to a new file at `path`, with mode 0600, and return what it contains.

    Other processes go on. Raises BackupError if the file exists or cannot be written, or a database fails.
    """
    if path.exists():
        raise BackupError(f"{path} exists already; choose another name.")
    try:
        with _new_file(path) as file, ExitStack() as stack:
            # The registry names users. Its moment is the earlier one, so that the accounts have each of these users.
            aliases = {alias: stack.enter_context(snapshot_of(alias)) for alias in _aliases()}
            head = _head(with_keys=with_keys)
            writer = LineWriter(file, passphrase, label=f"backup of {head.hub_url} at {head.made_at}", costs=costs)
            writer.write(head.as_json())
            tables = tuple(
                _write_table(writer, model, aliases[database_of(model)], progress) for model in backup_models()
            )
            writer.write({"tables": [asdict(table) for table in tables]})
            writer.close()
    except (OSError, ValueError, *READ_ERRORS) as exc:
        raise BackupError(f"The backup could not be made: {exc}") from exc
    return Backup(head, tables)


def _aliases() -> list[str]:
    return list(dict.fromkeys([REGISTRY, *(database_of(model) for model in backup_models())]))


def _head(*, with_keys: bool) -> Head:
    return Head(
        version=VERSION,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        hub_url=hub_url(),
        hub_key=hub_key_fingerprint(),
        migrations=applied_migrations(),
        keys=saved_keys() if with_keys else None,
    )


def _write_table(writer: LineWriter, model: type[Model], using: str, progress: Progress) -> TableSum:
    writer.write({"table": model._meta.label, "columns": field_names(model)})
    count, total = 0, 0
    for rows in chunks_of_rows(model, using):
        for row in rows:
            writer.write_text(row_text(row))
            total = add_digest(total, row)
        count += len(rows)
        progress(model._meta.label, len(rows))
    return TableSum(model._meta.label, count, digest_text(total))


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a draft beside `path` and link it into place at the end of the block; leave nothing if the block fails."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = create_private_file(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
