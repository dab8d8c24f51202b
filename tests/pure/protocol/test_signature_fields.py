"""The parts of HTTP message signatures: fields, components, digests."""

import hashlib

import http_sf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers.protocol import (
    DigestMismatch,
    SignatureMalformed,
)
from peers.protocol.base_encodings import encode_base64
from peers.protocol.content_digest import content_digest, verify_content_digest
from peers.protocol.http_signatures import COMPONENTS
from peers.protocol.signature_base import HttpRequest, signature_base
from peers.protocol.signature_fields import (
    SignatureInput,
    parse_any_input,
    parse_fields,
    parse_usual_input,
    split_fields,
)
from tests.pure.protocol.strategies import many

BODY = b'{"dispatch_id": "d-1"}'


INPUT = 'sig1=("@method");created=1'
SIGNATURE = f"sig1=:{encode_base64(bytes(64))}:"
MALFORMED = {
    "an item": ('sig1="x"', SIGNATURE, "not an inner list"),
    "a true": ("sig1", SIGNATURE, "not an inner list"),
    "a token as component": ("sig1=(method)", SIGNATURE, "not a string"),
    "a number as component": ("sig1=(1)", SIGNATURE, "not a string"),
    "a component with a parameter": ('sig1=("@method";req "@target-uri")', SIGNATURE, "component parameters"),
    "a component twice": ('sig1=("@method" "@method")', SIGNATURE, "covered twice"),
    "a component twice, oddly spaced": ('sig1=("@method"  "@method")', SIGNATURE, "covered twice"),
    "a component in upper case": ('sig1=("@Method")', SIGNATURE, "lower case"),
    "an empty component": ('sig1=("")', SIGNATURE, "lower case"),
    "a component with a quote": ('sig1=("a\\"b")', SIGNATURE, "lower case"),
    "too many components": (f"sig1=({' '.join(f'{chr(34)}a{n}{chr(34)}' for n in range(33))})", SIGNATURE, "32"),
    "a parameter twice": ('sig1=("@method");created=1;created=2', SIGNATURE, "duplicate"),
    "a parameter twice, oddly spaced": ('sig1=("@method"); created=1;created=2', SIGNATURE, "duplicate"),
    "an unknown parameter": ('sig1=("@method");purpose="x"', SIGNATURE, "unknown"),
    "a boolean parameter": ('sig1=("@method");created', SIGNATURE, "neither"),
    "a token parameter": ('sig1=("@method");alg=ed25519', SIGNATURE, "neither"),
    "a decimal parameter": ('sig1=("@method");created=1.0', SIGNATURE, "neither"),
    "a date parameter": ('sig1=("@method");created=@1', SIGNATURE, "neither"),
    "an integer for a string": ('sig1=("@method");nonce=1', SIGNATURE, "wrong type"),
    "a string for an integer": ('sig1=("@method");created="1"', SIGNATURE, "wrong type"),
    "two labels": (f'{INPUT}, sig2=("@method")', SIGNATURE, "one signature"),
    "the same label twice": (f"{INPUT}, {INPUT}", SIGNATURE, "duplicate"),
    "two signatures": (INPUT, f"{SIGNATURE}, sig2=:AA==:", "one byte sequence"),
    "another label": (INPUT, SIGNATURE.replace("sig1", "sig2"), "different labels"),
    "garbage": ("garbage garbage", SIGNATURE, "not a structured dictionary"),
    "an endless integer": (f"{INPUT[:-1]}{'9' * 16}", SIGNATURE, "not a structured dictionary"),
    "a signature that is text": (INPUT, 'sig1="x"', "one byte sequence"),
    "a signature with a parameter": (INPUT, f"{SIGNATURE};x", "one byte sequence"),
    "a signature without padding": (INPUT, SIGNATURE.replace("==", ""), "not base64"),
    "a signature with other padding bits": (INPUT, SIGNATURE.replace("A==", "B=="), "not base64"),
    "a signature in base64url": (INPUT, "sig1=:--__:", "one byte sequence"),
    "not ASCII": ('sig1=("@method");keyid="ä"', SIGNATURE, "not a structured dictionary"),
    "a lone surrogate": ("sig1=\ud800", SIGNATURE, "not a structured dictionary"),
    "a megabyte": ('sig1=("@method"' * 70_000, SIGNATURE, "longer than"),
    "a megabyte of signature": (INPUT, f"sig1=:{'A' * 1_000_000}:", "longer than"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_fields_are_refused_and_the_message_says_why(name: str) -> None:
    signature_input, signature, reason = MALFORMED[name]
    with pytest.raises(SignatureMalformed, match=reason):
        parse_fields(signature_input, signature)


@pytest.mark.parametrize("name", ["@status", "@query-param", "@unknown"])
def test_components_that_a_request_of_ours_does_not_have_cannot_be_covered(name: str) -> None:
    with pytest.raises(SignatureMalformed, match="not supported"):
        signature_base(HttpRequest("GET", "https://hub.example.com/", {}), SignatureInput((name,), ()))


@pytest.mark.parametrize(
    "target", ["/api/v1", "hub.example.com", "https://", "ftp://hub.example.com", "https://a b/", ""]
)
def test_components_of_a_target_that_is_no_absolute_url_cannot_be_signed(target: str) -> None:
    with pytest.raises(SignatureMalformed):
        signature_base(HttpRequest("GET", target, {}), SignatureInput(("@authority",), ()))


@pytest.mark.parametrize(
    ("target", "component", "value"),
    [
        ("https://Hub.Example.com:443/x", "@authority", "hub.example.com"),
        ("https://hub.example.com:8443", "@authority", "hub.example.com:8443"),
        ("https://hub.example.com", "@path", "/"),
        ("https://hub.example.com/a/b?x", "@path", "/a/b"),
        ("https://hub.example.com/a", "@query", "?"),
        ("https://hub.example.com/a?x=1&y", "@query", "?x=1&y"),
        ("https://hub.example.com/a?x=1", "@request-target", "/a?x=1"),
        ("http://hub.example.com/a", "@scheme", "http"),
    ],
)
def test_derived_components_follow_rfc_9421_section_2_2(target: str, component: str, value: str) -> None:
    base = signature_base(HttpRequest("GET", target, {}), SignatureInput((component,), ()))
    assert base.decode() == f'"{component}": {value}\n"@signature-params": ("{component}")'


@pytest.mark.parametrize(
    "field",
    [
        None, "", "garbage", "sha-256", "sha-256=x", 'sha-256="x"', "sha-256=::", "sha-256=:AAAA:", "md5=:AAAA:",
        f"sha-256=:{encode_base64(hashlib.sha256(b'other').digest())}:",
        f"{content_digest(BODY)}, sha-512=:AAAA:",
        f"sha-512=:AAAA:, {content_digest(BODY)}",
        f"{content_digest(BODY)}, {content_digest(BODY)}",
        f"{content_digest(b'x')}, {content_digest(BODY)}",
        content_digest(BODY).upper(), "sha-256=:" + "A" * 2000 + ":", "sha-256=ä", "\ud800",
    ],
)  # fmt: skip
def test_digests_that_do_not_prove_the_body_are_refused(field: str | None) -> None:
    with pytest.raises(DigestMismatch):
        verify_content_digest(field, BODY)


@pytest.mark.parametrize(
    "field",
    [
        content_digest(BODY),
        f"sha-512=:{encode_base64(hashlib.sha512(BODY).digest())}:",
        f"{content_digest(BODY)}, sha-512=:{encode_base64(hashlib.sha512(BODY).digest())}:",
        f"md5=:AAAA:, {content_digest(BODY)}",
        content_digest(BODY) + ";x=1",
    ],
)
def test_digests_that_prove_the_body_are_accepted(field: str) -> None:
    verify_content_digest(field, BODY)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"hello": "world"}\n', "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"),
        (b"", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"),
    ],
)
def test_rfc_9530_appendix_b_digests(body: bytes, field: str) -> None:
    assert content_digest(body) == field


