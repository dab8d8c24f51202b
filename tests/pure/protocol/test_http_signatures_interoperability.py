"""The package http-message-signatures verifies the signatures of this package, and the other way round."""

import datetime
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    InvalidSignature,
    VerifyResult,
    algorithms,
)

from core.net.url_grammar import requested_url
from peers.protocol import (
    MessageSignature,
    ServerIdentity,
    SignatureMalformed,
    SignatureMismatch,
    VerifiedRequest,
    sign_request,
    verify_request,
)
from peers.protocol.compat import unix_now
from peers.protocol.http_signatures import COMPONENTS
from tests.pure.protocol.vectors import HUB, hub, partner

TARGET = f"{HUB}/api/v1/federation/receive?trace=1&x=%C3%BC"
BODY = '{"title": "ü"}'.encode()


@dataclass
class Message:
    """A request in the form of that package."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


class Keys(HTTPSignatureKeyResolver):
    """The keys of one identity for every keyid, in the form of that package."""

    def __init__(self, identity: ServerIdentity) -> None:
        self.identity = identity

    def resolve_public_key(self, key_id: str) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.identity.public_key_bytes or b"")

    def resolve_private_key(self, key_id: str) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.identity.private_key_bytes or b"")


def verify_theirs(message: Message, identity: ServerIdentity) -> list[VerifyResult]:
    """Verify with that package, which must find all required components."""
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=Keys(identity))
    return verifier.verify(message, max_age=datetime.timedelta(seconds=300), require_components=COMPONENTS, body=BODY)


def sign_theirs(created: int, message: Message | None = None, **options: object) -> Message:
    """Sign the components of this protocol with that package."""
    message = message or Message("POST", TARGET, {"Content-Type": "application/json"})
    moment = datetime.datetime.fromtimestamp(created, tz=datetime.UTC)
    usual: dict[str, object] = {
        "key_id": partner.did,
        "created": moment,
        "expires": moment + datetime.timedelta(seconds=300),
        "nonce": 'a"b\\c',
        "covered_component_ids": COMPONENTS,
        "body": BODY,
    }
    signer = HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=Keys(partner))
    signer.sign(message, **(usual | options))  # type: ignore[arg-type]
    return message


def test_their_verifier_accepts_what_we_sign() -> None:
    signature = MessageSignature.create(partner, "POST", TARGET, body=BODY)
    (result,) = verify_theirs(Message("POST", TARGET, signature.request_headers()), partner)
    assert result.parameters == {
        "created": signature.created,
        "keyid": partner.did,
        "alg": "ed25519",
        "nonce": signature.nonce,
        "expires": signature.expires,
    }
    assert result.body == BODY


@pytest.mark.parametrize("change", ["method", "url", "body", "key"])
def test_their_verifier_refuses_what_was_changed_as_ours_does(change: str) -> None:
    headers = MessageSignature.create(
        partner, "POST", TARGET, body=b"x" if change == "body" else BODY
    ).request_headers()
    message = Message("PUT" if change == "method" else "POST", TARGET + "&y" if change == "url" else TARGET, headers)
    with pytest.raises(InvalidSignature):
        verify_theirs(message, hub if change == "key" else partner)


@pytest.mark.parametrize("include_alg", [True, False])
def test_we_accept_what_their_signer_signs(include_alg: bool) -> None:
    now = unix_now()
    message = sign_theirs(now, include_alg=include_alg)
    result = verify_request(
        method="POST",
        target_uri=TARGET,
        headers=message.headers,
        body=BODY,
        resolve_keys=lambda _: partner.verification_keys,
        now=now,
    )
    assert (result.keyid, result.nonce, result.created) == (partner.did, 'a"b\\c', now)
    with pytest.raises(SignatureMismatch):
        verify_request(
            method="POST",
            target_uri=TARGET,
            headers=message.headers,
            body=BODY,
            resolve_keys=lambda _: hub.verification_keys,
            now=now,
        )


def test_we_accept_a_signature_of_theirs_that_covers_further_fields() -> None:
    now = unix_now()
    fields = {"Host": "hub.example.com", "Date": "Tue, 20 Apr 2027 02:07:55 GMT", "Content-Type": "application/json"}
    message = Message("POST", TARGET, dict(fields))
    covered = ("@method", "@target-uri", "@authority", "host", "date", "content-digest", "content-type")
    sign_theirs(now, message, covered_component_ids=covered)

    def verified(**changes: str) -> VerifiedRequest:
        headers = {name: value for name, value in (message.headers | changes).items() if value}
        return verify_request(
            method="POST",
            target_uri=TARGET,
            headers=headers,
            body=BODY,
            resolve_keys=lambda _: partner.verification_keys,
            now=now,
        )

    assert verified().keyid == partner.did
    for name in fields:
        for value in ("other.example.com", ""):
            with pytest.raises(SignatureMismatch):
                verified(**{name: value})


def test_both_write_the_same_headers_byte_for_byte() -> None:
    now = unix_now()
    theirs = sign_theirs(now, nonce="0123456789abcdef", label="sig1")
    ours = sign_request(
        partner.signing_key(),
        keyid=partner.did,
        method="POST",
        target_uri=TARGET,
        body=BODY,
        created=now,
        nonce="0123456789abcdef",
    )
    assert theirs.headers["Content-Digest"] == ours["Content-Digest"]
    # The order of parameters is the signer's choice; the values and the covered components are the same.
    assert sorted(theirs.headers["Signature-Input"].split(";")) == sorted(ours["Signature-Input"].split(";"))


def test_a_signature_without_keyid_is_a_refusal_not_a_key_error() -> None:
    headers = MessageSignature.create(partner, "POST", TARGET, body=BODY).request_headers()
    anonymous = headers | {"Signature-Input": headers["Signature-Input"].replace(f';keyid="{partner.did}"', "")}
    assert "keyid" not in anonymous["Signature-Input"]
    with pytest.raises(SignatureMalformed):
        verify_request(
            method="POST",
            target_uri=TARGET,
            headers=anonymous,
            body=BODY,
            resolve_keys=lambda _: partner.verification_keys,
            now=unix_now(),
        )
    with pytest.raises(InvalidSignature, match="keyid"):
        verify_theirs(Message("POST", TARGET, anonymous), partner)


@pytest.mark.parametrize(
    ("url", "requested"),
    [
        ("HTTP://hub.example.com/cb", "http://hub.example.com/cb"),
        ("http://HUB.example.COM/cb", "http://hub.example.com/cb"),
        ("https://hub.example.com:443/cb", "https://hub.example.com/cb"),
        ("https://hub.example.com:0443/cb", "https://hub.example.com/cb"),
        ("http://hub.example.com:80/cb", "http://hub.example.com/cb"),
        ("http://hub.example.com:443/cb", "http://hub.example.com:443/cb"),
        ("https://hub.example.com./cb", "https://hub.example.com/cb"),
        ("https://hub.example.com", "https://hub.example.com/"),
        ("https://hub.example.com?a=1", "https://hub.example.com/?a=1"),
        ("https://hub.example.com#x", "https://hub.example.com/"),
        ("https://hub.example.com/cb#x", "https://hub.example.com/cb"),
        ("https://hub.example.com/cb?#x", "https://hub.example.com/cb?"),
        ("https://hub.example.com/cb?a=1&b=%20", "https://hub.example.com/cb?a=1&b=%20"),
        ("https://hub.example.com/%7etilde/./dot", "https://hub.example.com/%7etilde/./dot"),
        ("https://[2606:4700:0::1111]:443/x", "https://[2606:4700::1111]/x"),
    ],
)
def test_the_signature_of_a_url_verifies_at_the_url_that_a_client_requests(url: str, requested: str) -> None:
    assert requested_url(url) == requested
    message = Message("POST", requested, MessageSignature.create(partner, "POST", url, body=BODY).request_headers())
    (result,) = verify_theirs(message, partner)
    assert result.covered_components['"@target-uri"'] == requested
