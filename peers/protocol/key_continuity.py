"""Proofs that the holder of an old key chose the new key.

The DID document of a server that changed its key may carry `keyContinuity`: a list of objects with `publicKeyBase64`
(the new key), `previousKeyBase64` and `signature`. The previous key signs the canonical bytes of a statement that names
the DID and both keys. Staff see the proof and decide whether to approve the new key.
"""

from collections.abc import Iterable

from core.strict_json import JsonMapping, JsonObject
from peers.protocol.base_encodings import encode_base64
from peers.protocol.canonical_json import canonical_bytes
from peers.protocol.ed25519_keys import SigningKey, VerificationKey, decode_signature
from peers.protocol.errors import ProtocolError
from peers.protocol.json_fields import read_text

CONTINUITY = "keyContinuity"
_MAX_PROOFS = 8


def continuity_proof(did: str, successor: VerificationKey, previous: SigningKey) -> JsonObject:
    """Return a proof for the DID document: the holder of `previous` chose `successor`."""
    old = previous.verification_key
    signature = previous.sign(_statement(did, successor, old))
    return {
        "publicKeyBase64": successor.base64,
        "previousKeyBase64": old.base64,
        "signature": encode_base64(signature),
    }


def is_continued(
    document: JsonMapping, did: str, successor: VerificationKey, trusted: Iterable[VerificationKey]
) -> bool:
    """Tell whether the document proves that the holder of a trusted key chose `successor`.

    At most eight proofs are read; a malformed proof is ignored.
    """
    proofs = document.get(CONTINUITY)
    if not isinstance(proofs, list):
        return False
    keys = {key.base64: key for key in trusted}
    return any(_is_proof(proof, did, successor, keys) for proof in proofs[:_MAX_PROOFS])


def _is_proof(proof: object, did: str, successor: VerificationKey, trusted: dict[str, VerificationKey]) -> bool:
    if not isinstance(proof, dict):
        return False
    try:
        previous = trusted.get(read_text(proof, "previousKeyBase64"))
        if previous is None or previous == successor or read_text(proof, "publicKeyBase64") != successor.base64:
            return False
        signature = decode_signature(read_text(proof, "signature"))
    except ProtocolError:
        return False
    return previous.is_signed(_statement(did, successor, previous), signature)


def _statement(did: str, successor: VerificationKey, previous: VerificationKey) -> bytes:
    # These member names occur in no other signed message, so that a signature of one kind never fits the other.
    statement: JsonObject = {"key_continuity": did, "previous_key": previous.base64, "successor": successor.base64}
    return canonical_bytes(statement)
