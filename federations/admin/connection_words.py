"""The result of a connection test in words, and its facts sealed in the form until the save."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from django.core import signing

from core.admin.labels import count_text
from federations.services.connection import ConnectionReport
from federations.sync.resources import JsonObject

SEAL_SALT = "federations.connection-test"
SEAL_SECONDS = 30 * 60


@dataclass(frozen=True, slots=True)
class Tested:
    """The facts of a connection test about a stored federation, which a later save of the same form may use.

    `shown` is the number of removed agents that peers see now.
    """

    stored: int
    removed: int
    shown: int
    is_held: bool
    is_other_account: bool

    def sentences(self) -> Iterator[str]:
        """Yield sentences about the resources that the next sync would remove, as the test counted them."""
        if not self.stored:
            return
        if not self.removed:
            yield f"As tested, the next sync keeps all of the {count_text(self.stored, 'stored resource')}."
            return
        yield f"As tested, the next sync would remove {self.removed} of {self.stored} stored resources."
        yield from withdrawn_words(self.shown)
        yield from held_words(is_held=self.is_held, may_be_replaced=self.is_other_account)


def held_words(*, is_held: bool, may_be_replaced: bool) -> Iterator[str]:
    """Yield the sentence about the deletion guard, if the guard would hold the sync."""
    if is_held:
        unless = ", unless runtimes of the same names replace them" if may_be_replaced else ""
        yield f"The deletion guard holds such a sync{unless}: its plan waits until staff apply or dismiss it."


def withdrawn_words(shown: int) -> Iterator[str]:
    """Yield the sentence about removed agents that peers see now, if there are any."""
    if shown:
        yield f"{count_text(shown, 'agent')} among them {'is' if shown == 1 else 'are'} withdrawn from peers."


def found_words(report: ConnectionReport) -> str:
    """Return what the test found: `19 runtimes in us-east-1: 9 MCP servers, 8 A2A agents, 2 others.`"""
    if report.registry:
        return f"{count_text(report.listed, 'MCP server')} of the registry at {report.registry} match."
    if not report.listed:
        return f"{report.region} has no AgentCore runtime yet."
    counted = [(report.servers, "MCP server"), (report.agents, "A2A agent"), (report.others, "other")]
    kinds = ", ".join(count_text(number, noun) for number, noun in counted if number)
    unread = f"{report.unread:,} not described in the time of a test" if report.unread else ""
    listed = f"{count_text(report.listed, 'runtime')} in {report.region}"
    return f"{listed}: {', '.join(filter(None, (kinds, unread)))}."


def kept_words(report: ConnectionReport) -> str:
    """Return what the tag filter keeps: `With this filter 4 of 19 stay.`"""
    if not report.has_filter or not report.listed:
        return ""
    if report.without_tags:
        read = report.listed - report.without_tags
        return f"With this filter {report.kept:,} of the {read:,} stay whose tags were read in the time of a test."
    return f"With this filter {report.kept:,} of {report.listed:,} stay."


def seal(tested: Tested, federation_id: str, config: JsonObject) -> str:
    """Return the facts of a test as a signed text, bound to the federation and the tested configuration."""
    return signing.dumps([asdict(tested), federation_id, config], salt=SEAL_SALT)


def unseal(sealed: str, federation_id: str, config: JsonObject) -> Tested | None:
    """Return the facts of a test of this federation with this configuration, if it was made lately; else None."""
    try:
        facts, tested_id, tested_config = signing.loads(sealed, salt=SEAL_SALT, max_age=SEAL_SECONDS)
    except signing.BadSignature:
        return None
    return Tested(**facts) if (tested_id, tested_config) == (federation_id, config) else None
