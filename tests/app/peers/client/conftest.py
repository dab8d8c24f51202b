"""A real server on the loopback interface."""

from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer


@pytest.fixture(scope="module")
def running() -> Iterator[HTTPServer]:
    """A server on a free loopback port, one for the module, because its start and stop take half a second."""
    with HTTPServer(host="127.0.0.1", port=0) as started:
        yield started


@pytest.fixture
def server(running: HTTPServer) -> HTTPServer:
    """The server without expected requests and without logged ones."""
    running.clear()
    return running
