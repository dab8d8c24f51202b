"""DID documents of servers: written with both key properties, read with either (DID Core, section 5.2).

Readers of did:web documents expect `publicKeyMultibase`, OpenIntent's reader expects `publicKeyBase64`.
"""

from collections.abc import Sequence

from core.strict_json import Json, JsonMapping, JsonObject
from peers.protocol.did import is_same_did
from peers.protocol.ed25519_keys import VerificationKey
from peers.protocol.errors import InvalidIdentifier, InvalidKey, MalformedMessage
from peers.protocol.json_fields import read_object, read_text

CONTEXTS = ("https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/ed25519-2020/v1")
KEY_TYPE = "Ed25519VerificationKey2020"
_MAX_METHODS = 32


def build_did_document(did: str, keys: Sequence[VerificationKey]) -> JsonObject:
    """Return the DID document that lists the keys as `#key-1`, `#key-2` and so on; the signing key comes first."""
    methods: list[Json] = [_method(did, f"{did}#key-{number}", key) for number, key in enumerate(keys, start=1)]
    references: list[Json] = [f"{did}#key-{number}" for number in range(1, len(keys) + 1)]
    contexts: list[Json] = [*CONTEXTS]
    return {
        "@context": contexts,
        "id": did,
        "verificationMethod": methods,
        "authentication": references,
        "assertionMethod": [*references],
    }


def read_did_document(document: JsonMapping, did: str) -> tuple[VerificationKey, ...]:
    """Return the Ed25519 keys of a DID document, in its order, each once.

    A verification method is read if its type is Ed25519VerificationKey2020 and `authentication` or `assertionMethod`
    names it; methods of other types are ignored. Raises InvalidIdentifier if the document has another id, InvalidKey if
    a key is bad, belongs to another controller, or no key is left, MalformedMessage for other errors.
    """
    document = read_object(document, "DID document")
    if not is_same_did(read_text(document, "id"), did):
        raise InvalidIdentifier("the DID document has another id")
    purposes = _references(document, "authentication") | _references(document, "assertionMethod")
    keys: dict[VerificationKey, None] = {}
    for entry in _list(document, "verificationMethod"):
        method = read_object(entry, "verification method")
        if method.get("type") == KEY_TYPE and _fragment(read_text(method, "id"), did) in purposes:
            keys[_read_key(method, did)] = None
    if not keys:
        raise InvalidKey("the DID document has no Ed25519 key")
    return tuple(keys)


def _method(did: str, method_id: str, key: VerificationKey) -> JsonObject:
    return {
        "id": method_id,
        "type": KEY_TYPE,
        "controller": did,
        "publicKeyMultibase": key.multibase,
        "publicKeyBase64": key.base64,
    }


def _read_key(method: JsonMapping, did: str) -> VerificationKey:
    if not is_same_did(read_text(method, "controller", did), did):
        raise InvalidKey("the key is controlled by another DID")
    keys = {
        read(read_text(method, name))
        for name, read in (
            ("publicKeyMultibase", VerificationKey.from_multibase),
            ("publicKeyBase64", VerificationKey.from_base64),
        )
        if name in method
    }
    if len(keys) != 1:
        raise InvalidKey("a verification method must hold exactly one key")
    return keys.pop()


def _references(document: JsonMapping, purpose: str) -> set[str]:
    did = read_text(document, "id")
    return {_fragment(reference, did) for reference in _list(document, purpose) if isinstance(reference, str)} - {""}


def _fragment(method_id: str, did: str) -> str:
    """Return the part after `#` if the id belongs to the DID or is relative to it, else an empty string."""
    subject, _, fragment = method_id.partition("#")
    return fragment if not subject or is_same_did(subject, did) else ""


def _list(document: JsonMapping, key: str) -> list[Json]:
    value = document.get(key, [])
    if not isinstance(value, list) or len(value) > _MAX_METHODS:
        raise MalformedMessage(f"{key} is not a list of at most {_MAX_METHODS}")
    return value
