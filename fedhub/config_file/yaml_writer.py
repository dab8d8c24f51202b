"""Write plain values as YAML that `yaml_reader` reads as the same values."""

from __future__ import annotations

import re
from typing import Any

import yaml

from core.strict_json import Json

# YAML 1.1 reads these as ends of lines, or drops them. PyYAML writes them raw in some styles, so they are escaped.
_ODD_SIGNS = re.compile("[\x85\u2028\u2029\ufeff]")
# PyYAML leaves out the quotes of some texts that are numbers in YAML 1.2, such as 0E0, and not in YAML 1.1.
_LIKE_NUMBER = re.compile(r"[-+.0-9]")
_WIDTH = 1_000_000


class _Dumper(yaml.SafeDumper):
    """Writes equal values out, and not as anchors, which the reader refuses."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Return the node of a text; one with odd signs, or that begins as a number does, is in double quotes."""
        style = '"' if _ODD_SIGNS.search(text) or _LIKE_NUMBER.match(text) else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def write_yaml(value: Json) -> str:
    """Return the value as YAML, with the keys in their order and each text on one line."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH))
