"""What a view tells the page about its object beside the answer: a title, and what would be refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What only the view of a page knows.

    `title` says what the page is; an empty title means the summary of the operation. `names` gives a readable name for
    parameters of the path, such as `{"federation_id": "eu-prod"}`. `refused` maps the id of each operation that the
    hub would refuse to this caller now to the reason, `hidden` maps an operation to the members of its body that
    would be refused, and `notes` to a sentence on what the state of the object allows.
    """

    title: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    hidden: Mapping[str, frozenset[str]] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
