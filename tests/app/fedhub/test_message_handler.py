"""The handler of peers' messages: it answers as the hub's whole middleware does."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.test import Client
from django.test.client import RequestFactory

from fedhub.message_handler import message_handlers
from fedhub.wsgi_bridge import Answer, call

pytestmark = pytest.mark.django_db

PATHS = ("/api/v1/federation/receive", "/api/v1/federation/callback", "/api/v1/federation/log/checkpoints")
SAME_HEADERS = (
    "content-type", "content-length", "cache-control", "allow", "www-authenticate", "x-content-type-options",
    "referrer-policy", "cross-origin-opener-policy", "strict-transport-security",
)  # fmt: skip
REQUESTS: dict[str, dict[str, Any]] = {
    "another method": {"REQUEST_METHOD": "GET"},
    "another host": {"HTTP_HOST": "evil.example.org"},
    "another type": {"CONTENT_TYPE": "text/plain"},
    "a content coding": {"HTTP_CONTENT_ENCODING": "gzip"},
    "not JSON": {"body": b"{"},
    "a form": {"CONTENT_TYPE": "multipart/form-data; boundary=x", "body": b"--x--"},
    "no fields": {"body": b"{}"},
    "no proof": {"body": json.dumps({"dispatch_id": "d-1", "source_server": "https://a.example.org"}).encode()},
    "a bad token": {"HTTP_X_API_KEY": "x" * 40},
    "an oversized header": {"HTTP_AUTHORIZATION": "Bearer " + "x" * 5000},
    "too long": {"body": b"{" + b" " * 1_100_000 + b"}"},
    "https": {"wsgi.url_scheme": "https"},
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", REQUESTS)
def test_an_answer_is_that_of_the_whole_hub(path: str, name: str, client: Client) -> None:
    changes = dict(REQUESTS[name])
    body: bytes = changes.pop("body", b"{}")
    environ = {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)), "REQUEST_METHOD": "POST"} | changes
    factory: Any = RequestFactory()
    direct = call(message_handlers()[path], factory._base_environ(PATH_INFO=path, **environ) | read(body))
    whole = client.request(PATH_INFO=path, **environ, **read(body))

    assert direct.status == whole.status_code
    assert json.loads(direct.body) == whole.json()
    assert {key: value for key, value in headers_of(direct).items() if key in SAME_HEADERS} == {
        key.lower(): value for key, value in whole.headers.items() if key.lower() in SAME_HEADERS
    }
    assert "x-request-id" in headers_of(direct)


def read(body: bytes) -> dict[str, Any]:
    return {"wsgi.input": io.BytesIO(body)}


def headers_of(answer: Answer) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in answer.headers}
