"""SigV4, against AWS's published example and against botocore's own signer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from federations.providers.agentcore.sigv4 import Scope, SigningKey, canonical_request, sign

NOW = datetime(2015, 8, 30, 12, 36, 0, tzinfo=UTC)
KEY = SigningKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SCOPE = Scope("us-east-1", "bedrock-agentcore")
URL = "https://bedrock-agentcore.us-east-1.amazonaws.com/runtimes/arn%3Aaws%3Abedrock-agentcore%3Aus-east-1%3A1%3Aruntime%2Fx/invocations"


def test_the_canonical_request_is_that_of_the_aws_documentation() -> None:
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "host": "iam.amazonaws.com",
        "x-amz-date": "20150830T123600Z",
    }
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08"
    assert canonical_request("GET", url, headers, empty).split("\n") == [
        "GET",
        "/",
        "Action=ListUsers&Version=2010-05-08",
        "content-type:application/x-www-form-urlencoded; charset=utf-8",
        "host:iam.amazonaws.com",
        "x-amz-date:20150830T123600Z",
        "",
        "content-type;host;x-amz-date",
        empty,
    ]


@pytest.mark.parametrize("token", ["", "session-token"])
@pytest.mark.parametrize("url", [URL, f"{URL}?qualifier=DEFAULT", f"{URL}/.well-known/agent-card.json?b=2&a=1&a=0"])
@pytest.mark.parametrize("body", [b"", b'{"jsonrpc":"2.0"}'])
def test_it_signs_as_botocore_does(monkeypatch: pytest.MonkeyPatch, url: str, token: str, body: bytes) -> None:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOW.replace(tzinfo=None))
    sent = {"Content-Type": "application/json", "mcp-session-id": "a  b"}
    ours = sign("POST", url, sent, body, key=replace(KEY, session_token=token), scope=SCOPE, now=NOW)
    request = AWSRequest("POST", url, {**sent, "x-amz-content-sha256": ours["x-amz-content-sha256"]}, body)
    credentials = ReadOnlyCredentials(KEY.access_key, KEY.secret_key, token or None, None)
    botocore.auth.SigV4Auth(credentials, SCOPE.service, SCOPE.region).add_auth(request)
    assert ours["authorization"] == request.headers["Authorization"]


def test_every_ingredient_changes_the_signature() -> None:
    later, other = NOW.replace(second=1), replace(KEY, secret_key="other")
    signed = [
        sign("POST", URL, {}, b"", key=KEY, scope=SCOPE, now=NOW),
        sign("GET", URL, {}, b"", key=KEY, scope=SCOPE, now=NOW),
        sign("POST", f"{URL}x", {}, b"", key=KEY, scope=SCOPE, now=NOW),
        sign("POST", f"{URL}?a=1", {}, b"", key=KEY, scope=SCOPE, now=NOW),
        sign("POST", URL, {"x-amz-a": "b"}, b"", key=KEY, scope=SCOPE, now=NOW),
        sign("POST", URL, {}, b"x", key=KEY, scope=SCOPE, now=NOW),
        sign("POST", URL, {}, b"", key=other, scope=SCOPE, now=NOW),
        sign("POST", URL, {}, b"", key=KEY, scope=Scope("eu-west-1", SCOPE.service), now=NOW),
        sign("POST", URL, {}, b"", key=KEY, scope=Scope(SCOPE.region, "s3"), now=NOW),
        sign("POST", URL, {}, b"", key=KEY, scope=SCOPE, now=later),
    ]
    signatures = {headers["authorization"].rpartition("=")[2] for headers in signed}
    assert len(signatures) == len(signed)


def test_secrets_are_not_shown() -> None:
    assert "wJalr" not in repr(KEY)
    assert "tok" not in repr(replace(KEY, session_token="tok"))
