"""What a backup contains: its head, its tables, and the state of migrations that a restore needs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Model

from core.store.copying import account_models, registry_models
from fedhub.backup.errors import BackupError

FORMAT = "fedhub-backup/1"
# Sessions end at a restore. A nonce, an authorization code and a device code is valid once and for minutes, so an old
# copy of these tables is of no use. A slot and a turn are leases of running processes.
EXCLUDED = frozenset(
    {
        "people.UserSession",
        "signin.SigninRecord",
        "peers.SeenNonce",
        "oauth2_provider.Grant",
        "oauth2_provider.DeviceGrant",
        "federations.PreviewSlot",
        "federations.ConnectionTestSlot",
        "retention.PruneTurn",
    }
)
# `migrate` fills these tables, or the first start of a web process or of the beat, whose sweeps count an empty hub too.
FILLED_BY_SETUP = (
    "contenttypes.ContentType",
    "auth.Permission",
    "auth.Group",
    "auth.Group_permissions",
    "roles.Role",
    "roles.GivenPermission",
    "figures.Figure",
    "federations.DailyCount",
    "retention.KindCount",
    "peers.FederationLog",
    "django_celery_beat.SolarSchedule",
    "django_celery_beat.IntervalSchedule",
    "django_celery_beat.ClockedSchedule",
    "django_celery_beat.CrontabSchedule",
    "django_celery_beat.PeriodicTask",
)


@dataclass(frozen=True, slots=True)
class Head:
    """The first line of a backup.

    `made_at` is the time of the snapshot, RFC 3339 in UTC. `hub_url` is the URL of the hub, and `hub_key` the
    fingerprint of the key with which it signs for peers, or "" if it has made none. `migrations` are the applied ones,
    as `app.name`. `keys` are the saved keys (`key_files`), or None for a backup without keys.
    """

    version: str
    made_at: str
    hub_url: str
    hub_key: str
    migrations: tuple[str, ...]
    keys: dict[str, Any] | None
    format: str = FORMAT

    def as_json(self) -> dict[str, Any]:
        """Return the members of the line."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: object) -> Self:
        """Return the head in a line. Raises BackupError for a backup of another format."""
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            name = found.get("format") if isinstance(found, dict) else "unknown"
            raise BackupError(f"The format of the backup is {name}, and this version reads {FORMAT}.")
        try:
            return cls(**{**found, "migrations": tuple(found["migrations"])})
        except (KeyError, TypeError) as exc:
            raise BackupError(f"The head of the backup is not that of {FORMAT}.") from exc


def backup_models() -> list[type[Model]]:
    """Return the models whose rows a backup has: Django's own tables, then the registry's, parents before children."""
    return [model for model in (*account_models(), *registry_models()) if model._meta.label not in EXCLUDED]


def applied_migrations() -> tuple[str, ...]:
    """Return the migrations that this hub has applied, as `app.name`."""
    recorded = MigrationRecorder(connections[DEFAULT_DB_ALIAS]).applied_migrations()
    apps = {model._meta.app_label for model in backup_models()}
    return tuple(sorted(f"{app}.{name}" for app, name in recorded if app in apps))


def check_migrations(head: Head) -> None:
    """Raise BackupError unless this hub has applied the same migrations as the hub of the backup."""
    here, there = set(applied_migrations()), set(head.migrations)
    if missing := sorted(there - here):
        raise BackupError(
            f"The backup is of version {head.version} and has migrations that this hub lacks: {_few(missing)}. Run "
            f"manage.py migrate; if they are missing after it, install version {head.version} of fedhub."
        )
    if further := sorted(here - there):
        raise BackupError(
            f"The backup is older than this hub, which has further migrations: {_few(further)}. Install version "
            f"{head.version} of fedhub, migrate an empty database with it, restore there, then upgrade as usual."
        )


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
