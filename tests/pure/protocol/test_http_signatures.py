"""HTTP message signatures: RFC 9421's own example, and every refusal."""

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers.protocol import (
    AlgorithmRefused,
    ComponentNotCovered,
    DigestMismatch,
    ProtocolError,
    SignatureExpired,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    SignatureNotYetValid,
    SigningKey,
    UnknownKey,
    VerificationError,
    VerificationKey,
    VerifiedRequest,
    sign_request,
    verify_request,
)
from peers.protocol.base_encodings import decode_base64url, encode_base64
from peers.protocol.content_digest import content_digest, verify_content_digest
from peers.protocol.http_signatures import COMPONENTS
from peers.protocol.signature_base import HttpRequest, signature_base
from peers.protocol.signature_fields import (
    SignatureInput,
    parse_fields,
    serialize_fields,
)
from tests.pure.protocol.strategies import some
from tests.pure.protocol.vectors import HUB, NOW, hub, identity, load, partner, stranger

TARGET = f"{HUB}/api/v1/federation/receive?trace=1"


BODY = b'{"dispatch_id": "d-1"}'


NONCE = "0123456789abcdefABCDEF"


KEYS = {partner.did: partner.verification_keys}
RFC = load("rfc9421_b26.json")


def rfc(name: str) -> str:
    """Return a text of the RFC's example."""
    value = RFC[name]
    assert isinstance(value, str)
    return value


def rfc_request() -> HttpRequest:
    """Return the RFC's request."""
    headers = RFC["headers"]
    assert isinstance(headers, dict)
    return HttpRequest(rfc("method"), rfc("target_uri"), {n: str(v) for n, v in headers.items()}, rfc("body").encode())


def test_rfc_9421_b_2_6_gives_the_published_base_and_signature() -> None:
    key = SigningKey(decode_base64url(rfc("private_key_base64url")))
    assert bytes(key.verification_key) == decode_base64url(rfc("public_key_base64url"))
    signature_input, signature = parse_fields(rfc("signature_input"), rfc("signature"))
    base = signature_base(rfc_request(), signature_input)
    assert base.decode() == rfc("signature_base")
    assert key.sign(base) == signature
    assert key.verification_key.is_signed(base, signature)
    assert serialize_fields("sig-b26", signature_input, signature) == {
        "Signature-Input": rfc("signature_input"),
        "Signature": rfc("signature"),
    }


def test_the_rfcs_own_digest_fits_its_body() -> None:
    verify_content_digest(rfc_request().header("content-digest"), rfc("body").encode())


def test_the_rfcs_example_lacks_what_this_protocol_needs() -> None:
    request = rfc_request()
    headers = dict(request.headers) | {"Signature-Input": rfc("signature_input"), "Signature": rfc("signature")}
    with pytest.raises(SignatureMalformed, match="created, expires, keyid and nonce"):
        verified(headers=headers, target_uri=request.target_uri, body=request.body, now=1618884473)


def signed(
    body: bytes = BODY,
    components: tuple[str, ...] = COMPONENTS,
    key: SigningKey | None = None,
    extra: dict[str, str] | None = None,
    **parameters: int | str | None,
) -> dict[str, str]:
    """Sign a request to the hub as the partner; parameters replace the usual ones, None omits one."""
    usual: dict[str, int | str | None] = {
        "created": NOW, "keyid": partner.did, "alg": "ed25519", "nonce": NONCE, "expires": NOW + 300,
    }  # fmt: skip
    kept = tuple((name, value) for name, value in (usual | parameters).items() if value is not None)
    headers = {"Content-Type": "application/json", "Content-Digest": content_digest(body), **(extra or {})}
    signature_input = SignatureInput(components, kept)
    base = signature_base(HttpRequest("POST", TARGET, headers, body), signature_input)
    return headers | serialize_fields("sig1", signature_input, (key or partner.signing_key()).sign(base))


def verified(
    headers: dict[str, str] | None = None,
    method: str = "POST",
    target_uri: str = TARGET,
    body: bytes = BODY,
    now: int = NOW,
    resolve_keys: Callable[[str], tuple[VerificationKey, ...]] = lambda _: partner.verification_keys,
) -> VerifiedRequest:
    """Verify with the partner's approved key, as the hub does."""
    return verify_request(
        method=method,
        target_uri=target_uri,
        headers=signed() if headers is None else headers,
        body=body,
        resolve_keys=resolve_keys,
        now=now,
    )


def test_a_signed_request_verifies_and_says_by_whom_and_when() -> None:
    assert verified() == VerifiedRequest(partner.did, partner.verification_keys[0], NONCE, NOW, NOW + 300)


