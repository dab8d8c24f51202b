"""The sandbox's own check of SigV4: a published vector, requests signed by botocore, each part made wrong once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sandbox.sigv4 import Credential, RequestRefusedError, SignedRequest, canonical_path, canonical_query, verify_sigv4

ARN = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/weather-0123456789"
ENCODED_ARN = "arn%3Aaws%3Abedrock-agentcore%3Aus-east-1%3A123456789012%3Aruntime%2Fweather-0123456789"
URL = f"http://127.0.0.1:4566/runtimes/{ENCODED_ARN}/invocations?qualifier=DEFAULT"
BODY = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
KEY = Credential("ASIAEXAMPLE", "the-secret", "the-token", "123456789012", None, "arn:aws:sts::123456789012:x")


def sign(
    url: str = URL, body: bytes = BODY, method: str = "POST", headers: dict[str, str] | None = None
) -> SignedRequest:
    """Return a request that botocore signs at the current time."""
    parts = urlsplit(url)
    request = AWSRequest(method, url, data=body, headers={"host": parts.netloc, **(headers or {})})
    keys = Credentials(KEY.access_key_id, KEY.secret_access_key, KEY.session_token)
    SigV4Auth(keys, "bedrock-agentcore", "us-east-1").add_auth(request)
    sent = tuple((name.lower(), str(value)) for name, value in request.headers.items())
    return SignedRequest(method, parts.path, parts.query, sent, body)


def check(request: SignedRequest, *, now: datetime | None = None, key: Credential = KEY) -> Credential:
    known = {key.access_key_id: key}
    moment = now or datetime.now(UTC)
    credential, _ = verify_sigv4(
        request, service="bedrock-agentcore", region="us-east-1", now=moment, find_credential=known.get
    )
    return credential


def test_the_published_get_vanilla_vector_verifies() -> None:
    """Source: AWS's Signature Version 4 test suite, `get-vanilla`."""
    key = Credential("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "", "1", None, "x")
    signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    authorization = (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}"
    )
    headers = (
        ("host", "example.amazonaws.com"),
        ("x-amz-date", "20150830T123600Z"),
        ("authorization", authorization),
    )
    request = SignedRequest("GET", "/", "", headers, b"")
    now = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    credential, region = verify_sigv4(
        request, service="service", region=None, now=now, find_credential={"AKIDEXAMPLE": key}.get
    )
    assert (credential, region) == (key, "us-east-1")


@pytest.mark.parametrize(
    "url",
    [
        URL,
        f"http://127.0.0.1:4566/runtimes/{ENCODED_ARN}/invocations/.well-known/agent-card.json?qualifier=DEFAULT",
        "http://localhost/runtimes/?maxResults=100&nextToken=YWZ0ZXI6NToy%3D%3D",
        "http://localhost/runtimes/?b=2&a=1&a=0&empty=",
        "http://localhost/a%20b/%C3%A9~_-./c",
        "http://localhost",
    ],
)
@pytest.mark.parametrize("body", [b"", BODY])
def test_what_botocore_signs_verifies(url: str, body: bytes) -> None:
    assert check(sign(url, body)) is KEY


def test_extra_signed_headers_and_inner_spaces_verify() -> None:
    assert check(sign(headers={"x-amz-note": "  two   spaces ", "content-type": "application/json"})) is KEY


def change_header(name: str, change: Callable[[str], str]) -> Callable[[SignedRequest], SignedRequest]:
    def changed(request: SignedRequest) -> SignedRequest:
        assert name in dict(request.headers)
        return replace(
            request, headers=tuple((key, change(value) if key == name else value) for key, value in request.headers)
        )

    return changed


def without_header(name: str) -> Callable[[SignedRequest], SignedRequest]:
    return lambda request: replace(request, headers=tuple(item for item in request.headers if item[0] != name))


