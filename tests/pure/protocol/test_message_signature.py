"""verify_request verifies the signatures of the documented MessageSignature."""

from peers.protocol import MessageSignature
from peers.protocol.http_signatures import COMPONENTS
from tests.pure.protocol.vectors import HUB, NOW, partner

TARGET = f"{HUB}/api/v1/federation/receive?trace=1"
BODY = b'{"dispatch_id": "d-1"}'


def test_the_documented_class_signs_what_verify_request_verifies() -> None:
    signature = MessageSignature.create(partner, "post", TARGET, body=BODY)
    headers = signature.request_headers()
    assert headers["Signature-Input"] == signature.to_header()
    assert headers["Signature"] == signature.signature_header()
    assert (signature.key_id, signature.algorithm, signature.headers) == (partner.did, "ed25519", list(COMPONENTS))
    result = MessageSignature.verify(
        method="POST",
        target_uri=TARGET,
        headers=headers,
        body=BODY,
        resolve_keys=lambda _: partner.verification_keys,
        now=signature.created,
    )
    assert (result.nonce, result.expires) == (signature.nonce, signature.created + 300)


def test_each_signature_has_its_own_nonce() -> None:
    first, second = (MessageSignature.create(partner, "GET", TARGET) for _ in range(2))
    assert first.nonce != second.nonce
    assert len(first.nonce) >= 22


def test_the_documented_fields_have_their_defaults() -> None:
    signature = MessageSignature("did:web:a.example", created=NOW)
    assert signature.algorithm == "ed25519"
    assert signature.headers == ["@method", "@target-uri", "content-type", "content-digest"]
    assert signature.signature == ""
