"""The links of an answer: which member of which object names something that has a page of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

_NAME = re.compile(r"\{(\w+)\}")
# A path with these parts would be another path, because browsers resolve them.
_DOTS = frozenset({".", ".."})


@dataclass(frozen=True, slots=True)
class Link:
    """The page that a member leads to.

    `address` has the names of members in braces; each is read from the object itself, else from the objects around it.
    `when` names the values that members of the object must have. `permission` is the permission of staff that the page
    needs, and empty for a page of the API.
    """

    address: str
    when: Mapping[str, frozenset[str]] = field(default_factory=dict)
    permission: str = ""


Rules = Mapping[tuple[str, str], Sequence[Link]]
"""The links of a member, by the name of its object's schema and its own name. The first link that fits is used."""

_rules: dict[tuple[str, str], tuple[Link, ...]] = {}


def register_links(rules: Rules) -> None:
    """Add the links of an app's answers. Each app registers its own in `AppConfig.ready`."""
    _rules.update({key: tuple(links) for key, links in rules.items()})


def registered_links() -> Rules:
    """Return the links that the apps have registered."""
    return _rules


def link_of(rules: Rules, schema_name: str, member: str, objects: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the address that a member leads to, or None.

    `objects` are the objects around the member, the nearest first. The address is percent-encoded, not escaped for
    HTML. A member that is null or empty, and one whose value a path cannot hold, leads nowhere.
    """
    for link in rules.get((schema_name, member), ()):
        if objects and all(objects[0].get(name) in values for name, values in link.when.items()):
            return _filled(link.address, objects)
    return None


def _filled(address: str, objects: Sequence[Mapping[str, Any]]) -> str | None:
    values: dict[str, str] = {}
    for name in _NAME.findall(address):
        value = next((each[name] for each in objects if name in each), None)
        # A number is kept as a subclass of str (answer_html.Number), and is not an id.
        if type(value) is not str or not value or value in _DOTS:
            return None
        values[name] = quote(value, safe="")
    return _NAME.sub(lambda match: values[match[1]], address)
