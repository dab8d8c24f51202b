"""A key that vouches for its successor.

The DID document of a server that changed its key may carry `keyContinuity`: a list of objects with `publicKeyBase64`
(the new key), `previousKeyBase64` and `signature`, made by the previous key over the canonical bytes of the statement.
It says that whoever held the old key chose the new one; whether that is enough is for people to decide.
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
    """Return the proof that the holder of `previous` chose `successor`, to be published in the DID document."""
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
    """Tell whether the document proves that the holder of a trusted key chose `successor`; malformed proofs do not."""
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
    # Its own member names: no envelope, callback or attestation has these bytes.
    statement: JsonObject = {"key_continuity": did, "previous_key": previous.base64, "successor": successor.base64}
    return canonical_bytes(statement)
