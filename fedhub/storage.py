"""What the hub has stored and the room that is left: for the page Storage, the figures and the checks."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from core.figures.gauges import Gauge, Numbers
from core.retention.sizes import size_gauges
from core.store.sizes import Disk, database_bytes, disks, file_bytes

MEGABYTE = 1024 * 1024


def hub_disks() -> list[Disk]:
    """Return the disks of the hub's own files; a database server's disk is not among them."""
    folders = {"files of the hub": Path(settings.VAR_DIR)}
    for database in settings.DATABASES.values():
        if database["ENGINE"].endswith("sqlite3"):
            folders["database"] = Path(str(database["NAME"])).parent
    if not settings.WEAVIATE_URL:
        folders["search index"] = Path(settings.SEARCH_PATH).parent
    return disks(folders)


def low_disks() -> list[Disk]:
    """Return the disks with little free space."""
    return [disk for disk in hub_disks() if is_low(disk)]


def is_low(disk: Disk) -> bool:
    """Tell whether the disk has less free space than FEDHUB_LOW_DISK_MB."""
    return bool(disk.free < settings.FEDHUB_LOW_DISK_MB * MEGABYTE)


def full_disks() -> list[Disk]:
    """Return the disks with less free space than a tenth of FEDHUB_LOW_DISK_MB: writes fail soon."""
    return [disk for disk in low_disks() if disk.free * 10 < settings.FEDHUB_LOW_DISK_MB * MEGABYTE]


def index_bytes() -> int | None:
    """Return the size of the file of the search index; None if a server holds the index."""
    return None if settings.WEAVIATE_URL else file_bytes(settings.SEARCH_PATH)


def database_sizes() -> dict[str, int]:
    """Return the sizes of the databases that tell them, in bytes, by their aliases."""
    sizes = {alias: database_bytes(alias) for alias in settings.DATABASES}
    return {alias: size for alias, size in sizes.items() if size is not None}


def storage_gauges() -> list[Gauge]:
    """Return the rows by kind of the last count, and the sizes of now."""
    free: Numbers = {(disk.names[0].replace(" ", "_"),): float(disk.free) for disk in hub_disks()}
    databases: Numbers = {(alias,): float(size) for alias, size in database_sizes().items()}
    index = index_bytes()
    files: Numbers = {} if index is None else {(): float(index)}
    return [
        *size_gauges(),
        Gauge("fedhub_database_bytes", "Size of a database on its disk.", ("database",), databases),
        Gauge("fedhub_index_bytes", "Size of the file of the search index.", (), files),
        Gauge("fedhub_disk_free_bytes", "Free space of a disk that the hub writes to.", ("disk",), free),
    ]
