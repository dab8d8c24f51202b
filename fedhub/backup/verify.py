"""Read a backup: each row with its model, and the comparison with the digests in its last line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.db.models import Model

from core.store.copying import add_digest, digest_text
from core.store.row_values import RowError, field_names, row_of_values
from fedhub.backup.contents import Head, backup_models, check_migrations
from fedhub.backup.errors import BackupError
from fedhub.backup.make import Backup, Progress, TableSum
from fedhub.backup.stream import read_lines

CHUNK_ROWS = 500


class BackupReader:
    """Reads the backup at `path` once. `head` is read at the start; `sums` are complete after `chunks` has ended."""

    def __init__(self, path: Path, passphrase: str) -> None:
        """Read the head. Raises BackupError for a file that cannot be read and for a wrong passphrase."""
        self._lines = _lines_of(path, passphrase)
        self.head = Head.from_json(next(self._lines, None))
        self.sums: list[TableSum] = []

    def chunks(self) -> Iterator[tuple[type[Model], list[Model]]]:
        """Yield the rows, 500 at a time, with their model; compare the digests at the end.

        Raises BackupError for a table that this version does not have, and for rows with other digests.
        """
        models = {model._meta.label: model for model in backup_models()}
        model: type[Model] | None = None
        rows: list[Model] = []
        total = count = 0
        for line in self._lines:
            if isinstance(line, list) and model is not None:
                rows.append(_row(model, line))
                total, count = add_digest(total, rows[-1]), count + 1
                if len(rows) == CHUNK_ROWS:
                    yield model, rows
                    rows = []
                continue
            if model is not None:
                if rows:
                    yield model, rows
                self.sums.append(TableSum(model._meta.label, count, digest_text(total)))
            rows, total, count = [], 0, 0
            if "tables" in line:
                self._compare(line["tables"])
                return
            model = _model_of(line, models)
        raise BackupError("The backup has no last line.")

    def decrypt_rest(self) -> None:
        """Decrypt the rest of the file, as `chunks` does, and read no row."""
        for _ in self._lines:
            pass

    def _compare(self, expected: list[dict[str, Any]]) -> None:
        if next(self._lines, None) is not None or [asdict(each) for each in self.sums] != expected:
            raise BackupError("The rows of the backup do not have the digests in its last line.")


def verify_backup(path: Path, passphrase: str, *, progress: Progress) -> Backup:
    """Decrypt the whole backup, read each row and compare the digests; return what it contains.

    Raises BackupError for an altered or truncated file, a wrong passphrase, and a backup of another version's tables.
    """
    reader = BackupReader(path, passphrase)
    try:
        check_migrations(reader.head)
    except BackupError as exc:
        reader.decrypt_rest()
        raise BackupError(f"The file is whole, but cannot be read into this version. {exc}") from exc
    for model, rows in reader.chunks():
        progress(model._meta.label, len(rows))
    return Backup(reader.head, tuple(reader.sums))


def _lines_of(path: Path, passphrase: str) -> Iterator[Any]:
    try:
        with path.open("rb") as file:
            yield from read_lines(file, passphrase)
    except OSError as exc:
        raise BackupError(f"{path} cannot be read: {exc.strerror}.") from exc


def _row(model: type[Model], line: list[Any]) -> Model:
    try:
        return row_of_values(model, line)
    except RowError as exc:
        raise BackupError(f"{exc}.") from exc


def _model_of(line: dict[str, Any], models: dict[str, type[Model]]) -> type[Model]:
    model = models.get(line.get("table", ""))
    if model is None or line.get("columns") != field_names(model):
        raise BackupError(f"This version of fedhub has no table {line.get('table')} with the backup's columns.")
    return model
