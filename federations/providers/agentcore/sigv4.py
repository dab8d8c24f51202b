"""AWS Signature Version 4, as one function on values.

Source: AWS General Reference, "Create a signed AWS API request". The hub signs data-plane calls itself, because the MCP
SDK, not boto3, sends them. Every service but S3 signs the path encoded once more than it is sent.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """AWS credentials; `session_token` is empty for those of a user."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Scope:
    """The credential scope without its date: the region and the service's signing name."""

    region: str
    service: str


def sign(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    key: SigningKey,
    scope: Scope,
    now: datetime,
) -> dict[str, str]:
    """Return the headers that authorize one request, to be sent beside `headers`, all of which are signed.

    `url` is as it goes on the wire, `headers` are those to cover (`host` comes from `url` unless given); `now` is
    aware.
    """
    timestamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    added = {"x-amz-date": timestamp, "x-amz-content-sha256": hashlib.sha256(body).hexdigest()}
    if key.session_token:
        added["x-amz-security-token"] = key.session_token
    covered = {"host": urlsplit(url).netloc, **{name.lower(): value for name, value in headers.items()}, **added}
    credential_scope = f"{timestamp[:8]}/{scope.region}/{scope.service}/aws4_request"
    canonical = canonical_request(method, url, covered, added["x-amz-content-sha256"])
    to_sign = "\n".join([_ALGORITHM, timestamp, credential_scope, hashlib.sha256(canonical.encode()).hexdigest()])
    signature = _hmac(_derived_key(key.secret_key, credential_scope), to_sign).hex()
    authorization = f"Credential={key.access_key}/{credential_scope}, SignedHeaders={';'.join(sorted(covered))}"
    return {**added, "authorization": f"{_ALGORITHM} {authorization}, Signature={signature}"}


def canonical_request(method: str, url: str, headers: Mapping[str, str], body_sha256: str) -> str:
    """Return the canonical request; the names of `headers` are lower-case and all of them are covered."""
    parts = urlsplit(url)
    names = sorted(headers)
    lines = [f"{name}:{' '.join(headers[name].split())}" for name in names]
    return "\n".join(
        [
            method.upper(),
            quote(parts.path or "/", safe="/~"),
            _canonical_query(parts.query),
            *lines,
            "",
            ";".join(names),
            body_sha256,
        ]
    )


def _canonical_query(query: str) -> str:
    pairs = sorted(tuple(pair.partition("=")[::2]) for pair in query.split("&") if pair)
    return "&".join(f"{name}={value}" for name, value in pairs)


def _derived_key(secret_key: str, credential_scope: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in credential_scope.split("/"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, message: str) -> bytes:
    return hmac.new(key, message.encode(), hashlib.sha256).digest()
