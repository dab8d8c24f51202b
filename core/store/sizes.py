"""The sizes of the databases, and the free space of the disks that the hub writes to."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import DatabaseError, connections

logger = logging.getLogger(__name__)

SQLITE_FILES = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Disk:
    """One file system: what the hub keeps there, and its free and whole space in bytes."""

    names: tuple[str, ...]
    free: int
    total: int


def file_bytes(path: str | Path) -> int:
    """Return the size of a SQLite file with the files beside it; 0 if it does not exist."""
    files = [Path(f"{path}{ending}") for ending in SQLITE_FILES]
    return sum(file.stat().st_size for file in files if file.is_file())


def database_bytes(alias: str) -> int | None:
    """Return the size of a database on its disk, in one query; None if the database does not tell."""
    connection: Any = connections[alias]
    try:
        if connection.vendor == "sqlite":
            return file_bytes(connection.settings_dict["NAME"])
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_database_size(current_database())")
                return int(cursor.fetchone()[0])
        with connection.wrap_database_errors:
            found: Mapping[str, Any] = connection.database.command("dbStats")
        return int(found["storageSize"] + found["indexSize"])
    except (DatabaseError, KeyError, TypeError, OSError):
        logger.warning("The size of the database %s is not known", alias, exc_info=True)
        return None


def disks(folders: Mapping[str, Path]) -> list[Disk]:
    """Return the file systems of the folders, by what the hub keeps there; one is named once."""
    found: dict[int, list[str]] = {}
    places: dict[int, Path] = {}
    for name, folder in folders.items():
        place = next((each for each in (folder, *folder.parents) if each.exists()), Path("/"))
        device = place.stat().st_dev
        found.setdefault(device, []).append(name)
        places.setdefault(device, place)
    usages = {device: shutil.disk_usage(place) for device, place in places.items()}
    return [Disk(tuple(names), usages[device].free, usages[device].total) for device, names in found.items()]
