"""Families of endpoints with an error body of their own; each app registers its families in `AppConfig.ready`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class EndpointFamily:
    """Endpoints that share a form of error body. An app registers the family; core.api looks it up by a path.

    An endpoint belongs to the family if the beginning of its path matches `address`. `error_body` takes an HTTP status
    and a message and returns the JSON body of an error.
    """

    address: re.Pattern[str]
    error_body: Callable[[int, str], dict[str, Any]]


_families: list[EndpointFamily] = []


def register_family(family: EndpointFamily) -> None:
    """Add a family; if two families match a path, the first registered one is used."""
    if family not in _families:
        _families.append(family)


def find_family(path: str) -> EndpointFamily | None:
    """Return the family that the path of a request belongs to, or None."""
    return next((family for family in _families if family.address.match(path)), None)