BROKEN: dict[str, tuple[Callable[[SignedRequest], SignedRequest], str]] = {
    "method": (lambda request: replace(request, method="PUT"), "InvalidSignatureException"),
    "path": (lambda request: replace(request, path=request.path + "x"), "InvalidSignatureException"),
    "path sent decoded": (
        lambda request: replace(request, path=f"/runtimes/{ARN}/invocations"),
        "InvalidSignatureException",
    ),
    "query value": (lambda request: replace(request, query="qualifier=OTHER"), "InvalidSignatureException"),
    "query added": (lambda request: replace(request, query=request.query + "&a=1"), "InvalidSignatureException"),
    "query removed": (lambda request: replace(request, query=""), "InvalidSignatureException"),
    "body": (lambda request: replace(request, body=request.body + b" "), "InvalidSignatureException"),
    "body emptied": (lambda request: replace(request, body=b""), "InvalidSignatureException"),
    "host": (change_header("host", lambda host: "elsewhere.example"), "InvalidSignatureException"),
    "date within the day": (
        change_header("x-amz-date", lambda date: date[:-3] + ("00Z" if date[-3:] != "00Z" else "01Z")),
        "InvalidSignatureException",
    ),
    "date malformed": (change_header("x-amz-date", lambda date: "yesterday"), "IncompleteSignatureException"),
    "date impossible": (change_header("x-amz-date", lambda date: "20261399T999999Z"), "IncompleteSignatureException"),
    "date missing": (without_header("x-amz-date"), "InvalidSignatureException"),
    "token": (change_header("x-amz-security-token", lambda token: token + "x"), "UnrecognizedClientException"),
    "token missing": (without_header("x-amz-security-token"), "InvalidSignatureException"),
    "no authorization": (without_header("authorization"), "MissingAuthenticationTokenException"),
    "other algorithm": (
        change_header("authorization", lambda value: value.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512")),
        "IncompleteSignatureException",
    ),
    "access key": (
        change_header("authorization", lambda value: value.replace("ASIAEXAMPLE", "ASIAOTHER")),
        "UnrecognizedClientException",
    ),
    "scope's region": (
        change_header("authorization", lambda value: value.replace("us-east-1", "eu-west-1")),
        "InvalidSignatureException",
    ),
    "scope's service": (
        change_header("authorization", lambda value: value.replace("bedrock-agentcore/", "s3/")),
        "InvalidSignatureException",
    ),
    "scope's date": (
        change_header("authorization", lambda value: value.replace(f"{datetime.now(UTC):%Y%m%d}", "20200101")),
        "InvalidSignatureException",
    ),
    "scope's end": (
        change_header("authorization", lambda value: value.replace("aws4_request", "aws5_request")),
        "IncompleteSignatureException",
    ),
    "signed headers short": (
        change_header("authorization", lambda value: value.replace("host;", "")),
        "InvalidSignatureException",
    ),
    "signed header absent": (
        change_header("authorization", lambda value: value.replace("host;", "host;x-absent;")),
        "InvalidSignatureException",
    ),
    "signed headers unsorted": (
        change_header("authorization", lambda value: value.replace("host;x-amz-date", "x-amz-date;host")),
        "InvalidSignatureException",
    ),
    "signature": (
        change_header("authorization", lambda value: value[:-1] + ("0" if value[-1] != "0" else "1")),
        "InvalidSignatureException",
    ),
    "signature empty": (
        change_header("authorization", lambda value: value.partition("Signature=")[0] + "Signature="),
        "IncompleteSignatureException",
    ),
    "unsigned amz header added": (
        lambda request: replace(request, headers=(*request.headers, ("x-amz-target", "Other"))),
        "InvalidSignatureException",
    ),
    "wrong body hash header": (
        lambda request: sign(headers={"x-amz-content-sha256": hashlib.sha256(b"other").hexdigest()}),
        "InvalidSignatureException",
    ),
}


@pytest.mark.parametrize(("broken", "code"), BROKEN.values(), ids=BROKEN.keys())
def test_each_broken_ingredient_is_refused(broken: Callable[[SignedRequest], SignedRequest], code: str) -> None:
    with pytest.raises(RequestRefusedError) as refusal:
        check(broken(sign()))
    assert refusal.value.code == code


def test_another_secret_is_refused() -> None:
    with pytest.raises(RequestRefusedError, match="does not match"):
        check(sign(), key=replace(KEY, secret_access_key="another"))


@pytest.mark.parametrize(("minutes", "is_accepted"), [(-6, False), (-4, True), (4, True), (6, False)])
def test_a_date_more_than_five_minutes_off_is_refused(minutes: int, is_accepted: bool) -> None:
    request, now = sign(), datetime.now(UTC) + timedelta(minutes=minutes)
    if is_accepted:
        assert check(request, now=now) is KEY
    else:
        with pytest.raises(RequestRefusedError, match=r"expired|not yet current"):
            check(request, now=now)


def test_an_expired_key_is_refused_as_expired() -> None:
    with pytest.raises(RequestRefusedError) as refusal:
        check(sign(), key=replace(KEY, expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert refusal.value.code == "ExpiredTokenException"


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        ("", "/"),
        ("/", "/"),
        ("/runtimes/", "/runtimes/"),
        ("/a%3Ab%2Fc/d", "/a%253Ab%252Fc/d"),
        ("/a//b/./c/../d", "/a/b/d"),
        ("/a b", "/a%20b"),
        ("/../a", "/a"),
    ],
)
def test_the_canonical_path_is_normalized_and_encoded_once_more(sent: str, canonical: str) -> None:
    assert canonical_path(sent) == canonical


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [("", ""), ("b=2&a=1", "a=1&b=2"), ("a", "a="), ("a=%2f", "a=%2F"), ("a=b&a=a", "a=a&a=b"), ("a=1=2", "a=1%3D2")],
)
def test_the_canonical_query_is_sorted_and_encoded_anew(sent: str, canonical: str) -> None:
    assert canonical_query(sent) == canonical
