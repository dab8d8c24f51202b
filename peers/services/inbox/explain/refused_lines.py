"""Read the text of a journal line about refused messages, as `passing_lines` and `inbox.refused` write it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from peers.services.inbox.explain.causes import NOT_FOUND_EITHER, Why, why
from peers.services.trust.notices import NOT_PROVED
from peers.services.trust.proofs import Untrusted

_LINE = re.compile(
    r"(?P<what>Refused(?: \d+ further messages in a minute)?): (?P<reason>\w+|HTTP \d{3})"
    r"(?: \((?P<detail>[a-z ]+)\))?(?P<rest>;.*|)",
    re.DOTALL,
)
_FROM = re.compile(rf"; {NOT_PROVED}; from (?P<source>[^;]*)")
_KEY = re.compile(r"; key (?P<key>[0-9a-f ]+) \((?P<state>[a-z]+)\)")
_AGENT = re.compile(r"; agent (?P<id>\S+?)(?: \((?P<known>[a-z ]+)\))?\Z")
KEY_STATES = {
    "revoked": "which staff revoked",
    "proposed": "which waits for the decision of staff",
    "ended": "whose time has ended",
    "provisional": "which the hub trusts only under the trust policy open",
    "pinned": "which the hub trusts",
}


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """What a line says of the refused message, or of a number of them.

    `what` is its first words, `reason` the class of the refusal, `detail` its cause within the class. `source` is the
    address of a sender that is not proved, `key` what is known of the key that such a sender shows, as a sentence.
    `agent` is the id of the agent that was not found, with its visibility. The further ones are "" where not said.
    """

    what: str
    reason: str
    detail: str = ""
    is_proven: bool = True
    source: str = ""
    is_report: bool = False
    key: str = ""
    agent: tuple[str, str] = ("", "")

    def why(self, *, is_report: bool | None = None) -> Why | None:
        """Return the cause; None for a class that belongs to no check. `is_report` is what the caller knows better."""
        return why(
            self.reason,
            self.detail,
            is_proven=self.is_proven,
            is_report=self.is_report if is_report is None else is_report,
            agent=self.agent,
        )

    @property
    def words(self) -> str:
        """Return the line for people."""
        found = self.why()
        said = found.said.removesuffix(".") if found else self.reason
        if self.reason == "NotFoundError" and not self.agent[1] and not self.is_report:
            # The line has no more than the class: of an older hub, or a number of messages.
            said = NOT_FOUND_EITHER.removesuffix(".")
        further = [f"agent {self.agent[0]}"] if self.agent[0] and not self.agent[1] else []
        if self.is_report:
            further.append("a report about sent work")
        if self.key:
            further.append(self.key[0].lower() + self.key[1:].removesuffix("."))
        if self.source:
            # The key that a proposed peer showed before proves it, though staff have not approved the key.
            further += ([NOT_PROVED] if self.detail != Untrusted.PROPOSED else []) + [f"from {self.source}"]
        return "; ".join([f"{self.what}: {said}", *further])


def read_line(text: str) -> RefusedLine | None:
    """Return what the text of a line of kind `refused` says; None for another text."""
    found = _LINE.fullmatch(text)
    if found is None:
        return None
    rest = found["rest"]
    unproven, key, agent = _FROM.search(rest), _KEY.search(rest), _AGENT.search(rest)
    shown = f"The sender shows the key {key['key']}, {KEY_STATES.get(key['state'], key['state'])}." if key else ""
    return RefusedLine(
        what=found["what"],
        reason=found["reason"],
        detail=found["detail"] or "",
        is_proven=NOT_PROVED not in rest,
        source=unproven["source"] if unproven else "",
        is_report="; a report" in rest,
        key=shown,
        agent=(agent["id"], agent["known"] or "") if agent else ("", ""),
    )
