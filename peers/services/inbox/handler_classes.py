"""The handler classes that FEDHUB_HANDLERS names, imported by their dotted paths."""

from __future__ import annotations

from django.utils.module_loading import import_string


class HandlerImportError(ImportError):
    """A handler class that FEDHUB_HANDLERS names cannot be imported; the error's text names its path and the reason."""


def import_handler(path: str) -> type:
    """Return the class at a dotted path; raises HandlerImportError whatever its module raises.

    The module is the operator's code: it may read a missing environment variable, exit, or raise an exception class of
    its own. A fault in it must not stop the hub, the workers or the system checks, so every exception becomes a
    HandlerImportError. Only KeyboardInterrupt passes, because the operator caused it.
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
