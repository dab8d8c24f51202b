"""What tests with whole hubs share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.stores.databases import hub_databases


@pytest.fixture(scope="module")
def hub_rows(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Let the tests of a module read the databases of the hubs that they start."""
    with django_db_blocker.unblock(), hub_databases():
        yield
