"""Read the secrets that the file names by reference, from a variable or a file of the machine."""

from __future__ import annotations

import os
from pathlib import Path

from core.environment import hide_also
from fedhub.config_file.plan import Secret

MAX_BYTES = 16_384


class MissingSecretError(Exception):
    """Raised for a reference that leads to no secret. The message names the variable or the file."""


def read_secret(reference: dict[str, str], folder: Path) -> Secret:
    """Return the secret of a reference {env: NAME} or {file: PATH}, without white space around it.

    A relative path begins at `folder`, the folder of the configuration file. Raises MissingSecretError.
    """
    if name := reference.get("env"):
        text = os.environ.get(name, "").strip()
        if not text:
            raise MissingSecretError(f"the variable {name} is not set")
    else:
        name = reference["file"]
        text = _of_file(folder / name, name)
    # No line of the log and no page of an error shows it.
    hide_also(f"configuration file, {name}", text)
    return Secret(text)


def _of_file(path: Path, shown: str) -> str:
    try:
        # A device or a pipe would have no end.
        if not path.is_file():
            raise MissingSecretError(f"{shown} is not a file")
        with path.open("rb") as file:
            found = file.read(MAX_BYTES + 1)
        text = found.decode().strip()
    except OSError as exc:
        raise MissingSecretError(f"{shown} cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise MissingSecretError(f"{shown} is not a UTF-8 text") from exc
    if not text or len(found) > MAX_BYTES:
        raise MissingSecretError(f"{shown} is empty, or larger than {MAX_BYTES} bytes")
    return text
