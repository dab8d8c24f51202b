"""Signatures that cover more than the four components, and requests that another party has signed as well."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

from peers.models import Peer, SeenNonce
from peers.protocol import SigningKey
from peers.protocol.compat import make_nonce
from peers.protocol.content_digest import content_digest
from peers.protocol.http_signatures import COMPONENTS
from peers.protocol.signature_base import HttpRequest, signature_base
from peers.protocol.signature_fields import SignatureInput, serialize_fields
from tests.api.peers.callbacks import CALLBACK, callback, dispatch_to
from tests.api.peers.conftest import Refused
from tests.api.peers.partner import HUB, RECEIVE, SHOWN_KEY, Partner, as_meta, body_of, get, send

pytestmark = pytest.mark.django_db
AGENTS = "/api/v1/federation/agents"
FIELDS = {
    "Host": "127.0.0.1:8000",
    "Date": "Tue, 20 Apr 2027 02:07:55 GMT",
    "X-Private": "a, b",
    "Accept-Encoding": "gzip;q=1.0,  identity",
    "X-Source-Server": "https://third.example.org",
    "User-Agent": "partner/1.0",
    "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "Empty": "",
}
PROXY = SigningKey(b"x" * 32)


def signed(
    key: SigningKey,
    keyid: str | None,
    body: bytes,
    *,
    covered: Sequence[str] = (),
    fields: dict[str, str] | None = None,
    label: str = "sig1",
    path: str = RECEIVE,
    method: str = "POST",
    parameters: str = "",
) -> dict[str, str]:
    """Return headers with a signature over the four components and `covered`."""
    headers = {"Content-Type": "application/json", "Content-Digest": content_digest(body), **(fields or {})}
    now = int(time.time())
    values = {"created": now, "keyid": keyid, "nonce": make_nonce(), "expires": now + 300}
    kept = tuple((name, value) for name, value in values.items() if value is not None)
    signature_input = SignatureInput((*COMPONENTS, *covered), kept)
    base = signature_base(HttpRequest(method, HUB + path, headers, body), signature_input)
    written = serialize_fields(label, signature_input, key.sign(base))
    return headers | written | {"Signature-Input": written["Signature-Input"] + parameters}


def both(first: dict[str, str], second: dict[str, str], comma: str = ", ") -> dict[str, str]:
    """Return the headers of a request with two signatures, as two lines of each field arrive."""
    joined = {name: f"{first[name]}{comma}{second[name]}" for name in ("Signature-Input", "Signature")}
    return first | joined


def own(partner: Partner, body: bytes, **options: Any) -> dict[str, str]:
    return signed(partner.key, partner.identity.did, body, **options)


def proxy(body: bytes, **options: Any) -> dict[str, str]:
    return signed(PROXY, "did:web:proxy.example.com", body, label="proxy", **options)


@pytest.mark.parametrize("name", FIELDS)
def test_any_field_of_the_request_may_be_covered(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused, name: str
) -> None:
    body, fields = body_of(alpha.envelope()), {name: FIELDS[name]}
    headers = as_meta(own(alpha, body, covered=[name.lower()], fields=fields))
    meta = as_meta(fields).popitem()[0]
    assert_refused.start()

    assert_refused(send(body, headers | {meta: "localhost"}), 401, "SignatureMismatch")
    assert_refused(send(body, {key: headers[key] for key in headers if key != meta}), 401, "SignatureMismatch")
    assert send(body, headers).status_code == 200


def test_the_authority_comes_from_the_setting_and_host_from_the_header(alpha: Partner, alpha_peer: Peer) -> None:
    body, fields = body_of(alpha.envelope()), {"Host": "localhost"}
    covered = ["@authority", "host", "date", "content-length"]
    fields |= {"Date": FIELDS["Date"], "Content-Length": str(len(body))}
    headers = as_meta(own(alpha, body, covered=covered, fields=fields))
    del headers["HTTP_CONTENT_LENGTH"]

    assert send(body, headers).status_code == 200


def test_a_get_may_cover_further_fields_too(alpha: Partner, alpha_peer: Peer) -> None:
    headers = own(alpha, b"", covered=["host", "date"], fields=FIELDS, path=AGENTS, method="GET")

    meta = as_meta(headers) | {"CONTENT_TYPE": "application/json"}
    assert get(AGENTS, meta).status_code == 200
    assert get(AGENTS, meta | {"HTTP_DATE": "later"}).status_code == 401


# Several signatures -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("comma", [",", ", ", " ,\t"])
@pytest.mark.parametrize("is_first", [True, False])
def test_the_signature_of_a_proxy_is_ignored(alpha: Partner, alpha_peer: Peer, comma: str, is_first: bool) -> None:
    body = body_of(alpha.envelope())
    one, other = own(alpha, body), proxy(body)

    assert send(body, as_meta(both(one, other, comma) if is_first else both(other, one, comma))).status_code == 200


@pytest.mark.parametrize(
    "parameters", [";alg=ecdsa", ';alg="rsa-pss-sha512"', ";private", ";created2=?1", ";at=@1659578233", ";b=:AAAA:"]
)
def test_the_signature_of_a_proxy_need_not_be_one_that_this_hub_reads(
    alpha: Partner, alpha_peer: Peer, parameters: str
) -> None:
    body = body_of(alpha.envelope())
    foreign = proxy(body, parameters=parameters)
    foreign["Signature-Input"] = foreign["Signature-Input"].replace(
        '("@method"', '("signature";key="sig1" "@method";req'
    )

    assert send(body, as_meta(both(own(alpha, body), foreign))).status_code == 200


def test_a_failing_signature_of_the_peer_is_never_rescued_by_another(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused
) -> None:
    body = body_of(alpha.envelope())
    good, of_other_body = own(alpha, body), own(alpha, b"{}", label="sig2")
    forged = signed(PROXY, alpha.identity.did, body, label="sig2")
    assert_refused.start()

    for bad in (of_other_body, forged):
        assert_refused(send(body, as_meta(both(good, bad))), 401, "SignatureMismatch")
        assert_refused(send(body, as_meta(both(bad, good) | {"Content-Digest": good["Content-Digest"]})), 401)
    unreadable = forged | {"Signature-Input": forged["Signature-Input"] + ";private"}
    assert_refused(send(body, as_meta(both(good, unreadable))), 401, "SignatureMalformed")


def test_one_signature_must_be_the_peers(alpha: Partner, alpha_peer: Peer, assert_refused: Refused) -> None:
    body = body_of(alpha.envelope())
    second = signed(PROXY, "did:web:second.example.com", body, label="second")
    nameless = signed(PROXY, None, body, label="second")
    assert_refused.start()

    assert_refused(send(body, as_meta(both(proxy(body), second))), 401, "UnknownKey")
    assert_refused(send(body, as_meta(both(proxy(body), nameless))), 401, "UnknownKey")


def test_the_signature_of_another_peer_beside_it_must_hold_and_is_foreign(
    alpha: Partner, alpha_peer: Peer, beta: Partner, assert_refused: Refused
) -> None:
    body = body_of(alpha.envelope())
    foreign = own(beta, body, label="beta")
    forged = signed(PROXY, beta.identity.did, body, label="beta")
    assert_refused.start()

    assert_refused(send(body, as_meta(both(own(alpha, body), foreign))), 403, "not trusted")
    assert_refused(send(body, as_meta(both(own(alpha, body), forged))), 401, "SignatureMismatch")


@pytest.mark.parametrize("lost", ["Signature", "Signature-Input"])
def test_a_label_stands_in_both_fields(alpha: Partner, alpha_peer: Peer, assert_refused: Refused, lost: str) -> None:
    body = body_of(alpha.envelope())
    one = own(alpha, body)
    assert_refused.start()

    assert_refused(send(body, as_meta(both(one, proxy(body)) | {lost: one[lost]})), 401, "SignatureMalformed")


def test_at_most_eight_signatures_are_read(alpha: Partner, alpha_peer: Peer, assert_refused: Refused) -> None:
    body = body_of(alpha.envelope())
    headers = own(alpha, body)
    assert_refused.start()
    for number in range(8):
        short = signed(PROXY, f"did:web:p{number}.org", b"", label=f"p{number}")
        headers = both(headers, short)

    assert_refused(send(body, as_meta(headers)), 401, "SignatureMalformed")


def test_each_nonce_of_a_peer_is_valid_once(alpha: Partner, alpha_peer: Peer) -> None:
    body = body_of(alpha.envelope())
    one, other = own(alpha, body), own(alpha, body, label="sig2")
    assert send(body, as_meta(both(one, other))).status_code == 200
    assert SeenNonce.objects.count() == 2

    assert [send(body, as_meta(headers)).status_code for headers in (one, other)] == [401, 401]


def test_each_nonce_of_a_callback_is_valid_once(alpha: Partner, alpha_peer: Peer) -> None:
    body = body_of(alpha.sign(callback(dispatch_to(alpha).pk)))
    one, other = (own(alpha, body, label=label, path=CALLBACK) for label in ("sig1", "sig2"))
    assert send(body, as_meta(both(both(one, other), proxy(body, path=CALLBACK))), path=CALLBACK).status_code == 200

    assert [send(body, as_meta(headers), path=CALLBACK).status_code for headers in (one, other)] == [401, 401]


def test_an_unknown_hub_behind_a_signing_proxy_is_proposed(stranger: Partner) -> None:
    body = body_of(stranger.signed())
    headers = as_meta(both(own(stranger, body), proxy(body)))

    answer = send(body, headers | {SHOWN_KEY: stranger.key.verification_key.base64})

    assert answer.status_code == 403
    assert Peer.objects.get().server_url == stranger.url


def test_the_agents_are_shown_to_a_peer_behind_a_signing_proxy(alpha: Partner, alpha_peer: Peer, beta: Partner) -> None:
    def listed(*signatures: dict[str, str]) -> int:
        headers = signatures[0]
        for other in signatures[1:]:
            headers = both(headers, other)
        return int(get(AGENTS, as_meta(headers) | {"CONTENT_TYPE": "application/json"}).status_code)

    one = own(alpha, b"", path=AGENTS, method="GET")
    assert listed(one, proxy(b"", path=AGENTS, method="GET")) == 200
    assert listed(one, own(beta, b"", label="beta", path=AGENTS, method="GET")) == 403
    assert listed(proxy(b"", path=AGENTS, method="GET")) == 401
