"""Restore a backup into an empty hub: all of it or nothing."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from core.actors import Actor
from core.environment import listed
from core.errors import InternalError
from core.store.copying import table_digest
from core.store.restoring import (
    NotEmptyError,
    database_of,
    insert_rows,
    restore_into_empty_hub,
)
from core.store.snapshots import READ_ERRORS
from fedhub.backup.contents import FILLED_BY_SETUP, Head, backup_models
from fedhub.backup.errors import BackupError
from fedhub.backup.key_files import check_keys, secrets_key_of, write_keys
from fedhub.backup.make import Backup, Progress, TableSum
from fedhub.backup.verify import BackupReader, verify_backup
from fedhub.secret_rotation import reencrypt_everything
from peers.services.trust.identity import hub_url
from peers.services.trust.log_sealing import seal_log
from peers.services.trust.restore_boundary import begin_after_restore

SHELL = Actor("", "command line")


@dataclass(frozen=True, slots=True)
class Restored:
    """What `restore_backup` did.

    `written_keys` are the key files that were missing. `unreadable` names the holders of stored secrets that no key of
    FEDHUB_SECRETS_KEY reads.
    """

    backup: Backup
    written_keys: tuple[Path, ...]
    unreadable: tuple[str, ...]


def restore_backup(path: Path, passphrase: str, *, accept_new_key: bool, progress: Progress) -> Restored:
    """Restore the backup at `path` into this hub, whose processes are stopped; return what was restored.

    The search index is not restored; `rebuild_search` makes it. `progress` is called for both passes of the file.
    Raises BackupError for a backup that `verify_backup` refuses, of another hub or migration state, for a hub that is
    not empty or has another key, and for rows that the database does not hold as the backup has them. Then the hub is
    as it was before.
    """
    backup = verify_backup(path, passphrase, progress=progress)
    check_hub(backup.head)
    check_keys(backup.head, accept_new_key=accept_new_key)
    models = backup_models()
    try:
        with restore_into_empty_hub(models, filled_by_setup=FILLED_BY_SETUP):
            written_keys = write_keys(backup.head)
            _write_rows(path, passphrase, backup, progress)
            restored_at = timezone.now()
            begin_after_restore(restored_at, text=_log_text(backup, restored_at), digest=_digest_of(backup))
    except NotEmptyError as exc:
        raise BackupError(str(exc)) from exc
    except (OSError, *READ_ERRORS) as exc:
        raise BackupError(f"The backup could not be restored: {exc}") from exc
    unreadable = _reencrypt(backup.head)
    # The entry of the restore is signed at once, and not by the next run of the sealer.
    seal_log()
    return Restored(backup, tuple(written_keys), unreadable)


def check_hub(head: Head) -> None:
    """Raise BackupError for the backup of a hub with another URL, in whose name this hub would send its dispatches."""
    if head.hub_url != hub_url():
        raise BackupError(f"The backup is of {head.hub_url}, and this hub is {hub_url()}: set FEDHUB_SERVER_URL.")


def _write_rows(path: Path, passphrase: str, backup: Backup, progress: Progress) -> None:
    reader = BackupReader(path, passphrase)
    for model, rows in reader.chunks():
        insert_rows(model, rows)
        progress(model._meta.label, len(rows))
    if tuple(reader.sums) != backup.tables:
        raise BackupError("The file has changed since it was verified.")
    expected = {table.label: table for table in backup.tables}
    for model in backup_models():
        count, digest = table_digest(model, database_of(model))
        found = TableSum(model._meta.label, count, digest)
        if found != expected.get(found.label, TableSum(found.label, 0, _sum_of_nothing())):
            raise BackupError(f"The database does not hold {found.label} as the backup has it: {found.rows} rows.")


def _sum_of_nothing() -> str:
    """Return the digest of a table without rows."""
    return "0" * 64


def _log_text(backup: Backup, restored_at: datetime) -> str:
    made_at, moment = backup.head.made_at, restored_at.isoformat(timespec="seconds")
    return f"Restored at {moment} from a backup of {made_at} with {backup.rows} rows"


def _digest_of(backup: Backup) -> str:
    """Return the SHA-256 of the sums of all tables."""
    return hashlib.sha256(json.dumps([asdict(table) for table in backup.tables]).encode()).hexdigest()


def _reencrypt(head: Head) -> tuple[str, ...]:
    """Encrypt the stored secrets with this hub's FEDHUB_SECRETS_KEY; return the holders of unreadable ones."""
    before = settings.FEDHUB_SECRETS_KEY
    try:
        # The backup's keys decrypt, and the first key of this hub encrypts.
        settings.FEDHUB_SECRETS_KEY = ",".join(dict.fromkeys([*listed(before), *listed(secrets_key_of(head))]))
        return (reencrypt_everything(by=SHELL)).unreadable
    except InternalError as exc:
        return (f"every stored secret ({exc.message})",)
    finally:
        settings.FEDHUB_SECRETS_KEY = before
