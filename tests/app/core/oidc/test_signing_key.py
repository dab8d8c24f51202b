"""The signing key of the hub's tokens, and the documents that publish its public part."""

from __future__ import annotations

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from core.oidc import documents
from core.oidc.signing_key import SigningKeyError, load_or_create, thumbprint

# RFC 7638, 3.1.
RFC_MODULUS = (
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs"
    "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5ha"
    "jrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
)
RFC_THUMBPRINT = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_a_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "var" / "oidc_key.pem"
    first = load_or_create(path)
    assert load_or_create(path).kid == first.kid
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert first.private_key.key_size == 2048
    assert "private_key" not in repr(first)


def test_many_starters_at_once_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "oidc_key.pem"
    with ThreadPoolExecutor(8) as threads:
        keys = {key.kid for key in threads.map(lambda _: load_or_create(path), range(8))}
    assert len(keys) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_replaced_key_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "oidc_key.pem"
    first = load_or_create(path)
    path.unlink()
    assert load_or_create(path).kid != first.kid


def test_a_file_without_an_rsa_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "oidc_key.pem"
    path.write_text("none")
    with pytest.raises(SigningKeyError, match="does not hold a readable private key"):
        load_or_create(path)
    other = ec.generate_private_key(ec.SECP256R1())
    path.unlink()
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(SigningKeyError, match="does not hold an RSA key"):
        load_or_create(path)


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    modulus = int.from_bytes(base64.urlsafe_b64decode(RFC_MODULUS + "=" * (-len(RFC_MODULUS) % 4)), "big")
    assert thumbprint(rsa.RSAPublicNumbers(65537, modulus).public_key()) == RFC_THUMBPRINT


def test_a_token_verifies_against_the_published_keys(tmp_path: Path) -> None:
    key = load_or_create(tmp_path / "key.pem")
    document = documents.jwks(key.private_key.public_key())
    token = jwt.encode({"sub": "x"}, key.private_key, algorithm="RS256", headers={"kid": key.kid})
    published = jwt.PyJWKSet.from_dict(document)[key.kid]
    assert jwt.decode(token, published, algorithms=["RS256"]) == {"sub": "x"}
    assert not {"d", "p", "q"} & document["keys"][0].keys()


def test_the_discovery_document_leads_to_the_keys() -> None:
    document = documents.discovery("https://hub.example")
    assert document["issuer"] == "https://hub.example"
    assert document["jwks_uri"] == "https://hub.example/.well-known/jwks.json"
    assert document["id_token_signing_alg_values_supported"] == ["RS256"]
