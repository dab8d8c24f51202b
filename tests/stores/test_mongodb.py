"""On the tests' MongoDB server, a transaction that its process left open keeps others out for its lifetime alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.client_session import ClientSession

from tests.stores.mongodb import LIFETIME_SECONDS, start

SECONDS = 6 * LIFETIME_SECONDS


@pytest.fixture
def rows() -> Iterator[Any]:
    """Two documents on a server of their own, because a server that hangs would hold the tests of others."""
    server = start()
    try:
        with MongoClient[Any](server.url, socketTimeoutMS=SECONDS * 1000) as client:
            found = client["fedhub"]["rows"]
            found.insert_many([{"_id": "held"}, {"_id": "free"}])
            yield found
    finally:
        server.stop()


def test_a_plain_write_and_another_transaction_go_on_after_the_lifetime(rows: Any) -> None:
    def change(name: str, session: ClientSession | None = None) -> int:
        return int(rows.update_many({"_id": name}, {"$set": {"by": "others"}}, session=session).modified_count)

    client = rows.database.client
    with client.start_session() as going_on, client.start_session() as forgotten, ThreadPoolExecutor(2) as pool:
        # The transaction that goes on is the older one, so that the server looks at it first.
        going_on.start_transaction()
        rows.find_one({"_id": "free"}, session=going_on)
        forgotten.start_transaction()
        change("held", forgotten)
        plain = pool.submit(change, "held")
        # The plain write is repeated by now.
        time.sleep(0.5)
        other = pool.submit(change, "free", going_on)

        assert plain.result(SECONDS) == 1
        assert other.result(SECONDS) == 1
