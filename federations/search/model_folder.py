"""The folder of an embedding model, looked at without the packages that run the model."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

MODEL_FILE, TOKENIZER_FILE = "model.onnx", "tokenizer.json"
PACKAGES = ("numpy", "onnxruntime", "tokenizers")
"""The packages of the extra `meaning`."""


class ModelError(Exception):
    """Raised if an embedding model cannot be loaded. The text is for staff and has no path."""


def problem_of(folder: Path) -> str:
    """Return what the folder or the environment lacks, or an empty text. It neither imports nor opens anything."""
    if absent := [name for name in PACKAGES if not find_spec(name)]:
        return f"the packages of the extra meaning are missing: {', '.join(absent)}"
    if lacking := [name for name in (MODEL_FILE, TOKENIZER_FILE) if not (folder / name).is_file()]:
        return f"the folder lacks {' and '.join(lacking)}"
    return ""
