"""The command that writes the configuration of the hub as a file for `apply_config`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.errors import HubError
from core.private_files import create_private_file
from fedhub.config_file.document import json_schema
from fedhub.config_file.export import Export, export_config


class Command(BaseCommand):
    """Write the file, and name the variables that must hold the secrets, which are never written."""

    help = "Write the hub's configuration as YAML, to FILE or to standard output; apply_config reads it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("file", metavar="FILE", nargs="?", default="", help="a file; it is replaced whole")
        parser.add_argument("--schema", action="store_true", help="write the JSON schema of the file instead")

    def handle(self, *args: Any, file: str, schema: bool, **options: Any) -> None:
        """Write the file or its schema."""
        try:
            export = Export(json.dumps(json_schema(), indent=2) + "\n", {}) if schema else export_config()
        except HubError as exc:
            raise CommandError(exc.message) from exc
        if file:
            _replace(Path(file), export.text)
        else:
            self.stdout.write(export.text, ending="")
        for name, meaning in export.variables.items():
            self.stderr.write(f"{name} must hold {meaning} when the file is applied.")


def _replace(path: Path, text: str) -> None:
    """Write the text to a new file of mode 0600 first, and rename it, so that a crash leaves the old file."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        with open(temporary, "w", encoding="utf-8", opener=create_private_file) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as exc:
        temporary.unlink(missing_ok=True)
        raise CommandError(f"{path} cannot be written: {exc.strerror}") from exc