def test_signing_writes_the_documented_components_and_parameters() -> None:
    headers = sign_request(
        partner.signing_key(), keyid=partner.did, method="post", target_uri=TARGET, body=BODY, created=NOW, nonce=NONCE
    )
    assert headers == signed()
    assert headers["Signature-Input"] == (
        'sig1=("@method" "@target-uri" "content-type" "content-digest")'
        f';created={NOW};keyid="did:web:partner.example.com";alg="ed25519";nonce="{NONCE}";expires={NOW + 300}'
    )
    assert headers["Content-Digest"] == f"sha-256=:{encode_base64(hashlib.sha256(BODY).digest())}:"


def test_a_request_without_a_body_is_covered_alike() -> None:
    headers = sign_request(
        partner.signing_key(), keyid=partner.did, method="GET", target_uri=TARGET, body=b"", created=NOW, nonce=NONCE
    )
    assert verified(headers, method="GET", body=b"")
    with pytest.raises(DigestMismatch):
        verified(headers, method="GET", body=b"{}")


def test_header_names_have_no_case_and_values_no_outer_space() -> None:
    assert verified({name.upper(): f" {value}\t" for name, value in signed().items()})
    assert verified({name.lower(): value for name, value in signed().items()} | {"host": "evil.example"})


REFUSED: dict[str, tuple[Callable[[], object], type[VerificationError]]] = {
    "another method": (lambda: verified(method="PUT"), SignatureMismatch),
    "another path": (lambda: verified(target_uri=TARGET.replace("receive", "dispatch")), SignatureMismatch),
    "another query": (lambda: verified(target_uri=TARGET.replace("trace=1", "trace=2")), SignatureMismatch),
    "no query": (lambda: verified(target_uri=TARGET.partition("?")[0]), SignatureMismatch),
    "another host": (lambda: verified(target_uri=TARGET.replace("hub", "other")), SignatureMismatch),
    "another scheme": (lambda: verified(target_uri=TARGET.replace("https", "http")), SignatureMismatch),
    "another body": (lambda: verified(body=BODY + b" "), DigestMismatch),
    "no body": (lambda: verified(body=b""), DigestMismatch),
    "another body with its own digest": (
        lambda: verified(signed() | {"Content-Digest": content_digest(b"x")}, body=b"x"),
        SignatureMismatch,
    ),
    "another content type": (lambda: verified(signed() | {"Content-Type": "text/plain"}), SignatureMismatch),
    "no keys": (lambda: verified(resolve_keys=lambda _: ()), UnknownKey),
    "a keyid that is a URL": (
        lambda: verified(signed(keyid="https://evil.example/key"), resolve_keys=lambda keyid: KEYS.get(keyid, ())),
        UnknownKey,
    ),
    "another's key": (lambda: verified(resolve_keys=lambda _: stranger.verification_keys), SignatureMismatch),
    "signed by another": (lambda: verified(signed(key=stranger.signing_key())), SignatureMismatch),
    "another keyid": (lambda: verified(replaced("partner", "stranger")), SignatureMismatch),
    "another nonce": (lambda: verified(replaced(NONCE, NONCE[::-1])), SignatureMismatch),
    "another created": (lambda: verified(replaced(f"created={NOW}", f"created={NOW + 1}")), SignatureMismatch),
    "another expires": (lambda: verified(replaced(f"{NOW + 300}", f"{NOW + 299}")), SignatureMismatch),
    "alg left out afterwards": (lambda: verified(replaced(';alg="ed25519"', "")), SignatureMismatch),
    "components in another order": (
        lambda: verified(replaced('"@method" "@target-uri"', '"@target-uri" "@method"')),
        SignatureMismatch,
    ),
    "too old": (lambda: verified(now=NOW + 301), SignatureExpired),
    "long ago": (lambda: verified(now=NOW + 10**9), SignatureExpired),
    "in the future": (lambda: verified(now=NOW - 301), SignatureNotYetValid),
    "expired": (lambda: verified(signed(expires=NOW + 10), now=NOW + 11), SignatureExpired),
    "valid for too long": (lambda: verified(signed(expires=NOW + 301)), SignatureExpired),
    "expires before created": (lambda: verified(signed(expires=NOW - 1)), SignatureExpired),
    "alg none": (lambda: verified(signed(alg="none")), AlgorithmRefused),
    "alg hmac": (lambda: verified(signed(alg="hmac-sha256")), AlgorithmRefused),
    "alg in upper case": (lambda: verified(signed(alg="ED25519")), AlgorithmRefused),
    "no keyid": (lambda: verified(signed(keyid=None)), SignatureMalformed),
    "an empty keyid": (lambda: verified(signed(keyid="")), SignatureMalformed),
    "a keyid that is a number": (lambda: verified(signed(keyid=1)), SignatureMalformed),
    "an endless keyid": (lambda: verified(signed(keyid="a" * 2049)), SignatureMalformed),
    "no nonce": (lambda: verified(signed(nonce=None)), SignatureMalformed),
    "an endless nonce": (lambda: verified(signed(nonce="a" * 129)), SignatureMalformed),
    "no created": (lambda: verified(signed(created=None)), SignatureMalformed),
    "created as text": (lambda: verified(signed(created=str(NOW))), SignatureMalformed),
    "no expires": (lambda: verified(signed(expires=None)), SignatureMalformed),
    "an unknown parameter": (lambda: verified(signed(purpose="x")), SignatureMalformed),
    "no digest header": (lambda: verified(without("Content-Digest")), DigestMismatch),
    "no content type": (lambda: verified(without("Content-Type")), SignatureMismatch),
    "a signature of 32 bytes": (
        lambda: verified(signed() | {"Signature": f"sig1=:{encode_base64(bytes(32))}:"}),
        SignatureMalformed,
    ),
    "a signature of no bytes": (lambda: verified(signed() | {"Signature": "sig1=::"}), SignatureMalformed),
    "a keyid that cannot be printed": (lambda: verified(signed(keyid="a\nb")), SignatureMalformed),
    "no signature": (lambda: verified(without("Signature")), SignatureMissing),
    "no signature input": (lambda: verified(without("Signature-Input")), SignatureMissing),
    "an unsigned request": (lambda: verified({}), SignatureMissing),
    "empty headers": (lambda: verified(signed() | {"Signature": "", "Signature-Input": ""}), SignatureMissing),
    "a header twice": (lambda: verified(signed() | {"SIGNATURE": "sig1=:AA==:"}), SignatureMalformed),
    "a method in lower case": (lambda: verified(method="post"), SignatureMalformed),
}


