"""The handler classes that FEDHUB_HANDLERS names, imported by their dotted paths."""

from __future__ import annotations

from django.utils.module_loading import import_string


class HandlerImportError(ImportError):
    """The class cannot be imported; the text names the path and the reason."""


def import_handler(path: str) -> type:
    """Return the class at a dotted path; raises HandlerImportError whatever its module raises.

    A module may read a missing environment variable, exit, or raise a class of its own. The hub, its workers and its
    system checks must not stop for it. KeyboardInterrupt alone passes: it is the operator's.
    """
    try:
        found = import_string(path)
    except KeyboardInterrupt:
        raise
    except BaseException as exc:
        raise HandlerImportError(f"{path} cannot be imported: {type(exc).__name__}: {exc}") from exc
    if not isinstance(found, type):
        raise HandlerImportError(f"{path} cannot be imported: it is not a class")
    return found
