"""Run tests on another store than SQLite: `python -m pytest --store=postgresql tests/api`.

The store's server is started before Django reads the tests' settings, and stopped at the end of the run. The workers of
pytest-xdist inherit its address by the environment, and keep a database each.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator

import pytest

from tests.stores import postgresql
from tests.stores.servers import MissingServerError, Server

VARIABLES = {"postgresql": "TEST_DATABASE_URL"}
STARTERS: dict[str, Callable[[], Server]] = {"postgresql": postgresql.start}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the choice."""
    parser.addoption(
        "--store",
        choices=("sqlite", *STARTERS),
        default="sqlite",
        help="the store to test on; its server is a throw-away one unless TEST_DATABASE_URL names one",
    )


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Start the store's server; a wrapper, since pytest-django reads the settings in this very hook."""
    store = early_config.known_args_namespace.store
    if store in STARTERS and not os.environ.get(VARIABLES[store]):
        try:
            server = STARTERS[store]()
        except MissingServerError as exc:
            _give_up(str(exc))
        early_config.add_cleanup(server.stop)
        os.environ[VARIABLES[store]] = server.url
    yield


def _give_up(reason: str) -> None:
    """End the run: as a failure where CI requires every store."""
    is_required = os.environ.get("FEDHUB_REQUIRE_STORES") == "1"
    pytest.exit(f"{reason} The tests did NOT run.", returncode=1 if is_required else 0)


def pytest_report_header(config: pytest.Config) -> str:
    """Name the store at the head of the report."""
    return f"store: {config.getoption('store')}"
