"""Signatures of the data plane, against AWS's published examples and against the sandbox's own verifier."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

import botocore.auth
import pytest
from botocore.credentials import Credentials

from federations.providers.agentcore.data_plane import sign
from sandbox.sigv4 import Credential, SignedRequest, verify_sigv4

NOW = datetime(2015, 8, 30, 12, 36, 0, tzinfo=UTC)
ACCESS_KEY, SECRET_KEY = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
CREDENTIALS = Credentials(ACCESS_KEY, SECRET_KEY)
SERVICE, REGION = "bedrock-agentcore", "us-east-1"
URL = "https://bedrock-agentcore.us-east-1.amazonaws.com/runtimes/arn%3Aaws%3Abedrock-agentcore%3Aus-east-1%3A1%3Aruntime%2Fx/invocations"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, NOW)


def set_clock(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("target", "headers", "signature"),
    [
        (
            "/test.txt",
            {"range": "bytes=0-9"},
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        ("/?lifecycle", {}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ("/?max-keys=2&prefix=J", {}, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ],
)
def test_the_signature_is_that_of_the_aws_documentation(
    monkeypatch: pytest.MonkeyPatch, target: str, headers: dict[str, str], signature: str
) -> None:
    """Amazon S3 API Reference, "Signature Calculations: Transferring Payload in a Single Chunk"."""
    set_clock(monkeypatch, datetime(2013, 5, 24, tzinfo=UTC))
    credentials = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    url = f"https://examplebucket.s3.amazonaws.com{target}"
    signed = sign("GET", url, headers, b"", credentials=credentials, region="us-east-1", service="s3")
    assert signed["authorization"].rpartition("=")[2] == signature


@pytest.mark.parametrize("token", ["", "session-token"])
@pytest.mark.parametrize("url", [URL, f"{URL}?qualifier=DEFAULT", f"{URL}/.well-known/agent-card.json?b=2&a=1&a=0"])
@pytest.mark.parametrize("body", [b"", b'{"jsonrpc":"2.0"}'])
def test_a_verifier_of_its_own_accepts_the_signature(url: str, token: str, body: bytes) -> None:
    host, sent = urlsplit(url).netloc, {"content-type": "application/json", "mcp-session-id": "a  b"}
    credentials = Credentials(ACCESS_KEY, SECRET_KEY, token or None)
    signed = sign("POST", url, sent, body, credentials=credentials, region=REGION)
    assert ("x-amz-security-token" in signed) is bool(token)
    parts = urlsplit(url)
    headers = tuple({"host": host, **sent, **signed, "traceparent": "changed by a proxy"}.items())
    request = SignedRequest("POST", parts.path, parts.query, headers, body)
    known = Credential(ACCESS_KEY, SECRET_KEY, token, "123456789012", None, "arn:aws:iam::123456789012:user/x")
    verified = verify_sigv4(request, service=SERVICE, region=REGION, now=NOW, find_credential={ACCESS_KEY: known}.get)
    assert verified == (known, REGION)


def test_every_ingredient_changes_the_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Credentials(ACCESS_KEY, "other")
    signed = [
        sign("POST", URL, {}, b"", credentials=CREDENTIALS, region=REGION),
        sign("GET", URL, {}, b"", credentials=CREDENTIALS, region=REGION),
        sign("POST", f"{URL}x", {}, b"", credentials=CREDENTIALS, region=REGION),
        sign("POST", f"{URL}?a=1", {}, b"", credentials=CREDENTIALS, region=REGION),
        sign("POST", URL, {"x-amz-a": "b"}, b"", credentials=CREDENTIALS, region=REGION),
        sign("POST", URL, {}, b"x", credentials=CREDENTIALS, region=REGION),
        sign("POST", URL, {}, b"", credentials=other, region=REGION),
        sign("POST", URL, {}, b"", credentials=CREDENTIALS, region="eu-west-1"),
        sign("POST", URL, {}, b"", credentials=CREDENTIALS, region=REGION, service="s3"),
    ]
    set_clock(monkeypatch, NOW.replace(second=1))
    signed.append(sign("POST", URL, {}, b"", credentials=CREDENTIALS, region=REGION))
    signatures = {headers["authorization"].rpartition("=")[2] for headers in signed}
    assert len(signatures) == len(signed)


def test_secrets_are_not_shown() -> None:
    assert "wJalr" not in repr(CREDENTIALS)
    assert "tok" not in repr(Credentials(ACCESS_KEY, SECRET_KEY, "tok"))
