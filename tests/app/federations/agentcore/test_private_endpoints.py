"""Runtimes with a private endpoint, which the hub may not reach."""

from __future__ import annotations

import socket

import pytest

from federations.providers.agentcore.bounds import Limits
from tests.app.federations.agentcore.aws_server import Answer, AwsServer
from tests.app.federations.agentcore.conftest import Ask
from tests.app.federations.agentcore.findings import error_of

PRIVATE = "; the runtime has a private endpoint, which the hub cannot reach"


@pytest.mark.parametrize("is_private", [True, False])
def test_a_private_endpoint_that_refuses_connections_is_said_to_be_one(ask: Ask, is_private: bool) -> None:
    text = error_of(ask(is_private=is_private, origin="http://127.0.0.1:1"))
    assert text.startswith("enrichment failed: ConnectError")
    assert text.endswith(PRIVATE) == is_private


def test_a_private_endpoint_that_never_answers_is_said_to_be_one(ask: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        origin = f"http://127.0.0.1:{silent.getsockname()[1]}"
        text = error_of(ask(is_private=True, origin=origin, limits=Limits(seconds=0.5)))
    assert text == f"enrichment failed: no complete answer within 0.5 seconds{PRIVATE}"


def test_a_private_endpoint_that_answers_is_not_said_to_be_out_of_reach(aws: AwsServer, ask: Ask) -> None:
    aws.on_invocation("claims", Answer(403))
    assert error_of(ask(is_private=True)) == "enrichment failed: 403 Forbidden"
