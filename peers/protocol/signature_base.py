"""The bytes that an HTTP message signature covers (RFC 9421, section 2.5)."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from core.net.url_grammar import UrlParts, requested_url, split_url
from peers.protocol.errors import InvalidIdentifier, SignatureMalformed, SignatureMismatch
from peers.protocol.signature_fields import SignatureInput

_METHOD = re.compile(r"[A-Z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_FIELD_VALUE = re.compile(r"[\t -~]*")
_URI = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """The parts of a request that a signature can cover.

    `target_uri` is the absolute URI, built from the receiver's own URL and never from the Host header. It is stored as
    a client requests it, so that signer and receiver have one spelling. Header names are compared without case.
    """

    method: str
    target_uri: str
    headers: Mapping[str, str]
    body: bytes = b""
    _fields: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Fold header names and target; raises SignatureMalformed for a repeated name, a bad method or a bad target."""
        fields = {name.lower(): value.strip(" \t") for name, value in self.headers.items()}
        if len(fields) != len(self.headers):
            raise SignatureMalformed("a field appears twice, with names that differ in case")
        if not _METHOD.fullmatch(self.method) or not _URI.fullmatch(self.target_uri):
            raise SignatureMalformed("the method is not in upper case, or the target is not a URI")
        object.__setattr__(self, "_fields", fields)
        # A URI beyond the grammar of `split_url` is compared as it is spelled; the guarded client never requests one.
        with suppress(InvalidIdentifier):
            object.__setattr__(self, "target_uri", requested_url(self.target_uri))

    def header(self, name: str) -> str | None:
        """Return a header's value by its lower-case name, without outer whitespace; None if it is absent."""
        return self._fields.get(name)


def signature_base(request: HttpRequest, signature_input: SignatureInput) -> bytes:
    """Return the signature base (RFC 9421, section 2.5).

    The value of a field is the header as received, whichever field it is (RFC 9421, section 2.1). Raises
    SignatureMismatch if the request lacks a covered field (section 3.2), SignatureMalformed if a value cannot be
    signed.
    """
    lines = [f'"{name}": {_component_value(request, name)}' for name in signature_input.components]
    lines.append(f'"@signature-params": {signature_input.serialize()}')
    return "\n".join(lines).encode("ascii")


def _component_value(request: HttpRequest, name: str) -> str:
    if name.startswith("@"):
        return _derived_component(request, name)
    value = request.header(name)
    if value is None:
        raise SignatureMismatch(f"the signature covers {name}, which the request does not have")
    if not _FIELD_VALUE.fullmatch(value):
        raise SignatureMalformed(f"{name} has characters that cannot be signed")
    return value


def _derived_component(request: HttpRequest, name: str) -> str:
    """Return the value of a derived component of requests (RFC 9421, section 2.2), except `@query-param`."""
    if name == "@method":
        return request.method
    if name == "@target-uri":
        return request.target_uri
    parts = _target_parts(request)
    values = {
        "@scheme": parts.scheme,
        "@authority": parts.authority,
        "@path": parts.path or "/",
        "@query": f"?{parts.query or ''}",
        "@request-target": parts.request_target,
    }
    if name not in values:
        raise SignatureMalformed(f"{name} is not supported")
    return values[name]


def _target_parts(request: HttpRequest) -> UrlParts:
    try:
        return split_url(request.target_uri)
    except InvalidIdentifier as exc:
        raise SignatureMalformed("the target is not an absolute http(s) URL") from exc
