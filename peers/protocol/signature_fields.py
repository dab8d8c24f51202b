"""The fields Signature-Input and Signature, read and written (RFC 9421, sections 4.1 and 4.2).

Both are Structured Field dictionaries (RFC 9651). The package http-sf reads every valid Signature-Input, but takes as
long as an Ed25519 verification. A regular expression therefore tries first the form that signers usually write, without
escapes and optional spaces. Both readers return the same value for a text that both accept. The writer writes only the
form that this protocol needs: components without parameters, and parameters that are integers or strings.
"""

import re
from dataclasses import dataclass
from typing import NoReturn

import http_sf

from peers.protocol.base_encodings import decode_base64, encode_base64
from peers.protocol.errors import MalformedMessage, SignatureMalformed, SignatureMissing

MAX_FIELD_CHARS = 4096
MAX_COMPONENTS = 32
KNOWN_PARAMETERS = frozenset({"created", "expires", "nonce", "alg", "keyid", "tag"})
_INTEGER_PARAMETERS = frozenset({"created", "expires"})
_PRINTABLE = re.compile(r"[ -~]*")
_LABEL = r"[a-z*][a-z0-9_.*-]*"
_SIGNATURE = re.compile(rf"(?P<label>{_LABEL})=:(?P<base64>[A-Za-z0-9+/]*={{0,2}}):", re.ASCII)
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
    """The covered components and the signature parameters, both in signed order."""

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


def serialize_fields(label: str, signature_input: SignatureInput, signature: bytes) -> dict[str, str]:
    """Return both header fields for one signature."""
    return {
        "Signature-Input": f"{label}={signature_input.serialize()}",
        "Signature": f"{label}=:{encode_base64(signature)}:",
    }


def parse_fields(signature_input: str | None, signature: str | None) -> tuple[SignatureInput, bytes]:
    """Read the single signature of a message.

    Both fields must hold exactly one label, the same in both: with several labels a valid proof could hide an invalid
    one. Raises SignatureMissing if a field is absent, SignatureMalformed for duplicates, unknown parameters and wrong
    types.
    """
    if not signature_input or not signature:
        raise SignatureMissing("Signature-Input and Signature are both required")
    if max(len(signature_input), len(signature)) > MAX_FIELD_CHARS:
        raise SignatureMalformed(f"a signature field is longer than {MAX_FIELD_CHARS} characters")
    label, parsed_input = parse_usual_input(signature_input) or parse_any_input(signature_input)
    signed_label, signature_bytes = _read_signature(signature)
    if label != signed_label:
        raise SignatureMalformed("Signature-Input and Signature have different labels")
    return _checked(parsed_input), signature_bytes


def _read_signature(field: str) -> tuple[str, bytes]:
    match = _SIGNATURE.fullmatch(field)
    if match is None:
        raise SignatureMalformed("Signature must hold exactly one byte sequence")
    try:
        return match["label"], decode_base64(match["base64"])
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
    try:
        members = http_sf.parse(field.encode("ascii"), tltype="dictionary", on_duplicate_key=_refuse_duplicate)
    except SignatureMalformed:
        raise
    except ValueError as exc:
        raise SignatureMalformed("Signature-Input is not a structured dictionary") from exc
    if not isinstance(members, dict) or len(members) != 1:
        raise SignatureMalformed("Signature-Input must hold exactly one signature")
    ((label, inner_list),) = members.items()
    if not isinstance(inner_list, tuple) or not isinstance(inner_list[0], list):
        raise SignatureMalformed("Signature-Input is not an inner list")
    items, parameters = inner_list
    components = tuple(_read_component(item) for item in items)
    return label, SignatureInput(components, tuple(_read_parameter(*pair) for pair in parameters.items()))


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
