"""Two partners that staff have approved, and an unknown hub."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from peers.models import Peer
from tests.api.peers.partner import Partner, everything_stored, is_answered_together

ANSWERED_IN_BOTH_WAYS = ("test_attacks_", "test_receive", "test_callback", "test_covered_fields")


class Refused:
    """Checks that answers are refusals, and that nothing is stored after `start`."""

    def __init__(self) -> None:
        self.before: dict[str, list[dict[str, Any]]] | None = None
        self.calls = 0

    def start(self) -> None:
        """Remember the rows that are stored now."""
        self.before = everything_stored()

    def __call__(self, response: Any, status: int, text: str = "") -> None:
        self.calls += 1
        body = response.json()
        assert (response.status_code, text in body["message"]) == (status, True), (response.status_code, body)
        assert {"detail", "message"} <= body.keys()
        assert ("errors" in body) == (status in (400, 422))
        assert self.before is not None, "call refused.start() first"
        assert everything_stored() == self.before


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let the tests of messages and of attacks run in both ways in which a hub answers messages."""
    if metafunc.module.__name__.rpartition(".")[2].startswith(ANSWERED_IN_BOTH_WAYS):
        metafunc.fixturenames.append("answered")
        metafunc.parametrize("answered", ["alone", "together"], indirect=True)


@pytest.fixture
def answered(request: pytest.FixtureRequest) -> Iterator[None]:
    """Answer the messages of the test by the views, or by the handlers of many messages."""
    token = is_answered_together.set(request.param == "together")
    yield
    is_answered_together.reset(token)


@pytest.fixture
def alpha(db: None) -> Partner:
    """A partner whose row `alpha_peer` is approved."""
    return Partner("https://alpha.example.org", b"a" * 32)


@pytest.fixture
def beta(db: None) -> Partner:
    """Another partner whose row is approved."""
    partner = Partner("https://beta.example.org", b"b" * 32)
    partner.approve()
    return partner


@pytest.fixture
def stranger(db: None) -> Partner:
    """A hub that is unknown here."""
    return Partner("https://stranger.example.net", b"s" * 32)


@pytest.fixture
def alpha_peer(alpha: Partner) -> Peer:
    """The row of the first partner."""
    return alpha.approve()


@pytest.fixture
def assert_refused(db: None) -> Iterator[Refused]:
    """Check that an answer is a refusal in JSON of this status, and that nothing is stored after `start`.

    The test calls `refused.start()` once its own rows are in place.
    """
    check = Refused()
    yield check
    assert check.calls, "the test never looked at an answer"
