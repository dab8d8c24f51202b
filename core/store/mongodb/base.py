"""The connection: Django loads it by the name of the engine, `core.store.mongodb`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from bson import ObjectId
from django.db import DatabaseError, NotSupportedError
from django.db.models import Model
from django_mongodb_backend import base, features, operations
from pymongo import UpdateOne
from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from core.store.mongodb.compiler import errors_as_django
from core.store.mongodb.schema import SchemaEditor

NO_TRANSACTIONS = (
    "The MongoDB server has no transactions, which the registry needs: it is no member of a replica set. "
    "Start mongod with --replSet rs0 and run rs.initiate() once, or use a sharded cluster"
)
LOCK_FIELD = "locked_by"
COMMIT_SECONDS = 30.0
COMMIT_PAUSE_SECONDS = 0.1


class DatabaseFeatures(features.DatabaseFeatures):
    """What the backend has, and what this package adds."""

    supports_table_check_constraints = True


class DatabaseOperations(operations.DatabaseOperations):
    """Says where the compilers of queries are."""

    compiler_module = "core.store.mongodb.compiler"


class DatabaseWrapper(base.DatabaseWrapper):
    """One thread's connection; the sockets are a pool that all threads share."""

    SchemaEditorClass = SchemaEditor
    features_class = DatabaseFeatures
    ops_class = DatabaseOperations
    session: ClientSession | None

    def has_transactions(self) -> bool:
        """Tell whether the server has multi-document transactions; raises DatabaseError where it does not answer."""
        try:
            return bool(self.features._supports_transactions)
        except PyMongoError as exc:
            raise DatabaseError(f"MongoDB does not answer: {exc}") from exc

    def is_usable(self) -> bool:
        """Tell whether the server answers."""
        try:
            self.ensure_connection()
            self.connection.admin.command("ping")
        except (DatabaseError, PyMongoError):
            return False
        return True

    def validate_no_atomic_block(self) -> None:
        """Let commit hooks run inside Django's `atomic`, which is no transaction here: the admin opens one."""

    def touch(self, model: type[Model], keys: Sequence[str]) -> None:
        """Write to these rows, but to none of their fields: in a transaction others that write to them collide.

        The value is a new one each time, since an update that changes nothing is none. Raises DatabaseError.
        """
        rows = {model._meta.pk.column: {"$in": list(keys)}}
        with errors_as_django():
            self.get_collection(model._meta.db_table).update_many(
                rows, {"$set": {LOCK_FIELD: ObjectId()}}, session=self.session
            )

    def update_rows(self, rows: Sequence[Model], fields: Sequence[str]) -> None:
        """Write `fields` of each row, all of one model, in one message; raises IntegrityError, DatabaseError."""
        meta = rows[0]._meta
        columns: list[Any] = [meta.get_field(name) for name in fields]
        updates = [
            UpdateOne(
                {str(meta.pk.column): row.pk},
                {"$set": {each.column: each.get_db_prep_save(getattr(row, each.attname), self) for each in columns}},
            )
            for row in rows
        ]
        with errors_as_django():
            self.get_collection(meta.db_table).bulk_write(updates, ordered=False, session=self.session)

    def start_transaction_mongo(self) -> None:
        """Open a transaction that sees one snapshot and commits to a majority; raises NotSupportedError without any."""
        if self.session is not None:
            return
        if not self.has_transactions():
            raise NotSupportedError(NO_TRANSACTIONS)
        session: ClientSession = self.connection.start_session()
        session.start_transaction(read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority"))
        self.session = session

    def commit_mongo(self) -> None:
        """Commit, then call what waited for it; raises DatabaseError where nothing was stored, or perhaps nothing."""
        session = self.session
        try:
            if session is not None:
                _commit(session)
                self._end_session()
        except PyMongoError as exc:
            self.rollback_mongo()
            raise DatabaseError(str(exc)) from exc
        self.run_and_clear_commit_hooks()

    def rollback_mongo(self) -> None:
        """Undo the transaction and forget what waited for its commit, even where the server is gone."""
        self.run_on_commit: list[Any] = []
        if self.session is not None:
            # Ending a session aborts its transaction and lets errors of that pass: the server does it by itself too.
            self._end_session()


def _commit(session: ClientSession) -> None:
    """Commit until the server says how it went: the driver asks twice by itself, an election takes longer."""
    deadline = time.monotonic() + COMMIT_SECONDS
    while True:
        try:
            return session.commit_transaction()
        except PyMongoError as exc:
            if not exc.has_error_label("UnknownTransactionCommitResult") or time.monotonic() > deadline:
                raise
            time.sleep(COMMIT_PAUSE_SECONDS)
