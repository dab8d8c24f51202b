"""The backend's query compilers; their writes raise Django's errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, IntegrityError
from django_mongodb_backend import compiler
from django_mongodb_backend.compiler import SQLAggregateCompiler, SQLCompiler, SQLDeleteCompiler
from pymongo.errors import BulkWriteError, PyMongoError, WriteError

__all__ = ["SQLAggregateCompiler", "SQLCompiler", "SQLDeleteCompiler", "SQLInsertCompiler", "SQLUpdateCompiler"]

DOCUMENT_VALIDATION_FAILURE = 121


class SQLInsertCompiler(compiler.SQLInsertCompiler):
    """The compiler of inserts, which raises Django's errors in place of the driver's."""

    def insert(self, docs: list[dict[str, Any]], returning_fields: Any = None) -> list[tuple[Any, ...]]:
        """Insert documents; raise IntegrityError or DatabaseError."""
        with errors_as_django():
            return super().insert(docs, returning_fields=returning_fields)  # type: ignore[no-any-return]


class SQLUpdateCompiler(compiler.SQLUpdateCompiler):
    """The compiler of updates, which raises Django's errors in place of the driver's."""

    def update(self, criteria: dict[str, Any], pipeline: list[dict[str, Any]]) -> int:
        """Update the matching documents and return their number; raise IntegrityError or DatabaseError."""
        with errors_as_django():
            return super().update(criteria, pipeline)  # type: ignore[no-any-return]


@contextmanager
def errors_as_django() -> Iterator[None]:
    """Turn a violated check constraint into IntegrityError, and every other error of the driver into DatabaseError."""
    try:
        yield
    except PyMongoError as exc:
        kind = IntegrityError if _is_violation(exc) else DatabaseError
        raise kind(str(exc)) from exc
    except DatabaseError as exc:
        if _is_violation(exc.__cause__):
            raise IntegrityError(str(exc.__cause__)) from exc.__cause__
        raise


def _is_violation(error: BaseException | None) -> bool:
    if isinstance(error, BulkWriteError):
        return any(found.get("code") == DOCUMENT_VALIDATION_FAILURE for found in error.details["writeErrors"])
    return isinstance(error, WriteError) and error.code == DOCUMENT_VALIDATION_FAILURE