component_names = st.sampled_from([*COMPONENTS, "date", "x-1", "@path", "A", "a b", "", '"', "\\"])


parameter_pairs = st.tuples(
    st.sampled_from(["created", "expires", "nonce", "alg", "keyid", "tag", "x", "b-1"]),
    st.integers(0, 10**15 - 1) | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8),
)


inputs = st.builds(
    SignatureInput,
    st.lists(component_names, max_size=4).map(tuple),
    st.lists(parameter_pairs, max_size=4, unique_by=lambda pair: pair[0]).map(tuple),
)


@many
@given(inputs)
def test_what_is_written_is_what_http_sf_writes_and_reads(signature_input: SignatureInput) -> None:
    text = signature_input.serialize()
    components: list[object] = [(name, {}) for name in signature_input.components]
    assert text == http_sf.ser({"a": (components, dict(signature_input.parameters))}).removeprefix("a=")  # type: ignore[dict-item]
    assert parse_any_input(f"sig1={text}") == ("sig1", signature_input)


@many
@given(inputs, st.text('"\\();= ,:sig1a@é\n\t', max_size=3), st.integers(0, 80))
def test_both_readers_of_signature_input_agree(signature_input: SignatureInput, noise: str, position: int) -> None:
    text = f"sig1={signature_input.serialize()}"
    text = text[:position] + noise + text[position:]
    try:
        quick = parse_usual_input(text)
    except SignatureMalformed:
        with pytest.raises(SignatureMalformed):
            parse_any_input(text)
        return
    assert quick is None or quick == parse_any_input(text)


@pytest.mark.parametrize(
    ("signature_input", "signature", "reason"),
    [
        ('a=("@method"), b=("@method")', "a=:AA==:, a=:AA==:", "twice"),
        ('a=("@method"), a=("@method")', "a=:AA==:, b=:AA==:", "duplicate"),
        ('a=("@method"), b=("@method")', "a=:AA==:, c=:AA==:", "different labels"),
        ('a=("@method"), b=("@method")', "a=:AA==:, b=:AA==:, ", "byte sequence"),
        ('a=("@method"), b=("@method"', "a=:AA==:, b=:AA==:", "dictionary"),
        (", ".join(f'l{n}=("@method")' for n in range(9)), ", ".join(f"l{n}=:AA==:" for n in range(9)), "more than 8"),
    ],
)
def test_fields_of_several_signatures_are_refused(signature_input: str, signature: str, reason: str) -> None:
    with pytest.raises(SignatureMalformed, match=reason):
        split_fields(signature_input, signature)


def test_several_signatures_are_split_by_their_labels_and_read_one_by_one() -> None:
    first, second, third, fourth = split_fields(
        'a=("@method");keyid="did:a", b=("@method";req);keyid="did:b",c=("@method");keyid=token,  d=1',
        "b=:AQ==:,a=:AA==:, c=:AA==: ,d=:AA:",
    )
    assert first.read() == (SignatureInput(("@method",), (("keyid", "did:a"),)), b"\0")
    assert [member.keyid for member in (first, second, third, fourth)] == ["did:a", "did:b", None, None]
    for member in (second, third, fourth):
        with pytest.raises(SignatureMalformed):
            member.read()
    assert split_fields('a=("@method")', "a=:AA==:") == ()
