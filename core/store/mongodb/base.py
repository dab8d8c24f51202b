"""The connection class, which Django loads by the name of the engine, `core.store.mongodb`."""

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
    "The MongoDB server has no transactions, which the registry needs: it is not a member of a replica set. "
    "Start mongod with --replSet rs0 and run rs.initiate() once, or use a sharded cluster"
)
LOCK_FIELD = "locked_by"
COMMIT_SECONDS = 30.0
COMMIT_PAUSE_SECONDS = 0.1


class DatabaseFeatures(features.DatabaseFeatures):
    """What Django asks about MongoDB's abilities: the features of the backend and those that this package adds."""

    supports_table_check_constraints = True


class DatabaseOperations(operations.DatabaseOperations):
    """The backend's operations, with the query compilers of this package in place of the backend's."""

    compiler_module = "core.store.mongodb.compiler"


class DatabaseWrapper(base.DatabaseWrapper):
    """The connection that Django opens to MongoDB in each thread; the connections share one pool of sockets."""

    SchemaEditorClass = SchemaEditor
    features_class = DatabaseFeatures
    ops_class = DatabaseOperations
    session: ClientSession | None

    def has_transactions(self) -> bool:
        """Tell whether the server has multi-document transactions; raise DatabaseError if it does not answer."""
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
        """Permit commit hooks inside Django's `atomic`, which the admin opens and which is not a transaction here."""

    def touch(self, model: type[Model], keys: Sequence[str]) -> None:
        """Write to a hidden field of these rows, so that other transactions that write to the rows collide.

        Each value is new, because MongoDB does not write an update without a change. Raises DatabaseError.
        """
        rows = {model._meta.pk.column: {"$in": list(keys)}}
        with errors_as_django():
            self.get_collection(model._meta.db_table).update_many(
                rows, {"$set": {LOCK_FIELD: ObjectId()}}, session=self.session
            )

    def update_rows(self, rows: Sequence[Model], fields: Sequence[str]) -> None:
        """Write `fields` of each row, all of one model, in one message; raise IntegrityError or DatabaseError."""
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
        """Open a transaction that reads one snapshot and commits to a majority; join an open one.

        Raises NotSupportedError for a server without transactions.
        """
        if self.session is not None:
            return
        if not self.has_transactions():
            raise NotSupportedError(NO_TRANSACTIONS)
        session: ClientSession = self.connection.start_session()
        session.start_transaction(read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority"))
        self.session = session

    def commit_mongo(self) -> None:
        """Commit, then run the commit hooks; raise DatabaseError unless the transaction is certainly stored."""
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
        """Undo the transaction and drop its commit hooks, even if the server is gone."""
        self.run_on_commit: list[Any] = []
        if self.session is not None:
            # The end of a session aborts its transaction and ignores errors: the server aborts it by itself too.
            self._end_session()


def _commit(session: ClientSession) -> None:
    """Commit, and repeat the commit until the server tells its result.

    The driver repeats it once by itself; an election of the replica set takes longer.
    """
    deadline = time.monotonic() + COMMIT_SECONDS
    while True:
        try:
            return session.commit_transaction()
        except PyMongoError as exc:
            if not exc.has_error_label("UnknownTransactionCommitResult") or time.monotonic() > deadline:
                raise
            time.sleep(COMMIT_PAUSE_SECONDS)