def replaced(old: str, new: str) -> dict[str, str]:
    """Return the signed headers, with a part of Signature-Input replaced after the signature."""
    headers = signed()
    assert old in headers["Signature-Input"]
    return headers | {"Signature-Input": headers["Signature-Input"].replace(old, new)}


def without(name: str) -> dict[str, str]:
    """Return the signed headers without one of them."""
    return {header: value for header, value in signed().items() if header != name}


@pytest.mark.parametrize("name", REFUSED)
def test_the_request_is_refused_with(name: str) -> None:
    call, error = REFUSED[name]
    with pytest.raises(error) as refusal:
        call()
    assert refusal.type is error
    assert refusal.value.status_hint == 401


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_required_component_that_is_not_covered_is_refused(component: str) -> None:
    rest = tuple(name for name in COMPONENTS if name != component)
    with pytest.raises(ComponentNotCovered) as refusal:
        verified(signed(components=rest))
    assert refusal.value.component == component


def test_further_components_may_be_covered_and_then_count() -> None:
    headers = signed(components=(*COMPONENTS, "date", "@authority", "@path"), extra={"Date": "today"})
    assert verified(headers)
    with pytest.raises(SignatureMismatch):
        verified(headers | {"Date": "tomorrow"})
    with pytest.raises(SignatureMismatch):
        verified({name: value for name, value in headers.items() if name != "Date"})


def test_the_parameters_may_come_in_another_order_and_without_alg() -> None:
    assert verified(signed(alg=None))
    headers = signed(tag="x")
    assert verified(headers)


@pytest.mark.parametrize("now", [NOW - 300, NOW, NOW + 300])
def test_both_ends_of_the_time_are_included(now: int) -> None:
    assert verified(now=now)


@pytest.mark.parametrize("position", range(86))
def test_changing_any_character_of_the_signature_is_refused(position: int) -> None:
    headers = signed()
    start = len("sig1=:") + position
    other = "A" if headers["Signature"][start] != "A" else "B"
    changed = headers["Signature"][:start] + other + headers["Signature"][start + 1 :]
    with pytest.raises((SignatureMismatch, SignatureMalformed)):
        verified(headers | {"Signature": changed})


def test_changing_any_character_of_the_signature_input_is_refused() -> None:
    headers = signed()
    text = headers["Signature-Input"]
    for position in range(len(text)):
        for other in "x1":
            if text[position] != other:
                changed = text[:position] + other + text[position + 1 :]
                with pytest.raises(VerificationError):
                    verified(headers | {"Signature-Input": changed})


@pytest.mark.parametrize("name", ["Content-Type", "Content-Digest"])
def test_changing_any_character_of_a_covered_header_is_refused(name: str) -> None:
    headers = signed()
    for position in range(len(headers[name])):
        changed = headers[name][:position] + "~" + headers[name][position + 1 :]
        with pytest.raises((SignatureMismatch, DigestMismatch)):
            verified(headers | {name: changed})


