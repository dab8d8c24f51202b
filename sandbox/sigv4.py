"""The verification of AWS Signature Version 4 on received requests.

The code follows AWS's description of the algorithm ("Create a signed AWS API request", IAM User Guide) and uses no code
of a signer, so that it is an independent check: canonical request, string to sign, derived key, comparison. The
canonical path is the sent path with each segment encoded once more, because every service except S3 signs the doubly
encoded path.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

ALGORITHM = "AWS4-HMAC-SHA256"
MAX_SKEW = timedelta(minutes=5)
_UNRESERVED = "-_.~"
_DATE_FORMAT = "%Y%m%dT%H%M%SZ"


class RequestRefusedError(Exception):
    """The sandbox refuses the request. `code` is AWS's error code, `message` is AWS's text or a similar text."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Credential:
    """One access key. A long-term key has an `expires_at` of None and an empty `session_token`."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    account: str
    expires_at: datetime | None
    principal: str


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as the sandbox received it, which `verify_sigv4` checks.

    `path` and `query` are not decoded; header names are in lower case.
    """

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the values of a header joined by commas, with single spaces; None if it is absent."""
        values = [" ".join(value.split()) for key, value in self.headers if key == name]
        return ",".join(values) if values else None


@dataclass(frozen=True, slots=True)
class _Authorization:
    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str

    @property
    def credential_scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def verify_sigv4(
    request: SignedRequest,
    *,
    service: str,
    region: str | None,
    now: datetime,
    find_credential: Callable[[str], Credential | None],
) -> tuple[Credential, str]:
    """Return the credential that signed `request` and the region it signed for.

    A `region` of None accepts every region. Raises RequestRefusedError with the reason.
    """
    authorization = _parse_authorization(request.header("authorization"))
    _check_credential_scope(authorization, service, region)
    _check_signed_headers(request, authorization)
    signed_at = _check_date(request.header("x-amz-date"), authorization, now)
    credential = _check_credential(request, authorization, now, find_credential)
    _check_body_hash(request)
    string_to_sign = "\n".join(
        (
            ALGORITHM,
            signed_at,
            authorization.credential_scope,
            _sha256(canonical_request(request, authorization.signed_headers)),
        )
    )
    expected = _sign(credential.secret_access_key, authorization, string_to_sign)
    if not hmac.compare_digest(expected, authorization.signature):
        raise RequestRefusedError(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.",
        )
    return credential, authorization.region


def _parse_authorization(header: str | None) -> _Authorization:
    if header is None:
        raise RequestRefusedError("MissingAuthenticationTokenException", "Missing Authentication Token")
    algorithm, _, rest = header.partition(" ")
    if algorithm != ALGORITHM:
        raise RequestRefusedError("IncompleteSignatureException", f"Unsupported authorization type, not {ALGORITHM}.")
    parts = _parameters(rest)
    credential = parts.get("Credential", "").split("/")
    if (
        len(credential) != 5
        or credential[4] != "aws4_request"
        or not parts.get("SignedHeaders")
        or not parts.get("Signature")
    ):
        raise RequestRefusedError(
            "IncompleteSignatureException", "Authorization header requires Credential, Signature and SignedHeaders."
        )
    access_key_id, date, region, service, _ = credential
    signed_headers = tuple(parts["SignedHeaders"].split(";"))
    return _Authorization(access_key_id, date, region, service, signed_headers, parts["Signature"])


def _parameters(text: str) -> Mapping[str, str]:
    pairs = (part.strip().partition("=") for part in text.split(","))
    return {name: value for name, _, value in pairs}


def _check_credential_scope(authorization: _Authorization, service: str, region: str | None) -> None:
    if authorization.service != service:
        raise RequestRefusedError(
            "InvalidSignatureException", f"Credential should be scoped to correct service: '{service}'."
        )
    if region is not None and authorization.region != region:
        raise RequestRefusedError(
            "InvalidSignatureException", f"Credential should be scoped to a valid region, not '{authorization.region}'."
        )


def _check_signed_headers(request: SignedRequest, authorization: _Authorization) -> None:
    """Check as AWS does that host and every x-amz header are signed, and that every signed header is present."""
    signed = set(authorization.signed_headers)
    sent = {name for name, _ in request.headers}
    required = {"host"} | {name for name in sent if name.startswith("x-amz-")}
    if required - signed:
        missing = ", ".join(sorted(required - signed))
        raise RequestRefusedError("InvalidSignatureException", f"'{missing}' must be a 'SignedHeader' in the request.")
    if signed - sent:
        absent = ", ".join(sorted(signed - sent))
        raise RequestRefusedError("InvalidSignatureException", f"Signed header '{absent}' is not in the request.")
    if list(authorization.signed_headers) != sorted(signed):
        raise RequestRefusedError("InvalidSignatureException", "SignedHeaders must be sorted, each header once.")


def _check_date(header: str | None, authorization: _Authorization, now: datetime) -> str:
    if header is None or not re.fullmatch(r"\d{8}T\d{6}Z", header):
        raise RequestRefusedError(
            "IncompleteSignatureException", "Date must be in ISO-8601 'basic format' in X-Amz-Date."
        )
    try:
        signed_at = datetime.strptime(header, _DATE_FORMAT).replace(tzinfo=UTC)
    except ValueError as error:
        raise RequestRefusedError("IncompleteSignatureException", f"X-Amz-Date {header} is not a date.") from error
    if header[:8] != authorization.date:
        raise RequestRefusedError("InvalidSignatureException", "Date in Credential scope does not match X-Amz-Date.")
    if signed_at < now - MAX_SKEW:
        raise RequestRefusedError("InvalidSignatureException", f"Signature expired: {header} is too long ago.")
    if signed_at > now + MAX_SKEW:
        raise RequestRefusedError("InvalidSignatureException", f"Signature not yet current: {header} is in the future.")
    return header


def _check_credential(
    request: SignedRequest,
    authorization: _Authorization,
    now: datetime,
    find_credential: Callable[[str], Credential | None],
) -> Credential:
    credential = find_credential(authorization.access_key_id)
    token = request.header("x-amz-security-token") or ""
    if credential is None or not hmac.compare_digest(credential.session_token.encode(), token.encode()):
        raise RequestRefusedError(
            "UnrecognizedClientException", "The security token included in the request is invalid."
        )
    if credential.expires_at is not None and credential.expires_at <= now:
        raise RequestRefusedError("ExpiredTokenException", "The security token included in the request is expired")
    return credential


def _check_body_hash(request: SignedRequest) -> None:
    declared = request.header("x-amz-content-sha256")
    if declared is not None and declared != hashlib.sha256(request.body).hexdigest():
        raise RequestRefusedError(
            "InvalidSignatureException", "The value of x-amz-content-sha256 does not match the request's body."
        )


def canonical_request(request: SignedRequest, signed_headers: tuple[str, ...]) -> str:
    """Return the canonical request with exactly `signed_headers`, which the request must have."""
    headers = "".join(f"{name}:{request.header(name)}\n" for name in signed_headers)
    return "\n".join(
        (
            request.method,
            canonical_path(request.path),
            canonical_query(request.query),
            headers,
            ";".join(signed_headers),
            hashlib.sha256(request.body).hexdigest(),
        )
    )


def canonical_path(path: str) -> str:
    """Return the sent path without empty and dot segments (RFC 3986, 5.2.4), with each segment encoded once more."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(quote(segment, safe=_UNRESERVED))
    is_folder = bool(kept) and path.endswith(("/", "/.", "/.."))
    return "/" + "/".join(kept) + ("/" if is_folder else "")


def canonical_query(query: str) -> str:
    """Return the query's pairs, each name and value decoded and encoded again, sorted by name, then value."""
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    encoded = sorted((_encode(name), _encode(value)) for name, _, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _encode(text: str) -> str:
    return quote(unquote(text), safe=_UNRESERVED)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _sign(secret: str, authorization: _Authorization, string_to_sign: str) -> str:
    key = ("AWS4" + secret).encode()
    for part in (authorization.date, authorization.region, authorization.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, string_to_sign.encode(), "sha256").hex()
