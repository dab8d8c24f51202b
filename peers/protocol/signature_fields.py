"""The fields Signature-Input and Signature, read and written (RFC 9421, sections 4.1 and 4.2).

Both are Structured Field dictionaries (RFC 9651). The package http-sf reads every valid Signature-Input, but takes as
long as an Ed25519 verification. A regular expression therefore tries first the form that signers usually write, without
escapes and optional spaces. Both readers return the same value for a text that both accept. The writer writes only the
form that this protocol needs: components without parameters, and parameters that are integers or strings.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

import http_sf

from peers.protocol.base_encodings import decode_base64, encode_base64
from peers.protocol.errors import MalformedMessage, SignatureMalformed, SignatureMissing

MAX_FIELD_CHARS = 8192
MAX_SIGNATURES = 8
MAX_COMPONENTS = 32
KNOWN_PARAMETERS = frozenset({"created", "expires", "nonce", "alg", "keyid", "tag"})
_INTEGER_PARAMETERS = frozenset({"created", "expires"})
_PRINTABLE = re.compile(r"[ -~]*")
_LABEL = r"[a-z*][a-z0-9_.*-]*"
_SIGNATURE = re.compile(rf"(?P<label>{_LABEL})=:(?P<base64>[A-Za-z0-9+/]*={{0,2}}):", re.ASCII)
_SEPARATOR = re.compile(r"[ \t]*,[ \t]*")
_STRING = r'"[ !#-\[\]-~]*"'
_USUAL_INPUT = re.compile(
    rf"(?P<label>{_LABEL})=\((?P<components>{_STRING}(?: {_STRING})*)\)"
    rf"(?P<parameters>(?:;[a-z]+=(?:{_STRING}|[0-9]{{1,15}}))*)",
    re.ASCII,
)
_USUAL_PARAMETER = re.compile(r';([a-z]+)=(?:"([^"]*)"|([0-9]+))', re.ASCII)
_COMPONENT = re.compile(r"@?[a-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class SignatureInput:
    """The value of one Signature-Input: the covered components and the signature parameters, in the signer's order."""

    components: tuple[str, ...]
    parameters: tuple[tuple[str, int | str], ...]

    def serialize(self) -> str:
        """Return the value of @signature-params (RFC 9421, section 2.3)."""
        components = " ".join(map(_serialize_string, self.components))
        return f"({components})" + "".join(
            f";{name}={value if isinstance(value, int) else _serialize_string(value)}"
            for name, value in self.parameters
        )

    def text(self, name: str) -> str | None:
        """Return a string parameter, None if it is absent."""
        value = dict(self.parameters).get(name)
        return value if isinstance(value, str) else None

    def integer(self, name: str) -> int | None:
        """Return an integer parameter, None if it is absent."""
        value = dict(self.parameters).get(name)
        return value if isinstance(value, int) else None


@dataclass(frozen=True, slots=True)
class SignatureMember:
    """One of several signatures of a message, as `split_fields` returns it; `read` checks its other two fields.

    `keyid` says who made the signature, None if it is absent or unreadable. `inner_list` is the unchecked
    Signature-Input, `base64` the encoded signature. The caller does not `read` the member of another party, such as a
    proxy, because that member may have components and parameters that this protocol does not know.
    """

    keyid: str | None
    inner_list: object
    base64: str

    def read(self) -> tuple[SignatureInput, bytes]:
        """Return the input and the signature; raises SignatureMalformed as parse_fields does."""
        return _checked(_read_inner_list(self.inner_list)), _decode(self.base64)


def serialize_fields(label: str, signature_input: SignatureInput, signature: bytes) -> dict[str, str]:
    """Return both header fields for one signature."""
    return {
        "Signature-Input": f"{label}={signature_input.serialize()}",
        "Signature": f"{label}=:{encode_base64(signature)}:",
    }


def parse_fields(signature_input: str | None, signature: str | None) -> tuple[SignatureInput, bytes]:
    """Read the single signature of a message.

    Both fields must hold exactly one label, the same in both; `split_fields` reads several. Raises SignatureMissing if
    a field is absent, SignatureMalformed for duplicates, unknown parameters and wrong types.
    """
    signature_input, signature = _bounded(signature_input, signature)
    label, parsed_input = parse_usual_input(signature_input) or parse_any_input(signature_input)
    signed_label, signature_bytes = _read_signature(signature)
    if label != signed_label:
        raise SignatureMalformed("Signature-Input and Signature have different labels")
    return _checked(parsed_input), signature_bytes


def split_fields(signature_input: str | None, signature: str | None) -> tuple[SignatureMember, ...]:
    """Return the signatures of a message with several, without reading them; () for a message with one.

    Each label must stand once in both fields. Lines of one field are joined with commas before (RFC 9110, 5.3), so a
    signer and a proxy may write one line or two. Raises SignatureMissing, and SignatureMalformed for fields that are
    not dictionaries, more than eight signatures, and a label that only one field has.
    """
    signature_input, signature = _bounded(signature_input, signature)
    if "," not in signature or _SIGNATURE.fullmatch(signature):
        return ()
    texts = [_read_byte_sequence(text) for text in _SEPARATOR.split(signature.strip(" \t"))]
    signatures = dict(texts)
    members = _parse_dictionary(signature_input)
    if len(texts) > MAX_SIGNATURES or len(signatures) != len(texts):
        raise SignatureMalformed(f"a label appears twice, or there are more than {MAX_SIGNATURES} signatures")
    if signatures.keys() != members.keys():
        raise SignatureMalformed("Signature-Input and Signature have different labels")
    return tuple(SignatureMember(_keyid_of(member), member, signatures[label]) for label, member in members.items())