USUAL = signed()


def signed_with(signature_input: SignatureInput, text: str) -> dict[str, str]:
    """Return headers whose signature covers the input unchanged, and whose Signature-Input is the text."""
    headers = {"Content-Type": "application/json", "Content-Digest": content_digest(BODY)}
    signature = partner.signing_key().sign(signature_base(HttpRequest("POST", TARGET, headers, BODY), signature_input))
    return headers | {"Signature-Input": text, "Signature": f"sig1=:{encode_base64(signature)}:"}


PARAMETERS: tuple[tuple[str, int | str], ...] = (
    ("created", NOW), ("keyid", partner.did), ("alg", "ed25519"), ("nonce", NONCE), ("expires", NOW + 300),
)  # fmt: skip
SIGNED_ALL_THE_SAME = {
    "a component twice": SignatureInput((*COMPONENTS, "@method"), PARAMETERS),
    "a parameter twice": SignatureInput(COMPONENTS, (*PARAMETERS, ("created", NOW))),
    "a parameter twice with two values": SignatureInput(COMPONENTS, (("created", NOW - 9999), *PARAMETERS)),
    "an unknown parameter": SignatureInput(COMPONENTS, (*PARAMETERS, ("purpose", "x"))),
    "too many components": SignatureInput((*COMPONENTS, *["@path", "@query"] * 16), PARAMETERS),
}


@pytest.mark.parametrize("space", ["", " "])
@pytest.mark.parametrize("name", SIGNED_ALL_THE_SAME)
def test_even_properly_signed_the_input_may_not_have(name: str, space: str) -> None:
    signature_input = SIGNED_ALL_THE_SAME[name]
    text = f"sig1={signature_input.serialize().replace(';', ';' + space)}"
    with pytest.raises(SignatureMalformed):
        verified(signed_with(signature_input, text))


@pytest.mark.parametrize("space", ["", " "])
def test_optional_spaces_change_nothing(space: str) -> None:
    signature_input = SignatureInput(COMPONENTS, PARAMETERS)
    assert verified(signed_with(signature_input, f"sig1={signature_input.serialize().replace(';', ';' + space)}"))


@pytest.mark.parametrize("first", [{"content-type": "text/plain"}, {"CONTENT-TYPE": "application/json"}])
def test_a_field_under_two_spellings_is_refused_whichever_is_signed(first: dict[str, str]) -> None:
    for headers in (first | signed(), signed() | first):
        with pytest.raises(SignatureMalformed, match="twice"):
            verified(headers)


def test_a_lifetime_cannot_be_negative_even_between_now_and_then() -> None:
    with pytest.raises(SignatureExpired):
        verified(signed(created=NOW + 100, expires=NOW + 50))


@pytest.mark.parametrize("value", ["a\nb", "a\r\nb", "ä", "a\0b", "a\x7fb"])
def test_a_header_value_that_could_forge_a_line_is_refused(value: str) -> None:
    with pytest.raises(SignatureMalformed):
        signed(components=(*COMPONENTS, "x-note"), extra={"X-Note": value})


@some
@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=40), st.binary(max_size=20))
def test_any_headers_are_refused_with_a_verification_error(
    signature_input: str, signature: str, digest: str, body: bytes
) -> None:
    headers = {"Signature-Input": signature_input, "Signature": signature, "Content-Digest": digest}
    with pytest.raises(VerificationError):
        verified(headers, body=body)


@some
@given(st.text(max_size=10), st.text(max_size=30), st.dictionaries(st.text(max_size=8), st.text(max_size=8)))
def test_any_request_is_refused_with_a_protocol_error(method: str, target: str, headers: dict[str, str]) -> None:
    with pytest.raises(ProtocolError):
        verified(USUAL | headers, method=method, target_uri=target)


@some
@given(st.binary(max_size=300), st.sampled_from(["GET", "POST", "DELETE"]), st.integers(0, 2**40))
def test_whatever_is_signed_verifies_for_exactly_that_request(body: bytes, method: str, now: int) -> None:
    headers = sign_request(
        hub.signing_key(), keyid=hub.did, method=method, target_uri=TARGET, body=body, created=now, nonce=NONCE
    )
    keys = (identity(HUB, 9).verification_keys[0], *hub.verification_keys)
    result = verified(headers, method=method, body=body, now=now, resolve_keys=lambda _: keys)
    assert result.key == hub.verification_keys[0]
    with pytest.raises(DigestMismatch):
        verified(headers, method=method, body=body + b"x", now=now, resolve_keys=lambda _: keys)
