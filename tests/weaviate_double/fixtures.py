"""The double as a fixture, and the real server that WEAVIATE_URL names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache

import httpx
import pytest
import weaviate

from federations.search.weaviate import WeaviateSearchIndex
from federations.search.weaviate_connection import WeaviateServer
from tests.weaviate_double.forward import Forward, Recorder
from tests.weaviate_double.front import Front
from tests.weaviate_double.recording import Recording, Replay

COLLECTION = "FedhubTests"
IS_RECORDING = bool(os.environ.get("WEAVIATE_RECORD"))
# tests/settings.py renames the variables with this prefix, so that no other test reaches a real server.
_LIVE = "LIVE_WEAVIATE_"


def live_server(collection: str) -> WeaviateServer | None:
    """Return the real server that the environment names, or None."""
    url, grpc_url, key, vectorizer = (
        os.environ.get(f"{_LIVE}{name}", "") for name in ("URL", "GRPC_URL", "API_KEY", "VECTORIZER")
    )
    return WeaviateServer(url, grpc_url, key, vectorizer, collection) if url else None


@pytest.fixture(scope="session")
def weaviate_front() -> Iterator[Front]:
    """The listening front for the whole test run. Its end saves the new recordings."""
    front = Front(Replay([]))
    yield front
    front.stop()
    if IS_RECORDING:
        for module in _recorded:
            _recording(module).save()


@pytest.fixture
def weaviate_double(weaviate_front: Front, request: pytest.FixtureRequest) -> Iterator[Front]:
    """A server without a collection, with the recorded answers of this test."""
    module, name = request.node.path.stem, request.node.name
    weaviate_front.reset()
    if IS_RECORDING:
        yield from _recorded_run(weaviate_front, module, name)
        return
    exchanges = _recording(module).tests.get(name)
    if exchanges is None:
        pytest.fail(f"there is no recording of {name}; tests/weaviate_double/__init__.py explains how to record")
    weaviate_front.answers = Replay(exchanges)
    yield weaviate_front
    if weaviate_front.unknown:
        pytest.fail("the recording does not have these requests:\n" + "\n".join(weaviate_front.unknown))


@pytest.fixture
def weaviate_index(weaviate_double: Front) -> Iterator[WeaviateSearchIndex]:
    """The adapter with the double, empty."""
    index = WeaviateSearchIndex(weaviate_double.server(COLLECTION), query_seconds=5.0, write_seconds=5.0)
    yield index
    index.close()


_recorded: set[str] = set()


@cache
def _recording(module: str) -> Recording:
    return Recording.load(module)


def _recorded_run(front: Front, module: str, name: str) -> Iterator[Front]:
    server = live_server(COLLECTION)
    assert server is not None, "recording needs WEAVIATE_URL"
    forward = Forward(server)
    forward.drop(COLLECTION)
    front.answers = recorder = Recorder(forward)
    yield front
    forward.close()
    recording = _recording(module)
    version = httpx.get(f"{server.url}/v1/meta", timeout=10).json()["version"]
    recording.server = {"weaviate": version, "weaviate-client": weaviate.__version__}
    recording.tests[name] = recorder.exchanges
    _recorded.add(module)
