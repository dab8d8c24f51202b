"""The entries of a time line of work between hubs, and how a page that shows some of them gets the others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.admin.labels import label
from core.strict_json import Json
from federations.admin.run_timeline import Entry, moment_text
from peers.admin.json_fields import json_as_fields, short_fields
from peers.admin.work.answer import ANSWER, ARTIFACTS
from peers.models import DispatchReceipt, JournalEntry, ReceiptStanding
from peers.services.journal_words import line_words

LONG_CHARACTERS = 1_500
MAX_LINES = 50
STANDING_WORDS: Mapping[str, str] = {
    ReceiptStanding.ONE: "signed by one hub",
    ReceiptStanding.BOTH: "signed by both hubs",
    ReceiptStanding.DIFFERS: "signed by both hubs, whose books differ",
}
STANDING_TONES: Mapping[str, str] = {ReceiptStanding.BOTH: "good", ReceiptStanding.DIFFERS: "warning"}
COMPLIANCE_COLORS = {"Policy was followed": "success", "Policy was not followed in all": "warning"}


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact of a time line, with its time. Facts of one time stay in the order in which they are listed."""

    at: datetime
    icon: str
    title: SafeString | str
    body: SafeString | str = ""
    tone: str = ""


def entries_of(facts: Iterable[Fact], *, beside: datetime) -> list[Entry]:
    """Return the entries of facts in the order of their times; a long content is folded."""
    return [
        Entry(
            number=number,
            kind="fact",
            icon=fact.icon,
            title=fact.title,
            time=moment_text(fact.at, beside),
            body=fact.body,
            is_folded=len(fact.body) > LONG_CHARACTERS,
            tone=fact.tone,
        )
        for number, fact in enumerate(sorted(facts, key=lambda fact: fact.at), 1)
    ]


def mark_of(entries: Sequence[Entry]) -> str:
    """Return a digest of entries, by which a page knows whether those that it shows are still the first ones."""
    text = "\n".join(f"{entry.title} {entry.time} {entry.body}" for entry in entries)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def delta_body(body: Mapping[str, Json]) -> SafeString | str:
    """Return what a report of this hub changed in the state; "" where it changed nothing.

    The answer has a place of its own, and the run's time line has the artifacts.
    """
    delta = body.get("state_delta")
    found = delta if isinstance(delta, dict) else {}
    shown: dict[str, Any] = {name: value for name, value in found.items() if name != ANSWER and value is not None}
    if isinstance(status := shown.get("status"), str):
        shown["status"] = status.replace("_", " ")
    if isinstance(artifacts := shown.get(ARTIFACTS), dict):
        names = [each.get("name") or key if isinstance(each, dict) else key for key, each in artifacts.items()]
        shown[ARTIFACTS] = ", ".join(map(str, names))
    return short_fields(shown) if shown else ""


def attestation_body(attestation: Mapping[str, Any]) -> SafeString:
    """Return an attestation: whether the policy was followed, and the usage."""
    text = "Policy was followed" if attestation.get("governance_compliant") else "Policy was not followed in all"
    usage = attestation.get("usage")
    shown = json_as_fields(usage) if isinstance(usage, dict) and usage else "No usage is reported."
    return format_html('<div class="mb-2">{}</div>{}', label(text, COMPLIANCE_COLORS), shown)


def receipt_facts(receipt: DispatchReceipt | None) -> list[Fact]:
    """Return the fact of a receipt, if there is one."""
    if receipt is None:
        return []
    differs = f"Different: {receipt.differs}." if receipt.differs else ""
    title = f"Receipt, {STANDING_WORDS.get(receipt.standing, receipt.standing)}"
    return [Fact(receipt.made_at, "receipt_long", title, differs, STANDING_TONES.get(receipt.standing, ""))]


def staff_facts(dispatch_id: str) -> list[Fact]:
    """Return what staff did with a dispatch after it was made, as the journal has it."""
    lines = JournalEntry.objects.filter(dispatch_id=dispatch_id).exclude(actor_name="").order_by("at", "id")
    return [
        Fact(line.at, "person", format_html("{}: {}", line.actor_name, line_words(line.kind, line.text)))
        for line in lines[:MAX_LINES]
        if not line.text.startswith("Dispatch of ")
    ]
