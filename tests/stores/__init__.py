"""Run tests on another store than SQLite: `python -m pytest --store=postgresql tests/api`.

The store's server is started before Django reads the tests' settings, and stopped at the end of the run. The workers of
pytest-xdist inherit its address by the environment, and keep a database each.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Generator, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from pymongo import monitoring
from pytest_django import DjangoDbBlocker

from tests.stores import mongodb, postgresql
from tests.stores.servers import MissingServerError, Server

VARIABLES = {"postgresql": "TEST_DATABASE_URL", "mongodb": "TEST_MONGODB_URI"}
STARTERS: dict[str, Callable[[], Server]] = {"postgresql": postgresql.start, "mongodb": mongodb.start}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the choice."""
    parser.addoption(
        "--store",
        choices=("sqlite", *STARTERS),
        default="sqlite",
        help="the store to test on; on a throw-away server, unless TEST_DATABASE_URL or TEST_MONGODB_URI names one",
    )


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Start the store's server; a wrapper, since pytest-django reads the settings in this very hook."""
    # Imports make millions of objects, and each search for garbage among them finds none.
    gc.disable()
    store = early_config.known_args_namespace.store
    if store in STARTERS and not os.environ.get(VARIABLES[store]):
        try:
            server = STARTERS[store]()
        except MissingServerError as exc:
            _give_up(str(exc))
        early_config.add_cleanup(server.stop)
        os.environ[VARIABLES[store]] = server.url
    if store == "mongodb":
        monitoring.register(mongodb.WRITTEN)
    yield


def _give_up(reason: str) -> None:
    """End the run: as a failure where CI requires every store."""
    print(f"The tests of this store did NOT run. {reason}", file=sys.stderr)
    sys.exit(1 if os.environ.get("FEDHUB_REQUIRE_STORES") == "1" else 0)


def pytest_collection_finish() -> None:
    """Let Python search for garbage again, among what the tests make."""
    gc.freeze()
    gc.enable()


def pytest_report_header(config: pytest.Config) -> str:
    """Name the store at the head of the report."""
    return f"store: {config.getoption('store')}"


# Where the registry has a database of its own -------------------------------------------------------------------------
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let every test that uses a database use the registry's too, which pytest-django offers by mark alone."""
    from core.store.unit_of_work import REGISTRY

    if REGISTRY == "default":
        return
    for item in items:
        mark = item.get_closest_marker("django_db")
        if mark or {"db", "transactional_db", "live_server"} & set(getattr(item, "fixturenames", ())):
            given = dict(mark.kwargs) if mark else {}
            item.add_marker(pytest.mark.django_db(**given | {"databases": ["default", REGISTRY]}), append=False)


@pytest.fixture(scope="session", autouse=True)
def _registry_is_emptied_by_us() -> None:
    """Keep Django's quick tests, which roll back: it would empty every table where one database cannot."""
    from core.store.unit_of_work import REGISTRY

    if connections[REGISTRY].vendor == "mongodb":
        registry: Any = connections[REGISTRY]
        registry.features.supports_transactions = True
        registry.ops.execute_sql_flush = lambda tables: None


@pytest.fixture(autouse=True)
def _empty_registry(request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Leave nothing of a test in MongoDB, where nothing was rolled back."""
    from core.store.unit_of_work import REGISTRY

    yield
    if connections[REGISTRY].vendor == "mongodb" and "_django_db_helper" in request.fixturenames:
        with django_db_blocker.unblock():
            registry: Any = connections[REGISTRY]
            seen = mongodb.WRITTEN.take()
            written = set(registry.introspection.table_names()) if _starts_processes(request.path) else seen
            for name in sorted(written - {"django_migrations"}):
                _empty(registry.database[name])


@cache
def _starts_processes(path: Path) -> bool:
    """Tell whether the tests of a file start processes, whose writes this process does not see."""
    return "contract" in path.parts or "subprocess" in path.read_text(encoding="utf-8")


def _empty(rows: Any) -> None:
    """Delete every document. The server may not see at once what another connection has just written."""
    for _ in range(20):
        rows.delete_many({})
        if rows.find_one({}, {"_id": 1}) is None:
            return
        time.sleep(0.05)
    raise RuntimeError(f"{rows.name} cannot be emptied")
