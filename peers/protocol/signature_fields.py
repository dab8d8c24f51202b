"""The fields Signature-Input and Signature, read and written (RFC 9421, sections 4.1 and 4.2).

Both are Structured Field dictionaries (RFC 9651), parsed by http-sf. Written is only the narrow form that this
protocol knows: components without parameters, and parameters that are integers or strings.
"""

import re
from dataclasses import dataclass
from typing import NoReturn

import http_sf

from peers.protocol.encoding import encode_base64
from peers.protocol.errors import SignatureMalformed, SignatureMissing

MAX_FIELD_CHARS = 4096
MAX_COMPONENTS = 32
KNOWN_PARAMETERS = frozenset({"created", "expires", "nonce", "alg", "keyid", "tag"})
_INTEGER_PARAMETERS = frozenset({"created", "expires"})
_PRINTABLE = re.compile(r"[ -~]*")
_COMPONENT = re.compile(r"@?[a-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class SignatureInput:
    """The covered components in order, and the signature parameters in the order they are signed in."""

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
        """Return a string parameter, None when it is absent."""
        value = dict(self.parameters).get(name)
        return value if isinstance(value, str) else None

    def integer(self, name: str) -> int | None:
        """Return an integer parameter, None when it is absent."""
        value = dict(self.parameters).get(name)
        return value if isinstance(value, int) else None


def serialize_fields(label: str, signature_input: SignatureInput, signature: bytes) -> dict[str, str]:
    """Return both header fields for one signature."""
    return {
        "Signature-Input": f"{label}={signature_input.serialize()}",
        "Signature": f"{label}=:{encode_base64(signature)}:",
    }


def parse_fields(signature_input: str | None, signature: str | None) -> tuple[SignatureInput, bytes]:
    """Read the one signature of a message.

    One label, the same in both fields: with several, a proof that fails could hide behind one that holds. Raises
    SignatureMissing when a field is absent, SignatureMalformed for duplicates, unknown parameters, wrong types.
    """
    if not signature_input or not signature:
        raise SignatureMissing("Signature-Input and Signature are both needed")
    label, inner_list = _only_member(signature_input, "Signature-Input")
    signed_label, item = _only_member(signature, "Signature")
    if label != signed_label:
        raise SignatureMalformed("Signature-Input and Signature have different labels")
    if not isinstance(item, tuple) or not isinstance(item[0], bytes) or item[1]:
        raise SignatureMalformed("Signature is not a byte sequence")
    return _read_input(inner_list), item[0]


def check_component(name: str) -> str:
    """Return a component name that can be covered; raises SignatureMalformed for upper case and odd characters."""
    if not _COMPONENT.fullmatch(name):
        raise SignatureMalformed("a component name is a field name in lower case, or starts with @")
    return name


def _only_member(field: str, name: str) -> tuple[str, object]:
    if len(field) > MAX_FIELD_CHARS:
        raise SignatureMalformed(f"{name} is longer than {MAX_FIELD_CHARS} characters")
    try:
        members = http_sf.parse(field.encode("ascii"), tltype="dictionary", on_duplicate_key=_refuse_duplicate)
    except SignatureMalformed:
        raise
    except ValueError as exc:
        raise SignatureMalformed(f"{name} is not a structured dictionary") from exc
    if not isinstance(members, dict) or len(members) != 1:
        raise SignatureMalformed(f"{name} must hold one signature")
    ((label, member),) = members.items()
    return label, member


def _refuse_duplicate(key: str, context: str) -> NoReturn:
    raise SignatureMalformed(f"duplicate {context} {key}")


def _read_input(inner_list: object) -> SignatureInput:
    if not isinstance(inner_list, tuple) or not isinstance(inner_list[0], list):
        raise SignatureMalformed("Signature-Input is not an inner list")
    items, parameters = inner_list
    if len(items) > MAX_COMPONENTS:
        raise SignatureMalformed(f"more than {MAX_COMPONENTS} components")
    components = tuple(_read_component(item) for item in items)
    if len(set(components)) != len(components):
        raise SignatureMalformed("a component is covered twice")
    return SignatureInput(components, tuple(_read_parameter(name, value) for name, value in parameters.items()))


def _read_component(item: object) -> str:
    if not isinstance(item, tuple) or type(item[0]) is not str:
        raise SignatureMalformed("a covered component is not a string")
    if item[1]:
        raise SignatureMalformed("component parameters are not used here")
    return check_component(item[0])


def _read_parameter(name: str, value: object) -> tuple[str, int | str]:
    if name not in KNOWN_PARAMETERS:
        raise SignatureMalformed(f"unknown signature parameter {name}")
    # type, not isinstance: true is an int, and tokens are str-like.
    if name in _INTEGER_PARAMETERS and type(value) is int:
        return name, value
    if name not in _INTEGER_PARAMETERS and type(value) is str:
        return name, value
    raise SignatureMalformed(f"signature parameter {name} is of the wrong type")


def _serialize_string(text: str) -> str:
    if not _PRINTABLE.fullmatch(text):
        raise SignatureMalformed("not printable ASCII")
    if '"' in text or "\\" in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
