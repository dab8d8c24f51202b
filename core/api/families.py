"""Families of endpoints whose errors have a body of their own; each app registers its family in `AppConfig.ready`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class EndpointFamily:
    """Addresses with one form of error: `error_body` takes a status and a message and returns the JSON body.

    `is_audited` says whether requests to these addresses may change rows that the audit log covers.
    """

    address: re.Pattern[str]
    error_body: Callable[[int, str], dict[str, Any]]
    is_audited: bool = True


_families: list[EndpointFamily] = []


def register_family(family: EndpointFamily) -> None:
    """Add a family; the first one registered wins where two match."""
    if family not in _families:
        _families.append(family)


def family_of(path: str) -> EndpointFamily | None:
    """Return the family that the path of a request belongs to, or None."""
    return next((family for family in _families if family.address.match(path)), None)
