"""Content-Digest (RFC 9530, section 2): the digest of the body, as a field that a signature can cover."""

import hashlib
import hmac

import http_sf

from peers.protocol.base_encodings import encode_base64
from peers.protocol.errors import DigestMismatch

_MAX_FIELD_CHARS = 1024
# RFC 9530, section 5: the active algorithms. Other algorithms are ignored; a field with those alone is refused.
_HASHES = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


def content_digest(body: bytes) -> str:
    """Return the field value for a body, with SHA-256."""
    return f"sha-256=:{encode_base64(hashlib.sha256(body).digest())}:"


def verify_content_digest(field: str | None, body: bytes) -> None:
    """Check every SHA-256 and SHA-512 digest of the field against the body as received; at least one is required.

    Raises DigestMismatch if the field is absent, unreadable or belongs to another body.
    """
    if not field:
        raise DigestMismatch("Content-Digest is absent")
    # Fast path: the field that this package writes is compared as text, without a parser.
    if field == content_digest(body):
        return
    for algorithm, digest in _known_digests(field).items():
        if not hmac.compare_digest(digest, _HASHES[algorithm](body).digest()):
            raise DigestMismatch(f"{algorithm} does not match the body")


def _known_digests(field: str) -> dict[str, bytes]:
    try:
        if len(field) > _MAX_FIELD_CHARS:
            raise ValueError("too long")
        members = http_sf.parse(field.encode("ascii"), tltype="dictionary", on_duplicate_key=_refuse_duplicate)
    except ValueError as exc:
        raise DigestMismatch("Content-Digest is not a structured dictionary") from exc
    digests: dict[str, bytes] = {}
    for algorithm, member in members.items() if isinstance(members, dict) else ():
        if algorithm in _HASHES:
            if not isinstance(member, tuple) or not isinstance(member[0], bytes):
                raise DigestMismatch(f"{algorithm} is not a byte sequence")
            digests[algorithm] = member[0]
    if not digests:
        raise DigestMismatch("Content-Digest has neither sha-256 nor sha-512")
    return digests


def _refuse_duplicate(key: str, context: str) -> None:
    raise ValueError(f"duplicate {context} {key}")
