"""Keys: RFC 8032's vectors, unsafe keys, text forms, signatures, identities and key files."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers.protocol import InvalidKey, ServerIdentity, SignatureMalformed, SigningKey, VerificationKey
from peers.protocol.base_encodings import encode_base58btc, encode_base64
from peers.protocol.ed25519_keys import decode_signature, find_signer
from tests.pure.protocol.strategies import some
from tests.pure.protocol.vectors import HUB, identity, load

RFC8032 = load("rfc8032.json")
SIGNATURES = RFC8032["signatures"]
REFUSED = RFC8032["refused_public_keys"]
assert isinstance(SIGNATURES, list) and isinstance(REFUSED, dict)
PUBLIC_KEY = identity(HUB).public_key_b64
REFUSED_KEYS = [(kind, key) for kind, keys in REFUSED.items() if isinstance(keys, list) for key in keys]


@pytest.mark.parametrize("vector", SIGNATURES, ids=lambda vector: str(vector["name"]))
def test_rfc_8032_vectors_sign_and_verify(vector: dict[str, str]) -> None:
    key, message = SigningKey(bytes.fromhex(vector["secret_key"])), bytes.fromhex(vector["message"])
    signature = bytes.fromhex(vector["signature"])
    assert bytes(key.verification_key).hex() == vector["public_key"]
    assert key.sign(message) == signature
    assert key.verification_key.is_signed(message, signature)
    assert not key.verification_key.is_signed(message + b"x", signature)


@pytest.mark.parametrize("number", range(64))
def test_a_change_in_any_byte_of_a_signature_is_refused(number: int) -> None:
    key = identity(HUB).signing_key()
    signature = bytearray(key.sign(b"message"))
    signature[number] ^= 1
    assert not key.verification_key.is_signed(b"message", bytes(signature))


@pytest.mark.parametrize(("kind", "key"), REFUSED_KEYS)
def test_unsafe_public_keys_are_refused(kind: str, key: str) -> None:
    with pytest.raises(InvalidKey, match="prime order"):
        VerificationKey(bytes.fromhex(key))


def test_a_signature_with_s_beyond_the_group_order_is_refused() -> None:
    key = identity(HUB).signing_key()
    signature = key.sign(b"message")
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(signature[32:], "little") + order
    assert not key.verification_key.is_signed(b"message", signature[:32] + s.to_bytes(32, "little"))


@some
@given(st.binary(min_size=32, max_size=32))
def test_every_spelling_of_a_key_reads_back(seed: bytes) -> None:
    key = SigningKey(seed).verification_key
    assert VerificationKey(bytes(key)) == key
    assert VerificationKey.from_base64(key.base64) == key
    assert VerificationKey.from_multibase(key.multibase) == key
    assert hash(VerificationKey.from_multibase(key.multibase)) == hash(key)


def test_a_public_key_shows_itself_and_equals_nothing_else() -> None:
    key = identity(HUB).verification_keys[0]
    assert repr(key) == f"VerificationKey({key.base64!r})"
    assert key != bytes(key)
    assert key != identity(HUB, 2).verification_keys[0]


def test_a_signature_of_another_length_is_not_of_this_key() -> None:
    assert not identity(HUB).verification_keys[0].is_signed(b"message", bytes(63))


def test_a_fingerprint_is_the_sha_256_in_hex_pairs() -> None:
    assert identity(HUB).verification_keys[0].fingerprint == (
        "34:75:0f:98:bd:59:fc:fc:94:6d:a4:5a:aa:be:93:3b:e1:54:a4:b5:09:4e:1c:4a:bf:42:86:65:05:f3:c9:7e"
    )


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_keys_of_another_size_are_refused(size: int) -> None:
    with pytest.raises(InvalidKey):
        VerificationKey(bytes(size))
    with pytest.raises(InvalidKey):
        SigningKey(bytes(size))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "u" + encode_base58btc(b"\xed\x01" + bytes(32)),
        "z",
        "z0",
        "z" + encode_base58btc(b"\xec\x01" + bytes(identity(HUB).verification_keys[0])),
        "z" + encode_base58btc(b"\xed\x01" + bytes(identity(HUB).verification_keys[0]) + b"x"),
        "z" + "1" * 1000,
    ],
)
def test_other_multibase_texts_are_refused(text: str) -> None:
    with pytest.raises(InvalidKey):
        VerificationKey.from_multibase(text)


@pytest.mark.parametrize(
    "text", ["", "x", "ä", identity(HUB).public_key_b64.rstrip("="), identity(HUB).public_key_b64 + "\n"]
)
def test_other_base64_keys_are_refused(text: str) -> None:
    with pytest.raises(InvalidKey):
        VerificationKey.from_base64(text)


@pytest.mark.parametrize(
    ("signature", "reason"), [(bytes(32), "HMAC"), (bytes(63), "64 bytes"), (bytes(65), "64 bytes"), (b"", "64 bytes")]
)
def test_a_signature_of_another_length_is_refused_with_the_reason(signature: bytes, reason: str) -> None:
    with pytest.raises(SignatureMalformed, match=reason):
        decode_signature(encode_base64(signature))


def test_a_signature_has_88_characters_of_padded_base64() -> None:
    signature = identity(HUB).sign(b"message")
    assert len(signature) == 88
    assert signature.endswith("==")


def test_at_most_three_keys_are_tried() -> None:
    keys = [identity(HUB, number).verification_keys[0] for number in range(1, 5)]
    signature = identity(HUB, 3).signing_key().sign(b"message")
    assert find_signer(keys, b"message", signature) == keys[2]
    assert find_signer(keys[:2], b"message", signature) is None
    assert find_signer([*keys[:2], keys[3], keys[2]], b"message", signature) is None


def test_private_bytes_show_in_no_representation() -> None:
    secret = identity(HUB)
    secret.sign(b"message")
    shown = repr(secret) + str(secret) + repr(secret.signing_key()) + f"{secret.signing_key()!s}"
    assert secret.private_key_bytes is not None
    assert repr(secret.private_key_bytes)[2:-1] not in shown
    assert secret.private_key_bytes.hex() not in shown
    assert encode_base64(secret.private_key_bytes) not in shown


def test_an_identity_derives_its_did_and_its_public_key() -> None:
    assert identity(HUB).did == "did:web:hub.example.com"
    assert ServerIdentity(HUB, did="did:web:other.example").did == "did:web:other.example"
    assert identity(HUB).public_key_bytes == bytes(identity(HUB).signing_key().verification_key)
    assert ServerIdentity(HUB).public_key_b64 == ""


def test_two_keys_that_are_no_pair_are_refused() -> None:
    with pytest.raises(InvalidKey, match="does not belong"):
        ServerIdentity(HUB, private_key_bytes=bytes([1]) * 32, public_key_bytes=identity(HUB, 2).public_key_bytes)


def test_generated_identities_differ() -> None:
    assert ServerIdentity.generate(HUB).public_key_bytes != ServerIdentity.generate(HUB).public_key_bytes


def test_a_public_identity_verifies_but_cannot_sign_or_save(tmp_path: Path) -> None:
    public = ServerIdentity(HUB, public_key_bytes=identity(HUB).public_key_bytes)
    assert public.verify(b"message", identity(HUB).sign(b"message"))
    with pytest.raises(ValueError, match="No private key available for signing"):
        public.sign(b"message")
    with pytest.raises(InvalidKey):
        public.save_key(tmp_path / "key")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("signature", ["", "x", "====", encode_base64(bytes(32)), encode_base64(bytes(64)), "ä"])
def test_verify_is_false_for_anything_else(signature: str) -> None:
    assert not identity(HUB).verify(b"message", signature)
    assert not ServerIdentity(HUB).verify(b"message", signature)


def test_after_a_rotation_old_and_new_signatures_verify_and_the_new_key_signs() -> None:
    old, other = identity(HUB, 1), identity(HUB, 3)
    assert old.public_key_bytes is not None
    new = ServerIdentity(HUB, private_key_bytes=bytes([2]) * 32, previous_public_keys=(old.public_key_bytes,))
    assert new.verify(b"message", old.sign(b"message"))
    assert new.verify(b"message", new.sign(b"message"))
    assert not old.verify(b"message", new.sign(b"message"))
    assert not new.verify(b"message", other.sign(b"message"))
    assert [key.base64 for key in new.verification_keys] == [new.public_key_b64, old.public_key_b64]


def test_a_changed_private_key_is_used_at_once() -> None:
    changing = identity(HUB, 1)
    changing.sign(b"message")
    changing.private_key_bytes = identity(HUB, 2).private_key_bytes
    assert identity(HUB, 2).verify(b"message", changing.sign(b"message"))


def test_a_key_file_holds_the_raw_seed_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "key"
    identity(HUB).save_key(path)
    assert path.read_bytes() == bytes([1]) * 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ServerIdentity.from_key_file(HUB, str(path)) == identity(HUB)
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


def test_a_key_file_is_not_overwritten_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "key"
    identity(HUB, 1).save_key(path)
    path.chmod(0o644)
    with pytest.raises(FileExistsError):
        identity(HUB, 2).save_key(path)
    assert path.read_bytes() == bytes([1]) * 32
    identity(HUB, 2).save_key(path, overwrite=True)
    assert path.read_bytes() == bytes([2]) * 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


def test_a_key_is_not_written_through_a_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        identity(HUB).save_key(tmp_path / "key")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----\n", "PEM"),
        (b"01" * 32, "hex"),
        (b"01" * 32 + b"\n", "hex"),
        (encode_base64(bytes([1]) * 32).encode() + b"\n", "base64"),
        (bytes([1]) * 33, "33 bytes"),
        (bytes([1]) * 31, "31 bytes"),
        (bytes([1]) * 64, "64 bytes"),
        (b"", "0 bytes"),
    ],
)
def test_a_key_file_of_another_format_is_refused_and_never_truncated(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(InvalidKey, match=reason):
        ServerIdentity.from_key_file(HUB, str(path))


def test_a_missing_key_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ServerIdentity.from_key_file(HUB, str(tmp_path / "key"))
