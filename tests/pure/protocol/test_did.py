"""did:web identifiers: made from URLs, resolved to URLs, compared; and DID documents."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers.protocol import (
    InvalidIdentifier,
    InvalidKey,
    Json,
    JsonObject,
    MalformedMessage,
    ServerIdentity,
    did_document_urls,
    did_of_url,
    is_same_did,
    normalize_did,
    read_did_document,
    resolve_did_web,
)
from peers.protocol.base_encodings import encode_base58btc, encode_base64url
from peers.protocol.did_document import Withdrawal, read_published_keys
from tests.pure.protocol.strategies import some
from tests.pure.protocol.vectors import HUB, identity

DIDS = [
    ("https://hub.example.com", "did:web:hub.example.com"),
    ("https://HUB.Example.COM./", "did:web:hub.example.com"),
    ("https://hub.example.com:443", "did:web:hub.example.com"),
    ("https://hub.example.com:8443", "did:web:hub.example.com%3A8443"),
    ("http://localhost:8001", "did:web:localhost%3A8001"),
    ("http://127.0.0.1:8001/", "did:web:127.0.0.1%3A8001"),
    ("https://example.com/hubs/one", "did:web:example.com:hubs:one"),
    ("https://example.com:8443/hubs/one/", "did:web:example.com%3A8443:hubs:one"),
    ("https://[2606:4700::1111]:8443", "did:web:%5B2606%3A4700%3A%3A1111%5D%3A8443"),
]
SAME = [
    ("did:web:hub.example.com", "did:web:HUB.example.com."),
    ("did:web:hub.example.com%3A8000", "did:web:hub.example.com%3a8000"),
    ("did:web:hub.example.com%3A8000", "did:web:hub.example.com:8000"),
    ("did:web:hub.example.com%3A443", "did:web:hub.example.com"),
    ("did:web:example.com:hubs:one", "did:web:example.com/hubs/one"),
    ("did:web:example.com%3A8000:hubs:one", "did:web:example.com:8000/hubs/one"),
    ("did:web:example.com", "did:web:example.com/"),
]
DIFFERENT = [
    ("did:web:hub.example.com", "did:web:hub.example.org"),
    ("did:web:hub.example.com", "did:web:hub.example.com%3A8000"),
    ("did:web:hub.example.com", "did:web:hub.example.com:hubs"),
    ("did:web:example.com:Hubs", "did:web:example.com:hubs"),
    ("did:web:hub.example.com", "did:key:z6Mk"),
    ("did:key:z6Mk", "did:key:z6Mk"),
    ("", ""),
]
MALFORMED = [
    "",
    "did:web:",
    "did:web",
    "did:key:z6Mk",
    "DID:WEB:hub.example.com",
    "did:web:user@host",
    "did:web:host?x",
    "did:web:host#key-1",
    "did:web:host:..:etc",
    "did:web:host:.:x",
    "did:web:host:%2e%2e:x",
    "did:web:host::x",
    "did:web:host//x",
    "did:web:/x",
    "did:web::x",
    "did:web:host%2Fx",
    "did:web:host%40evil",
    "did:web:host%00",
    "did:web:hôst",
    "did:web:host x",
    "did:web:host\n",
    "did:web:127.1",
    "did:web:2130706433",
    "did:web:host%3A99999",
    "did:web:host%3A0",
    "did:web:host%3A",
    "did:web:h%3A1%3A2",
    "did:web:" + "a" * 3000,
    "did:web:-host",
    "did:web:host\\x",
]


@pytest.mark.parametrize(("url", "did"), DIDS)
def test_the_did_of_a_url_follows_did_web(url: str, did: str) -> None:
    assert did_of_url(url) == did
    assert normalize_did(did) == did


@pytest.mark.parametrize(("first", "second"), SAME)
def test_openintents_spelling_is_understood_when_dids_are_compared(first: str, second: str) -> None:
    assert is_same_did(first, second)
    assert is_same_did(second, first)


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_different_dids_differ(first: str, second: str) -> None:
    assert not is_same_did(first, second)


@pytest.mark.parametrize("did", MALFORMED)
@pytest.mark.parametrize("read", [normalize_did, resolve_did_web, did_document_urls])
def test_malformed_dids_are_refused(did: str, read: Callable[[str], object]) -> None:
    with pytest.raises(InvalidIdentifier):
        read(did)


@pytest.mark.parametrize(
    ("did", "url"),
    [
        ("did:web:api.example.com", "https://api.example.com/.well-known/did.json"),
        ("did:web:api.example.com%3A8443", "https://api.example.com:8443/.well-known/did.json"),
        ("did:web:api.example.com:hubs:one", "https://api.example.com/hubs/one/.well-known/did.json"),
        ("did:web:api.example.com:8000", "https://api.example.com/8000/.well-known/did.json"),
        ("did:web:localhost%3a8001", "https://localhost:8001/.well-known/did.json"),
    ],
)
def test_resolve_did_web_is_the_documented_function(did: str, url: str) -> None:
    assert resolve_did_web(did) == url


@pytest.mark.parametrize("did", ["did:key:z6Mk", "https://hub.example.com", ""])
def test_resolving_another_method_is_a_value_error(did: str) -> None:
    with pytest.raises(ValueError, match="Not a did:web identifier"):
        resolve_did_web(did)


def test_the_document_is_sought_at_did_webs_own_place_first() -> None:
    assert did_document_urls("did:web:hub.example.com") == ("https://hub.example.com/.well-known/did.json",)
    assert did_document_urls("did:web:example.com%3A8443:hubs:one") == (
        "https://example.com:8443/hubs/one/did.json",
        "https://example.com:8443/hubs/one/.well-known/did.json",
    )
    assert did_document_urls("did:web:localhost%3A8001", scheme="http") == (
        "http://localhost:8001/.well-known/did.json",
    )


@some
@given(st.text(max_size=40).map("did:web:".__add__))
def test_any_did_resolves_to_the_host_it_names_or_is_refused(did: str) -> None:
    try:
        urls = (resolve_did_web(did), *did_document_urls(did))
    except InvalidIdentifier:
        return
    assert all(url.startswith("https://") and url.endswith("/did.json") for url in urls)


def document(**changes: Json) -> JsonObject:
    return identity(HUB).did_document() | changes


def method(**changes: Json) -> JsonObject:
    methods = document()["verificationMethod"]
    assert isinstance(methods, list) and isinstance(methods[0], dict)
    return methods[0] | changes


def test_a_did_document_has_both_key_properties_purposes_and_contexts() -> None:
    key = identity(HUB).verification_keys[0]
    assert document() == {
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/ed25519-2020/v1"],
        "id": "did:web:hub.example.com",
        "verificationMethod": [
            {
                "id": "did:web:hub.example.com#key-1",
                "type": "Ed25519VerificationKey2020",
                "controller": "did:web:hub.example.com",
                "publicKeyMultibase": key.multibase,
                "publicKeyBase64": key.base64,
            }
        ],
        "authentication": ["did:web:hub.example.com#key-1"],
        "assertionMethod": ["did:web:hub.example.com#key-1"],
    }
    assert key.multibase.startswith("z6Mk")


def test_a_rotated_identity_publishes_a_method_for_each_valid_key() -> None:
    old = identity(HUB, 1)
    assert old.public_key_bytes is not None
    new = ServerIdentity(HUB, private_key_bytes=bytes([2]) * 32, previous_public_keys=(old.public_key_bytes,))
    assert new.did_document()["authentication"] == ["did:web:hub.example.com#key-1", "did:web:hub.example.com#key-2"]
    assert read_did_document(new.did_document(), new.did) == new.verification_keys


@pytest.mark.parametrize("missing", ["publicKeyMultibase", "publicKeyBase64"])
def test_readers_accept_either_key_property(missing: str) -> None:
    one = {name: value for name, value in method().items() if name != missing}
    assert read_did_document(document(verificationMethod=[one]), "did:web:hub.example.com")


@pytest.mark.parametrize("purpose", ["authentication", "assertionMethod"])
def test_either_purpose_is_enough_and_references_may_be_relative(purpose: str) -> None:
    changed = document(authentication=[], assertionMethod=[]) | {purpose: ["#key-1"]}
    assert read_did_document(changed, "did:web:hub.example.com") == identity(HUB).verification_keys


def test_methods_of_other_types_are_passed_over() -> None:
    other: JsonObject = {"id": "did:web:hub.example.com#x", "type": "JsonWebKey2020", "publicKeyJwk": {}}
    assert read_did_document(document(verificationMethod=[other, method()]), "did:web:hub.example.com")


def test_the_same_key_twice_counts_once() -> None:
    twice = document(verificationMethod=[method(), method()])
    assert len(read_did_document(twice, "did:web:hub.example.com")) == 1


DID = "did:web:hub.example.com"
KEY = identity(HUB).verification_keys[0]
JWK: JsonObject = {"kty": "OKP", "crv": "Ed25519", "x": encode_base64url(bytes(KEY))}


def spelled(kind: object, **members: Json) -> JsonObject:
    """Return a document whose only method has this type and these members."""
    one: JsonObject = {"id": f"{DID}#key-1", "controller": DID, "type": kind, **members}  # type: ignore[dict-item]
    return document(verificationMethod=[one])


def moved(purpose: str, value: Json) -> JsonObject:
    """Return a document that names its only key under one purpose."""
    return document(authentication=[], assertionMethod=[]) | {purpose: value}


SPELLINGS: dict[str, JsonObject] = {
    "Multikey": spelled("Multikey", publicKeyMultibase=KEY.multibase),
    "JsonWebKey2020": spelled("JsonWebKey2020", publicKeyJwk=JWK),
    "JsonWebKey with further members": spelled("JsonWebKey", publicKeyJwk=JWK | {"kid": "1", "alg": "EdDSA"}),
    "the 2018 suite": spelled("Ed25519VerificationKey2018", publicKeyBase58=encode_base58btc(bytes(KEY))),
    "the 2018 suite with a JWK": spelled("Ed25519VerificationKey2018", publicKeyJwk=JWK),
    "the 2020 suite with a JWK": spelled("Ed25519VerificationKey2020", publicKeyJwk=JWK),
    "a list of types": spelled(["VerificationMethod", "Multikey"], publicKeyMultibase=KEY.multibase),
    "a list of one type": spelled(["Ed25519VerificationKey2020"], publicKeyMultibase=KEY.multibase),
    "one method for a list": document(verificationMethod=method()),
    **{f"one text for {purpose}": moved(purpose, "#key-1") for purpose in ("authentication", "assertionMethod")},
    **{
        f"embedded in {purpose}": moved(purpose, [method()]) | {"verificationMethod": []}
        for purpose in ("authentication", "assertionMethod")
    },
    "one embedded method for a list": moved("authentication", method()) | {"verificationMethod": []},
    "embedded without a list of methods": {"id": DID, "authentication": [method()]},
    "an object as reference": moved("authentication", [{"id": f"{DID}#key-1"}]),
    "many methods of other types": document(
        verificationMethod=[
            {"id": "#x", "type": "X25519KeyAgreementKey2020", "publicKeyMultibase": "z6LS"},
            {"id": "#key-1", "type": "JsonWebKey2020", "publicKeyJwk": {"kty": "EC", "crv": "P-256"}},
            {"id": "#key-1", "type": "Multikey", "publicKeyMultibase": "zDnae"},
            method(),
        ]
    ),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_of_an_ed25519_key_is_read(name: str) -> None:
    assert read_did_document(SPELLINGS[name], DID) == (KEY,)


def test_a_refusal_names_the_types_that_were_found() -> None:
    found = spelled("EcdsaSecp256k1VerificationKey2019", publicKeyHex="00")
    with pytest.raises(InvalidKey, match="no Ed25519 key; it has EcdsaSecp256k1VerificationKey2019"):
        read_did_document(found, DID)
    with pytest.raises(InvalidKey, match="it has JsonWebKey2020"):
        read_did_document(spelled("JsonWebKey2020", publicKeyJwk={"kty": "EC", "crv": "P-256"}), DID)
    with pytest.raises(InvalidKey, match="it has a method without a type"):
        read_did_document(document(verificationMethod=[{"id": "#key-1"}]), DID)
    with pytest.raises(InvalidKey, match="it has a key that is revoked"):
        read_did_document(document(verificationMethod=[method(revoked="2020-01-01T00:00:00Z")]), DID)


NOW = 1_800_000_000.0
PAST, FUTURE = "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"
WITHDRAWN: dict[str, tuple[JsonObject, Withdrawal]] = {
    "revoked": (document(verificationMethod=[method(revoked=PAST)]), Withdrawal.REVOKED),
    "revoked, without a time": (document(verificationMethod=[method(revoked=True)]), Withdrawal.REVOKED),
    "revoked, unreadably": (document(verificationMethod=[method(revoked="yes")]), Withdrawal.REVOKED),
    "expired": (document(verificationMethod=[method(expires=PAST)]), Withdrawal.EXPIRED),
    "expired, unreadably": (document(verificationMethod=[method(expires="soon")]), Withdrawal.EXPIRED),
    "revoked and expired": (document(verificationMethod=[method(expires=PAST, revoked=PAST)]), Withdrawal.REVOKED),
    "deactivated": (document(deactivated=True), Withdrawal.REVOKED),
    "revoked once of two times": (
        document(verificationMethod=[method(), method(revoked=PAST)]),
        Withdrawal.REVOKED,
    ),
    "embedded": (
        moved("authentication", [method(expires=PAST)]) | {"verificationMethod": []},
        Withdrawal.EXPIRED,
    ),
}


@pytest.mark.parametrize("name", WITHDRAWN)
def test_a_key_that_its_owner_withdrew_is_not_usable(name: str) -> None:
    changed, way = WITHDRAWN[name]
    found = read_published_keys(changed, DID, now=NOW)
    assert (found.usable, found.withdrawn) == ((), {KEY: way})


@pytest.mark.parametrize(
    "members", [{"revoked": FUTURE}, {"expires": FUTURE}, {"revoked": None, "expires": None}, {"revoked": False}]
)
def test_a_time_to_come_withdraws_nothing_yet(members: JsonObject) -> None:
    changed = document(verificationMethod=[method(**members)], deactivated=False)
    found = read_published_keys(changed, DID, now=NOW)
    assert (found.usable, dict(found.withdrawn)) == ((KEY,), {})


REFUSED: dict[str, tuple[JsonObject, type[MalformedMessage]]] = {
    "another's id": (document(id="did:web:evil.example"), InvalidIdentifier),
    "no id": (document(id=""), InvalidIdentifier),
    "an id of another type": (document(id=1), MalformedMessage),
    "no methods": (document(verificationMethod=[]), InvalidKey),
    "methods that are no list": (document(verificationMethod={}), MalformedMessage),
    "a method that is no object": (document(verificationMethod=["#key-1"]), MalformedMessage),
    "too many methods": (document(verificationMethod=[method()] * 33), MalformedMessage),
    "no purpose": (document(authentication=[], assertionMethod=[]), InvalidKey),
    "a purpose for another's key": (
        document(authentication=["did:web:evil.example#key-1"], assertionMethod=[]),
        InvalidKey,
    ),
    "a key of another controller": (
        document(verificationMethod=[method(controller="did:web:evil.example")]),
        InvalidKey,
    ),
    "a method of another DID": (document(verificationMethod=[method(id="did:web:evil.example#key-1")]), InvalidKey),
    "two keys in one method": (
        document(verificationMethod=[method(publicKeyBase64=identity(HUB, 2).public_key_b64)]),
        InvalidKey,
    ),
    "a key that is no base64": (document(verificationMethod=[method(publicKeyBase64="x")]), InvalidKey),
    "a key that is no string": (document(verificationMethod=[method(publicKeyBase64=1)]), MalformedMessage),
    "another type of key": (document(verificationMethod=[method(type="Ed25519VerificationKey2018")]), InvalidKey),
    "a JWK with a bad key": (spelled("JsonWebKey", publicKeyJwk=JWK | {"x": "AA"}), InvalidKey),
    "a JWK that is not base64url": (spelled("JsonWebKey", publicKeyJwk=JWK | {"x": "+/="}), InvalidKey),
    "a JWK without a key": (spelled("JsonWebKey", publicKeyJwk={"kty": "OKP", "crv": "Ed25519"}), MalformedMessage),
    "a Multikey with a bad key": (spelled("Multikey", publicKeyMultibase=KEY.multibase[:-1]), InvalidKey),
    "base58 of too few bytes": (spelled("Ed25519VerificationKey2018", publicKeyBase58="2"), InvalidKey),
    "a method that another DID embeds": (moved("authentication", [method(id="did:web:evil.example#a")]), InvalidKey),
}


@pytest.mark.parametrize("name", REFUSED)
def test_did_documents_that_vouch_for_nothing_are_refused(name: str) -> None:
    changed, error = REFUSED[name]
    with pytest.raises(error):
        read_did_document(changed, "did:web:hub.example.com")


def test_a_method_without_a_key_is_refused() -> None:
    bare = {name: value for name, value in method().items() if not name.startswith("publicKey")}
    with pytest.raises(InvalidKey):
        read_did_document(document(verificationMethod=[bare]), "did:web:hub.example.com")
