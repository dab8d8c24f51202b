"""A transaction that its process left open keeps others out for its lifetime, and never longer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from pymongo import MongoClient
from pymongo.client_session import ClientSession

from core.store.unit_of_work import REGISTRY
from tests.stores.holding import require_transactions_that_outlive_their_process
from tests.stores.mongodb import LIFETIME_SECONDS

pytestmark = pytest.mark.django_db

SECONDS = 6 * LIFETIME_SECONDS


@pytest.fixture
def rows() -> Iterator[Any]:
    require_transactions_that_outlive_their_process()
    registry: Any = connections[REGISTRY]
    # Without an answer the test fails, and does not wait for ever.
    client: MongoClient[Any] = MongoClient(**registry.get_connection_params(), socketTimeoutMS=SECONDS * 1000)
    found = client[registry.settings_dict["NAME"]]["forgotten"]
    found.insert_many([{"_id": "held"}, {"_id": "free"}])
    yield found
    found.drop()
    client.close()


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