def _bounded(signature_input: str | None, signature: str | None) -> tuple[str, str]:
    if not signature_input or not signature:
        raise SignatureMissing("Signature-Input and Signature are both required")
    if max(len(signature_input), len(signature)) > MAX_FIELD_CHARS:
        raise SignatureMalformed(f"a signature field is longer than {MAX_FIELD_CHARS} characters")
    return signature_input, signature


def _read_signature(field: str) -> tuple[str, bytes]:
    label, text = _read_byte_sequence(field)
    return label, _decode(text)


def _read_byte_sequence(field: str) -> tuple[str, str]:
    match = _SIGNATURE.fullmatch(field)
    if match is None:
        raise SignatureMalformed("Signature must hold exactly one byte sequence for each label")
    return match["label"], match["base64"]


def _decode(text: str) -> bytes:
    try:
        return decode_base64(text)
    except MalformedMessage as exc:
        raise SignatureMalformed("the signature is not base64") from exc


def parse_usual_input(field: str) -> tuple[str, SignatureInput] | None:
    """Return label and input of a field in the usual form, None for every other form; raises SignatureMalformed."""
    if not (match := _USUAL_INPUT.fullmatch(field)):
        return None
    components = match["components"][1:-1].split('" "')
    parameters = tuple(
        (name, int(integer) if integer else text)
        for name, text, integer in _USUAL_PARAMETER.findall(match["parameters"])
    )
    if len(dict(parameters)) != len(parameters):
        raise SignatureMalformed("duplicate parameter")
    return match["label"], SignatureInput(tuple(components), parameters)


def parse_any_input(field: str) -> tuple[str, SignatureInput]:
    """Return label and input of any structured dictionary with one member; raises SignatureMalformed."""
    members = _parse_dictionary(field)
    if len(members) != 1:
        raise SignatureMalformed("Signature-Input must hold exactly one signature")
    ((label, inner_list),) = members.items()
    return label, _read_inner_list(inner_list)


def _parse_dictionary(field: str) -> Mapping[str, object]:
    try:
        members = http_sf.parse(field.encode("ascii"), tltype="dictionary", on_duplicate_key=_refuse_duplicate)
    except SignatureMalformed:
        raise
    except ValueError as exc:
        raise SignatureMalformed("Signature-Input is not a structured dictionary") from exc
    if not isinstance(members, dict):
        raise SignatureMalformed("Signature-Input is not a structured dictionary")
    return members


def _read_inner_list(inner_list: object) -> SignatureInput:
    if not isinstance(inner_list, tuple) or not isinstance(inner_list[0], list):
        raise SignatureMalformed("Signature-Input is not an inner list")
    items, parameters = inner_list
    components = tuple(_read_component(item) for item in items)
    return SignatureInput(components, tuple(_read_parameter(*pair) for pair in parameters.items()))


def _keyid_of(inner_list: object) -> str | None:
    is_read = isinstance(inner_list, tuple) and isinstance(inner_list[1], dict)
    keyid = inner_list[1].get("keyid") if is_read else None  # type: ignore[index]
    return keyid if type(keyid) is str else None


def _refuse_duplicate(key: str, context: str) -> NoReturn:
    raise SignatureMalformed(f"duplicate {context} {key}")


def _read_component(item: object) -> str:
    if not isinstance(item, tuple) or type(item[0]) is not str:
        raise SignatureMalformed("a covered component is not a string")
    if item[1]:
        raise SignatureMalformed("component parameters are not supported")
    return item[0]


def _read_parameter(name: str, value: object) -> tuple[str, int | str]:
    # type, not isinstance: bool is a subclass of int, and http-sf's Token one of str.
    if type(value) is int or type(value) is str:
        return name, value
    raise SignatureMalformed(f"signature parameter {name} is neither integer nor string")


def _checked(parsed: SignatureInput) -> SignatureInput:
    components = parsed.components
    if len(components) > MAX_COMPONENTS or len(set(components)) != len(components):
        raise SignatureMalformed(f"a component is covered twice, or there are more than {MAX_COMPONENTS}")
    if not all(map(_COMPONENT.fullmatch, components)):
        raise SignatureMalformed("a component name is a field name in lower case, or starts with @")
    for name, value in parsed.parameters:
        if name not in KNOWN_PARAMETERS:
            raise SignatureMalformed(f"unknown signature parameter {name}")
        if isinstance(value, int) is not (name in _INTEGER_PARAMETERS):
            raise SignatureMalformed(f"signature parameter {name} has the wrong type")
    return parsed


def _serialize_string(text: str) -> str:
    if not _PRINTABLE.fullmatch(text):
        raise SignatureMalformed("not printable ASCII")
    if '"' in text or "\\" in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
