"""DID documents of servers: written with both key properties, read in the spellings of all suites (DID Core, 5.2).

Readers of did:web documents expect `publicKeyMultibase`, OpenIntent's reader expects `publicKeyBase64`. Issuers write
an Ed25519 key in several types, and mark a key that they withdraw.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.strict_json import Json, JsonMapping, JsonObject
from peers.protocol.base_encodings import decode_base58btc, decode_base64url
from peers.protocol.did import is_same_did
from peers.protocol.ed25519_keys import VerificationKey
from peers.protocol.errors import InvalidIdentifier, InvalidKey, MalformedMessage
from peers.protocol.json_fields import read_object, read_text
from peers.protocol.timestamps import parse_timestamp

CONTEXTS = ("https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/ed25519-2020/v1")
KEY_TYPE = "Ed25519VerificationKey2020"
ED25519_TYPES = frozenset({KEY_TYPE, "Ed25519VerificationKey2018"})
KEY_TYPES = ED25519_TYPES | {"Multikey", "JsonWebKey2020", "JsonWebKey"}
_PURPOSES = ("authentication", "assertionMethod")
# base58btc of 0xed01 and any 32 bytes begins with these signs (Multikey, section 2.1).
_ED25519_MULTIKEY = "z6Mk"
_MAX_METHODS = 32
_MAX_TYPES_SHOWN = 5
_MAX_TYPE_CHARS = 80


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


class Withdrawal(StrEnum):
    """The way in which the owner of a key has withdrawn the key, as the owner's DID document shows it.

    UNPUBLISHED: the document omits the key. REVOKED and EXPIRED: the document has the key and says so.
    """

    UNPUBLISHED = "unpublished"
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class PublishedKeys:
    """The Ed25519 keys that `read_published_keys` found in a DID document.

    `usable` are the valid keys in the order of the document. `withdrawn` maps each withdrawn key to the way in which
    its owner withdrew it. `other_types` describes the verification methods that hold no Ed25519 key, for a message to
    staff.
    """

    usable: tuple[VerificationKey, ...]
    withdrawn: Mapping[VerificationKey, Withdrawal]
    other_types: tuple[str, ...]

    @property
    def refusal(self) -> str:
        """Return why there is no usable key: the withdrawn keys and the types that were found."""
        found = [f"a key that is {way.value}" for way in sorted(set(self.withdrawn.values()))]
        found += self.other_types
        return "the DID document has no Ed25519 key" + (f"; it has {', '.join(found)}" if found else "")


def read_did_document(document: JsonMapping, did: str, *, now: float | None = None) -> tuple[VerificationKey, ...]:
    """Return the usable Ed25519 keys of a DID document, in its order, each once.

    Raises as read_published_keys does, and InvalidKey, with the types that were found, if no key is left.
    """
    found = read_published_keys(document, did, now=now)
    if not found.usable:
        raise InvalidKey(found.refusal)
    return found.usable


def read_published_keys(document: JsonMapping, did: str, *, now: float | None) -> PublishedKeys:
    """Return the Ed25519 keys of a DID document that `authentication` or `assertionMethod` names or embeds.

    The types Ed25519VerificationKey2020 and 2018, Multikey, JsonWebKey2020 and JsonWebKey are read; methods of other
    types, and of the last three with other keys, are passed over. One value may stand where a list is usual, and the
    reverse for `type`. A key is withdrawn if its method has `revoked` or `expires` not after `now` (Unix seconds), or
    if the document is `deactivated`; an unreadable time withdraws too. Without `now` each `revoked` withdraws, and
    `expires` is not checked.

    Raises InvalidIdentifier if the document has another id, InvalidKey if a key is bad or belongs to another
    controller, MalformedMessage for other errors.
    """
    document = read_object(document, "DID document")
    if not is_same_did(read_text(document, "id"), did):
        raise InvalidIdentifier("the DID document has another id")
    is_deactivated = document.get("deactivated") not in (None, False)
    usable: dict[VerificationKey, None] = {}
    withdrawn: dict[VerificationKey, Withdrawal] = {}
    other_types: dict[str, None] = {}
    for method in _vouched_methods(document, did):
        types = _types_of(method)
        key = _read_key(method, did, types) if types & KEY_TYPES else None
        if key is None:
            other_types[_shown_types(types)] = None
        elif way := Withdrawal.REVOKED if is_deactivated else _withdrawal_of(method, now):
            withdrawn[key] = way
        else:
            usable[key] = None
    kept = tuple(key for key in usable if key not in withdrawn)
    return PublishedKeys(kept, withdrawn, tuple(other_types)[:_MAX_TYPES_SHOWN])


def _method(did: str, method_id: str, key: VerificationKey) -> JsonObject:
    return {
        "id": method_id,
        "type": KEY_TYPE,
        "controller": did,
        "publicKeyMultibase": key.multibase,
        "publicKeyBase64": key.base64,
    }


def _vouched_methods(document: JsonMapping, did: str) -> list[JsonMapping]:
    """Return the verification methods of the DID that a purpose names by its id or embeds (DID Core, 5.3)."""
    entries = [entry for purpose in _PURPOSES for entry in _list(document, purpose)]
    embedded = [entry for entry in entries if isinstance(entry, dict) and entry.keys() != {"id"}]
    references = {entry for entry in entries if isinstance(entry, str)}
    references |= {read_text(entry, "id") for entry in entries if isinstance(entry, dict) and entry.keys() == {"id"}}
    named = {_fragment(reference, did) for reference in references} - {""}
    methods = [read_object(entry, "verification method") for entry in _list(document, "verificationMethod")]
    vouched = [method for method in methods if _fragment(read_text(method, "id"), did) in named]
    return vouched + [method for method in embedded if _fragment(read_text(method, "id"), did)]


def _types_of(method: JsonMapping) -> set[str]:
    found = method.get("type")
    return {name for name in (found if isinstance(found, list) else [found]) if isinstance(name, str)}


def _shown_types(types: set[str]) -> str:
    shown = ", ".join(sorted(types)) or "a method without a type"
    return "".join(sign if sign.isprintable() else "?" for sign in shown)[:_MAX_TYPE_CHARS]


def _read_key(method: JsonMapping, did: str, types: set[str]) -> VerificationKey | None:
    """Return the key of a method; None for a key of another curve in a type that holds several kinds of keys."""
    if not types & ED25519_TYPES and not _is_ed25519(method):
        return None
    if not is_same_did(read_text(method, "controller", did), did):
        raise InvalidKey("the key is controlled by another DID")
    written = [name for name in (*_READERS, "publicKeyJwk") if name in method]
    # Only this protocol's spelling of the 2020 suite has two properties; elsewhere a second one is a mistake.
    if not written or (len(written) > 1 and KEY_TYPE not in types):
        raise InvalidKey("a verification method must hold exactly one key")
    keys = {
        _read_jwk(method) if name == "publicKeyJwk" else _READERS[name](read_text(method, name)) for name in written
    }
    if len(keys) != 1:
        raise InvalidKey("a verification method must hold exactly one key")
    return keys.pop()


def _is_ed25519(method: JsonMapping) -> bool:
    """Tell whether a Multikey or JWK says that it is an Ed25519 key; the key itself may still be bad."""
    jwk, multibase = method.get("publicKeyJwk"), method.get("publicKeyMultibase")
    if isinstance(jwk, dict):
        return jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519"
    return isinstance(multibase, str) and multibase.startswith(_ED25519_MULTIKEY)


def _read_jwk(method: JsonMapping) -> VerificationKey:
    """Return the key of `publicKeyJwk` (RFC 8037, section 2); raises InvalidKey."""
    jwk = read_object(method.get("publicKeyJwk"), "publicKeyJwk")
    if jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519":
        raise InvalidKey("publicKeyJwk does not hold an Ed25519 key")
    try:
        return VerificationKey(decode_base64url(read_text(jwk, "x")))
    except InvalidKey:
        raise
    except MalformedMessage as exc:
        raise InvalidKey("publicKeyJwk is not base64url") from exc


def _read_base58(text: str) -> VerificationKey:
    """Return the key of `publicKeyBase58` (Ed25519VerificationKey2018): the bare 32 bytes; raises InvalidKey."""
    try:
        return VerificationKey(decode_base58btc(text))
    except InvalidKey:
        raise
    except MalformedMessage as exc:
        raise InvalidKey("publicKeyBase58 is not base58btc") from exc


_READERS: Mapping[str, Callable[[str], VerificationKey]] = {
    "publicKeyMultibase": VerificationKey.from_multibase,
    "publicKeyBase64": VerificationKey.from_base64,
    "publicKeyBase58": _read_base58,
}


def _withdrawal_of(method: JsonMapping, now: float | None) -> Withdrawal | None:
    if _is_past(method.get("revoked"), now):
        return Withdrawal.REVOKED
    is_checked = now is not None
    return Withdrawal.EXPIRED if is_checked and _is_past(method.get("expires"), now) else None


def _is_past(value: Json, now: float | None) -> bool:
    """Tell whether a time has come.

    Returns True for a value that is not a time, because the owner of the key wrote the value to withdraw the key.
    """
    if value is None or value is False:
        return False
    if now is None or not isinstance(value, str):
        return True
    try:
        return parse_timestamp(value) <= now
    except MalformedMessage:
        return True


def _fragment(method_id: str, did: str) -> str:
    """Return the part after `#` if the id belongs to the DID or is relative to the DID; otherwise an empty string."""
    subject, _, fragment = method_id.partition("#")
    return fragment if not subject or is_same_did(subject, did) else ""


def _list(document: JsonMapping, key: str) -> list[Json]:
    """Return a member that is a list; a text or an object stands for a list of one."""
    value = document.get(key, [])
    if isinstance(value, str | dict):
        return [value]
    if not isinstance(value, list) or len(value) > _MAX_METHODS:
        raise MalformedMessage(f"{key} is not a list of at most {_MAX_METHODS}")
    return value
