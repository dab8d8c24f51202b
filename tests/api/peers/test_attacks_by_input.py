"""Malformed and oversized bodies, and forbidden URLs: 4xx, never 5xx, and nothing is stored."""

from __future__ import annotations

import json
import time
from ipaddress import ip_network
from typing import Any

import pytest
from django.conf import LazySettings

from core.counts import take_all
from peers.models import Intent, Peer
from tests.api.peers.conftest import Refused
from tests.api.peers.partner import RECEIVE, Partner, body_of, deliver, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("alpha_peer")]
BLOCKED = "Invalid callback URL: blocked by SSRF protection"
FOREIGN = "Invalid callback URL: not an origin of the source server"


# Bodies -------------------------------------------------------------------------------------------------------------
def test_a_body_of_two_megabytes_is_too_large(alpha: Partner, assert_refused: Refused) -> None:
    body = body_of(alpha.signed(intent_description="x" * 2_000_000))
    assert_refused.start()

    assert_refused(send(body, alpha.headers(body)), 413)


@pytest.mark.parametrize(
    "body",
    [
        b" ", b"null", b"[]", b'"text"', b"12", b"{", b"{}x", b"\xff\xfe{}", b'{"a": NaN}', b'{"a": 1e999}',
        b'{"a": ' + b"9" * 400 + b"}", b'{"dispatch_id": "a", "dispatch_id": "b"}', b'{"a": "\\ud800"}',
        b'{"a": "\\u0000"}', b"[" * 10_000, b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    ],
)  # fmt: skip
def test_a_body_that_is_not_a_strict_json_object_is_malformed(
    alpha: Partner, assert_refused: Refused, body: bytes
) -> None:
    assert_refused.start()

    started = time.monotonic()
    assert_refused(send(body, alpha.headers(body)), 422)
    assert time.monotonic() - started < 1


def test_duplicate_keys_are_refused_even_where_the_signature_fits_one_reading(
    alpha: Partner, assert_refused: Refused
) -> None:
    body = body_of(alpha.signed()).replace(b'{"dispatch_id"', b'{"intent_title": "Other", "dispatch_id"', 1)
    assert_refused.start()

    assert_refused(send(body, alpha.headers(body)), 422, "duplicate key")


FIELDS = [
    "dispatch_id", "source_server", "target_server", "intent_id", "intent_title", "intent_description",
    "intent_state", "intent_constraints", "agent_id", "delegation_scope", "federation_policy", "trace_context",
    "callback_url", "idempotency_key", "created_at", "signature",
]  # fmt: skip
WRONG = [7, -1.5, True, [], ["x"], {"x": {"y": [1]}}, "\u202e", 2**63]


@pytest.mark.parametrize("field", FIELDS)
def test_wrong_types_are_refused_for_each_field(alpha: Partner, assert_refused: Refused, field: str) -> None:
    assert_refused.start()

    for value in WRONG:
        signed = alpha.signed(**{field: value})
        message = signed | {field: value} if field == "signature" else signed
        response = deliver(alpha, message)
        assert response.status_code < 500, (field, value)
        if response.status_code == 200:
            # Open objects accept objects alone, texts accept texts alone.
            assert isinstance(value, dict | str), (field, value)
            assert_refused.start()
        else:
            assert_refused(response, response.status_code)
            assert response.status_code in (400, 401, 403, 404, 422), (field, value)


@pytest.mark.parametrize("field", ["dispatch_id", "source_server", "intent_id", "intent_title"])
def test_required_fields_are_required(alpha: Partner, assert_refused: Refused, field: str) -> None:
    assert_refused.start()

    assert_refused(deliver(alpha, alpha.signed(**{field: ...})), 422)


@pytest.mark.parametrize(
    ("field", "length"),
    [("dispatch_id", 201), ("intent_title", 501), ("agent_id", 256), ("idempotency_key", 301), ("intent_id", 201),
     ("callback_url", 1001)],
)  # fmt: skip
def test_texts_longer_than_their_columns_are_refused(
    alpha: Partner, assert_refused: Refused, field: str, length: int
) -> None:
    assert_refused.start()

    assert_refused(deliver(alpha, alpha.signed(**{field: "x" * length})), 422)


