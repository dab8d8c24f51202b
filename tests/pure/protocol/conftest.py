"""A real server on the loopback interface."""

from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer


@pytest.fixture(scope="module")
def running() -> Iterator[HTTPServer]:
    """A server on a free loopback port; starting and stopping one takes half a second."""
    with HTTPServer(host="127.0.0.1", port=0) as started:
        yield started


@pytest.fixture
def server(running: HTTPServer) -> HTTPServer:
    """The server, with nothing expected and nothing logged."""
    running.clear()
    return running
