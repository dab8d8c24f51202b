"""The storage of static files: `collectstatic` also writes a compressed copy of each file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from whitenoise.storage import CompressedStaticFilesStorage

from core.private_files import PRIVATE_FILE


class PrivateCompressedStorage(CompressedStaticFilesStorage):
    """WhiteNoise's storage of compressed files, with the mode of all other files of the hub."""

    def post_process(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Compress the collected files, and restrict each compressed file to the hub's user."""
        for name, compressed, is_processed in super().post_process(*args, **kwargs):
            if compressed:
                Path(self.path(compressed)).chmod(PRIVATE_FILE)
            yield name, compressed, is_processed
