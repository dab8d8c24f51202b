"""Forged, altered, stale and replayed requests: each is refused with its status and stores nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import time
from typing import Any

import pytest
from django.test import Client

from peers.models import Peer
from peers.protocol import SigningKey, canonical_bytes
from peers.protocol.signature_base import HttpRequest, signature_base
from peers.protocol.signature_fields import SignatureInput, serialize_fields
from peers.services.trust.peer_tokens import issue_peer_token
from tests.api.peers.conftest import Refused
from tests.api.peers.partner import HUB, OPERATOR, RECEIVE, Partner, ago, as_meta, body_of, deliver, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("alpha_peer")]
UNPROVEN = "Invalid or missing API key"
COMPONENTS = ("@method", "@target-uri", "content-type", "content-digest")


def digest_of(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def sign_components(partner: Partner, body: bytes, components: tuple[str, ...], **parameters: Any) -> dict[str, str]:
    """Sign these components alone, with any parameters."""
    created = int(time.time())
    values: dict[str, Any] = {
        "created": created,
        "keyid": partner.identity.did,
        "alg": "ed25519",
        "nonce": "n-1",
        "expires": created + 300,
    }
    values = {name: value for name, value in (values | parameters).items() if value is not ...}
    headers = {"Content-Type": "application/json", "Content-Digest": digest_of(body)}
    signed = SignatureInput(components, tuple(values.items()))
    base = signature_base(HttpRequest("POST", HUB + RECEIVE, headers, body), signed)
    return as_meta(headers | serialize_fields("sig1", signed, partner.key.sign(base)))


# No proof at all ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"HTTP_X_SOURCE_SERVER": "https://alpha.example.org"},
        {"HTTP_X_SOURCE_SERVER": "https://alpha.example.org", "HTTP_X_AGENT_ID": "admin"},
        {"HTTP_AUTHORIZATION": "Bearer nonsense"},
        {"HTTP_AUTHORIZATION": "Basic YWxwaGE6YWxwaGE="},
        {"HTTP_X_API_KEY": "nonsense"},
        {"HTTP_X_API_KEY": ""},
    ],
)
def test_an_unsigned_request_proves_nothing(alpha: Partner, assert_refused: Refused, headers: dict[str, str]) -> None:
    assert_refused.start()

    response = send(alpha.envelope(), headers)

    assert_refused(response, 401, UNPROVEN)
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_digest_without_a_signature_proves_nothing(alpha: Partner, assert_refused: Refused) -> None:
    body = body_of(alpha.envelope())
    assert_refused.start()

    assert_refused(send(body, {"HTTP_CONTENT_DIGEST": digest_of(body)}), 401, UNPROVEN)


@pytest.mark.parametrize("missing", ["HTTP_SIGNATURE", "HTTP_SIGNATURE_INPUT"])
def test_half_a_signature_is_a_failed_one_even_beside_a_good_envelope(
    alpha: Partner, assert_refused: Refused, missing: str
) -> None:
    body = body_of(alpha.signed())
    headers = alpha.headers(body)
    del headers[missing]
    assert_refused.start()

    assert_refused(send(body, headers), 401, "SignatureMissing")


@pytest.mark.parametrize("signature", ["", None])
def test_an_empty_signature_proves_nothing(alpha: Partner, assert_refused: Refused, signature: str | None) -> None:
    assert_refused.start()

    assert_refused(send(alpha.envelope(signature=signature)), 401, UNPROVEN)


# Envelope signatures ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        ("garbage", "SignatureMalformed"),
        (base64.b64encode(bytes(64)).decode(), "SignatureMismatch"),
        (base64.b64encode(bytes(63)).decode(), "SignatureMalformed"),
        (base64.b64encode(bytes(64)).decode().rstrip("="), "SignatureMalformed"),
        ("A" * 100_000, "SignatureMalformed"),
    ],
)
def test_a_garbage_envelope_signature_fails(
    alpha: Partner, assert_refused: Refused, signature: str, reason: str
) -> None:
    assert_refused.start()

    assert_refused(send(alpha.envelope(signature=signature)), 401, reason)


def test_openintents_hmac_fall_back_is_not_a_signature(alpha: Partner, assert_refused: Refused) -> None:
    envelope = alpha.envelope()
    mac = hmac.new(b"a" * 32, canonical_bytes(envelope), hashlib.sha256).digest()
    assert_refused.start()

    assert_refused(send(envelope | {"signature": base64.b64encode(mac).decode()}), 401, "SignatureMalformed")


@pytest.mark.parametrize(
    "change",
    [
        {"intent_title": "Another task"},
        {"intent_state": {"phase": "done"}},
        {"dispatch_id": "another"},
        {"agent_id": "admin"},
        {"callback_url": "https://evil.example.com/"},
        {"delegation_scope": {"permissions": ["everything"]}},
        {"idempotency_key": "another"},
        {"created_at": ago(seconds=-10)},
        {"x_unknown": 1},
    ],
)
def test_an_envelope_changed_after_signing_fails(
    alpha: Partner, assert_refused: Refused, change: dict[str, Any]
) -> None:
    assert_refused.start()

    assert_refused(send(alpha.signed() | change), 401, "SignatureMismatch")


def test_an_envelope_for_another_target_fails(alpha: Partner, assert_refused: Refused) -> None:
    assert_refused.start()

    for target in ("https://third.example.org", "http://127.0.0.1:8001", "https://127.0.0.1:8000"):
        assert_refused(send(alpha.signed(target_server=target)), 401, "WrongTarget")
        assert_refused(deliver(alpha, alpha.signed(target_server=target)), 401, "WrongTarget")
    assert_refused(send(alpha.signed(target_server=...)), 401, "WrongTarget")


@pytest.mark.parametrize(
    ("age", "reason"),
    [
        ({"hours": 25}, "SignatureExpired"),
        ({"days": 4000}, "SignatureExpired"),
        ({"minutes": -6}, "SignatureNotYetValid"),
        (None, "SignatureExpired"),
    ],
)
def test_a_stale_future_or_timeless_envelope_fails(
    alpha: Partner, assert_refused: Refused, age: dict[str, float] | None, reason: str
) -> None:
    assert_refused.start()

    assert_refused(send(alpha.signed(created_at=ago(**age) if age else ...)), 401, reason)


def test_an_unsigned_stale_envelope_is_not_rescued_by_a_fresh_request(alpha: Partner, assert_refused: Refused) -> None:
    assert_refused.start()

    assert_refused(deliver(alpha, alpha.envelope(created_at=ago(hours=25))), 401, "SignatureExpired")


# Request signatures -------------------------------------------------------------------------------------------------
def test_a_body_changed_after_signing_fails(alpha: Partner, assert_refused: Refused) -> None:
    body = body_of(alpha.envelope())
    headers = alpha.headers(body)
    assert_refused.start()

    assert_refused(send(body.replace(b"Research", b"Re5earch"), headers), 401, "DigestMismatch")


def test_a_body_and_digest_changed_after_signing_fail(alpha: Partner, assert_refused: Refused) -> None:
    body = body_of(alpha.envelope())
    changed = body.replace(b"Research", b"Re5earch")
    assert_refused.start()

    assert_refused(
        send(changed, alpha.headers(body) | {"HTTP_CONTENT_DIGEST": digest_of(changed)}), 401, "SignatureMismatch"
    )


def test_an_absent_or_unsigned_digest_fails(alpha: Partner, assert_refused: Refused) -> None:
    body = body_of(alpha.envelope())
    headers = alpha.headers(body)
    del headers["HTTP_CONTENT_DIGEST"]
    unsigned = sign_components(alpha, body, ("@method", "@target-uri", "content-type"))
    assert_refused.start()

    assert_refused(send(body, headers), 401, "DigestMismatch")
    assert_refused(send(body, unsigned), 401, "ComponentNotCovered")


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_component_must_be_covered(alpha: Partner, assert_refused: Refused, component: str) -> None:
    body = body_of(alpha.envelope())
    rest = tuple(name for name in COMPONENTS if name != component)
    assert_refused.start()

    assert_refused(send(body, sign_components(alpha, body, rest)), 401, "ComponentNotCovered")


@pytest.mark.parametrize(
    "change",
    [
        {"target_uri": f"{HUB}/api/v1/federation/callback"},
        {"target_uri": f"{HUB}{RECEIVE}/"},
        {"target_uri": f"{HUB}{RECEIVE}?a=1"},
        {"target_uri": f"https://127.0.0.1:8000{RECEIVE}"},
        {"target_uri": f"http://127.0.0.1:8001{RECEIVE}"},
        {"target_uri": f"https://third.example.org{RECEIVE}"},
        {"method": "PUT"},
        {"method": "GET"},
        {"content_type": "text/plain"},
    ],
)
def test_another_path_host_method_query_or_type_was_signed(
    alpha: Partner, assert_refused: Refused, change: dict[str, str]
) -> None:
    body = body_of(alpha.envelope())
    assert_refused.start()

    assert_refused(send(body, alpha.headers(body, **change)), 401, "SignatureMismatch")


def test_a_query_that_was_not_signed_fails(alpha: Partner, assert_refused: Refused) -> None:
    body = body_of(alpha.envelope())
    assert_refused.start()

    assert_refused(send(body, alpha.headers(body), path=f"{RECEIVE}?admin=1"), 401, "SignatureMismatch")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]"])
def test_a_forged_host_header_does_not_change_the_target(alpha: Partner, assert_refused: Refused, host: str) -> None:
    body = body_of(alpha.envelope())
    headers = alpha.headers(body, target_uri=f"http://{host}{RECEIVE}")
    assert_refused.start()

    assert_refused(send(body, headers | {"HTTP_HOST": host, "HTTP_X_FORWARDED_HOST": host}), 401, "SignatureMismatch")


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        ({"created": -301}, "SignatureExpired"),
        ({"created": 310}, "SignatureNotYetValid"),
        ({"created": -200, "lifetime_seconds": 100}, "SignatureExpired"),
        ({"created": 0, "lifetime_seconds": 301}, "SignatureExpired"),
        ({"created": 0, "lifetime_seconds": -1}, "SignatureExpired"),
    ],
)
def test_a_stale_future_expired_or_long_lived_request_fails(
    alpha: Partner, assert_refused: Refused, times: dict[str, Any], reason: str
) -> None:
    body = body_of(alpha.signed())
    stamped = times | {"created": int(time.time()) + times["created"]}
    assert_refused.start()

    assert_refused(send(body, alpha.headers(body, **stamped)), 401, reason)


@pytest.mark.parametrize("parameter", ["created", "expires", "nonce", "keyid"])
def test_every_parameter_is_needed(alpha: Partner, assert_refused: Refused, parameter: str) -> None:
    body = body_of(alpha.envelope())
    assert_refused.start()

    assert_refused(send(body, sign_components(alpha, body, COMPONENTS, **{parameter: ...})), 401, "SignatureMalformed")


@pytest.mark.parametrize("algorithm", ["none", "hmac-sha256", "ed448", "rsa-pss-sha512", "ED25519", ""])
def test_the_algorithm_is_never_the_senders_choice(alpha: Partner, assert_refused: Refused, algorithm: str) -> None:
    body = body_of(alpha.envelope())
    assert_refused.start()

    assert_refused(send(body, sign_components(alpha, body, COMPONENTS, alg=algorithm)), 401, "AlgorithmRefused")


def test_an_hmac_with_the_public_key_is_not_a_signature(alpha: Partner, assert_refused: Refused) -> None:
    body = body_of(alpha.envelope())
    headers = alpha.headers(body)
    mac = hmac.new(bytes(alpha.key.verification_key), body, hashlib.sha512).digest()
    assert_refused.start()

    assert_refused(
        send(body, headers | {"HTTP_SIGNATURE": f"sig1=:{base64.b64encode(mac).decode()}:"}), 401, "SignatureMismatch"
    )


@pytest.mark.parametrize(
    "keyid",
    [
        "https://evil.example.com/key.json",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "did:web:evil.example.com",
        "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
        "' OR 1=1 --",
    ],
)
def test_a_keyid_is_never_fetched_nor_trusted(
    alpha: Partner, assert_refused: Refused, keyid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*args: object, **kwargs: object) -> None:
        raise AssertionError("a receive opened a connection")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    body = body_of(alpha.signed())
    assert_refused.start()

    assert_refused(send(body, alpha.headers(body, keyid=keyid)), 401, "UnknownKey")


# Several proofs -----------------------------------------------------------------------------------------------------
def test_a_failing_proof_is_not_rescued_by_another(alpha: Partner, alpha_peer: Peer, assert_refused: Refused) -> None:
    token = {"HTTP_X_API_KEY": issue_peer_token(alpha_peer, days=1, by=OPERATOR)}
    body = body_of(alpha.signed())
    bad_envelope = body_of(alpha.signed() | {"intent_title": "changed"})
    bad_request = alpha.headers(body, created=1)
    assert_refused.start()

    assert_refused(send(bad_envelope, alpha.headers(bad_envelope) | token), 401, "SignatureMismatch")
    assert_refused(send(body, bad_request | token), 401, "SignatureExpired")
    assert_refused(send(body, alpha.headers(body) | {"HTTP_X_API_KEY": "nonsense"}), 401, UNPROVEN)


def test_two_different_tokens_are_refused(alpha: Partner, alpha_peer: Peer, assert_refused: Refused) -> None:
    first, second = (issue_peer_token(alpha_peer, days=1, by=OPERATOR) for _ in range(2))
    assert_refused.start()

    headers = {"HTTP_AUTHORIZATION": f"Bearer {first}", "HTTP_X_API_KEY": second}
    assert_refused(send(alpha.envelope(), headers), 401, UNPROVEN)


def test_a_peer_that_must_sign_is_not_let_in_by_its_token(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused
) -> None:
    Peer.objects.filter(pk=alpha_peer.pk).update(requires_signature=True)
    headers = {"HTTP_X_API_KEY": issue_peer_token(alpha_peer, days=1, by=OPERATOR)}
    assert_refused.start()

    assert_refused(send(alpha.envelope(), headers), 401, "SignatureMissing")


def test_a_sessions_cookie_proves_no_peer(alpha: Partner, admin_client: Client, assert_refused: Refused) -> None:
    assert_refused.start()

    assert_refused(
        admin_client.post(RECEIVE, json.dumps(alpha.envelope()), content_type="application/json"), 401, UNPROVEN
    )


def test_a_key_of_small_order_verifies_nothing(alpha: Partner, alpha_peer: Peer, assert_refused: Refused) -> None:
    small = base64.b64encode(b"\1" + bytes(31)).decode()
    assert_refused.start()

    assert_refused(send(alpha.envelope(signature=base64.b64encode(b"\1" + bytes(63)).decode()),
                 {"HTTP_X_OPENINTENT_PUBLIC_KEY": small}), 401, "SignatureMismatch")  # fmt: skip


def test_a_shown_key_is_not_trusted(alpha: Partner, assert_refused: Refused) -> None:
    other = SigningKey(b"x" * 32)
    thief = Partner(alpha.url, b"x" * 32)
    body = body_of(thief.signed())
    assert_refused.start()

    shown = {"HTTP_X_OPENINTENT_PUBLIC_KEY": other.verification_key.base64}
    assert_refused(send(body, thief.headers(body) | shown), 401, "SignatureMismatch")
