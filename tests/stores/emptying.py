"""Empty the tables after a test that commits, by putting back the rows that the migrations left.

Django's own way deletes every row and has each app make its first rows anew: content types, permissions, the roles and
their permissions. That took longer than most tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.management.commands import flush

COPY = "as_migrated_"
# Foreign keys are not looked at, as all tables are emptied together; SQLite looks at them when all is done.
WITHOUT_KEYS = {"postgresql": ("SET session_replication_role = replica", "SET session_replication_role = DEFAULT")}


def empty_by_copies(connection: Any) -> None:
    """Copy the rows of a database that was just migrated, and have Django empty its tables by going back to them.

    Tables are emptied by DELETE, because PostgreSQL's TRUNCATE makes new files for each.
    """
    quote = connection.ops.quote_name
    first, *last = WITHOUT_KEYS.get(connection.vendor, ("", ""))
    copied = []
    with connection.cursor() as cursor:
        for table in connection.introspection.django_table_names(only_existing=True, include_views=False):
            cursor.execute(f"SELECT 1 FROM {quote(table)} LIMIT 1")
            if cursor.fetchone():
                cursor.execute(f"CREATE TABLE {quote(COPY + table)} AS SELECT * FROM {quote(table)}")
                copied.append(table)

    def sql_flush(operations: object, style: object, tables: Sequence[str], **options: object) -> list[str]:
        deletes = [f"DELETE FROM {quote(table)}" for table in tables]
        inserts = [f"INSERT INTO {quote(table)} SELECT * FROM {quote(COPY + table)}" for table in copied]
        return list(filter(None, [first, *deletes, *inserts, *last]))

    # For the connections of all threads, and of Playwright's loop too.
    type(connection.ops).sql_flush = sql_flush
    # What the apps do after a migration is in the copies.
    vars(flush)["emit_post_migrate_signal"] = lambda *arguments: None