@pytest.mark.parametrize("dispatch_id", ["../../admin", "a b", "a\nb", "<script>", "ä", "a/b", "%2e%2e"])
def test_a_dispatch_id_that_a_url_may_not_have_is_refused(
    alpha: Partner, assert_refused: Refused, dispatch_id: str
) -> None:
    assert_refused.start()

    assert_refused(deliver(alpha, alpha.signed(dispatch_id=dispatch_id)), 422)


def test_texts_are_kept_to_the_character_and_never_made_a_log_line(
    alpha: Partner, assert_refused: Refused, caplog: pytest.LogCaptureFixture
) -> None:
    title = '<script>alert(1)</script> =cmd|"/C calc" javascript:alert(1)'
    assert deliver(alpha, alpha.signed(intent_title=title)).status_code == 200
    assert Intent.objects.get().title == title
    assert_refused.start()

    caplog.clear()
    send(b"{}", path=RECEIVE + "%0aINFO forged line")
    assert_refused(deliver(alpha, alpha.signed(dispatch_id="x\nINFO forged line")), 422)
    assert not any("\n" in record.getMessage() for record in caplog.records if record.name.startswith("peers"))


def test_a_refusal_writes_a_line_and_a_count_that_say_why(
    alpha: Partner, assert_refused: Refused, caplog: pytest.LogCaptureFixture
) -> None:
    assert_refused.start()
    take_all()

    with caplog.at_level("INFO", logger="peers.api.errors"):
        assert_refused(send(alpha.signed(target_server="https://third.example.org")), 401)

    assert take_all()[0]["fedhub_peer_refusals_total", ("WrongTarget",)] == 1
    assert "the envelope is signed for another server" in caplog.text


# Callback URLs ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "https://127.0.0.1/", "https://localhost/", "https://localhost./", "https://a.localhost/",
        "https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/", "https://0.0.0.0/", "https://[::1]/", "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://[fec0::1]/", "https://[fe80::1]/",
        "https://[3fff::1]/", "https://[ff02::1]/", "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/",
        "https://127.1/", "https://user:pw@alpha.example.org/", "https://alpha.example.org@evil.example.com/",
        "https://älpha.example.org/", "ftp://alpha.example.org/", "file:///etc/passwd", "javascript:alert(1)",
        "gopher://alpha.example.org/", "//alpha.example.org/", "alpha.example.org", "https://metadata.google.internal/",
        "https://224.0.0.1/", "https://198.18.0.1/", "http://alpha.example.org/", " https://alpha.example.org/",
    ],
)  # fmt: skip
def test_a_blocked_callback_url_is_refused(alpha: Partner, assert_refused: Refused, url: str) -> None:
    assert_refused.start()

    assert_refused(deliver(alpha, alpha.signed(callback_url=url)), 400, BLOCKED)
    assert_refused(send(alpha.signed(callback_url=url)), 400, BLOCKED)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/", "https://alpha.example.org.evil.example.com/", "https://alpha.example.org:8443/",
        "https://sub.alpha.example.org/", "https://8.8.8.8/", "https://beta.example.org/api/v1/federation/callback",
    ],
)  # fmt: skip
def test_a_callback_url_at_a_third_party_is_refused(
    alpha: Partner, beta: Partner, assert_refused: Refused, url: str
) -> None:
    assert_refused.start()

    assert_refused(deliver(alpha, alpha.signed(callback_url=url)), 400, FOREIGN)


def test_a_loopback_callback_needs_an_allowed_network_and_the_signers_origin(
    alpha: Partner, alpha_peer: Peer, settings: LazySettings, assert_refused: Refused
) -> None:
    settings.FEDHUB_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    local = Partner("http://127.0.0.1:8001", b"l" * 32)
    local.approve()
    assert_refused.start()

    assert_refused(deliver(alpha, alpha.signed(callback_url="http://127.0.0.1:8001/cb")), 400, FOREIGN)
    assert_refused(deliver(local, local.signed(callback_url="http://127.0.0.1:8002/cb")), 400, FOREIGN)
    assert deliver(local, local.signed(callback_url="http://127.0.0.1:8001/cb")).status_code == 200


def test_the_answer_to_every_refusal_is_json_for_clients_that_read_nothing_else(alpha: Partner) -> None:
    for message in (b"not json", json.dumps(alpha.envelope()).encode(), b"{}"):
        response: Any = send(message, HTTP_ACCEPT="text/html")
        assert response["Content-Type"] == "application/json"
        assert response["Cache-Control"] == "no-store"
        assert isinstance(response.json()["message"], str)
