"""Group the errors of federations and runtimes by cause: the text of an error without the parts that name one case."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from http import HTTPStatus

MAX_TEXT = 2000
MAX_TITLE = 140
KEY_LENGTH = 12
GAP = "…"
UNKNOWN = "No error was recorded"

# botocore's text of a ClientError: code, operation, and for a denied action IAM's name of it.
_AWS_ERROR = re.compile(r"An error occurred \((?P<code>[^()]{1,80})\) when calling the (?P<operation>\w+) operation")
_DENIED_ACTION = re.compile(r"not authorized to perform: (?P<action>[\w-]+:[\w*]+)")
# What precedes the error of a runtime in the message of its sync.
_PREFIX = re.compile(
    r"^(?:\d+ resource sync failures\. First error: |(?:MCP server|A2A agent|[Rr]untime) [^\s:]+: |[ :.,]+)*"
)
_PHRASES = "|".join(sorted((re.escape(status.phrase) for status in HTTPStatus if status >= 400), key=len, reverse=True))
_HTTP_STATUS = re.compile(rf"(?<=HTTP )[1-5]\d\d\b|(?<=status )[1-5]\d\d\b|\b[45]\d\d(?= (?:{_PHRASES})\b)")
# What names one case, the longest forms first.
_PARTICULARS = re.compile(
    r"""
    \barn:[\w-]*:[^\s,;"'()]+            # an ARN
    | \b[a-z][a-z0-9+.-]*://[^\s"'<>)]+  # a URL
    | [\w.+-]+@[\w-]+(?:\.[\w-]+)+       # an e-mail address
    | \[?\b[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}\b\]?(?::\d+)?  # an IPv6 address, or a time of day
    | \b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b                     # an IPv4 address
    | \b[\w-]+(?:\.[\w-]+)+:\d{2,5}\b                          # a host with its port
    | \b[a-z]{2}(?:-[a-z]+){1,3}-\d\b                          # an AWS region
    | \b(?=[\w-]*\d[\w-]*\d)[\w-]{8,}\b                        # an id, a date
    | \b\d+(?:[.,]\d+)*(?=\b|[a-z]{1,2}\b)                     # a number
    """,
    re.VERBOSE | re.IGNORECASE,
)
_GAPS = re.compile(rf"{GAP}(?:[\s,/.:-]*{GAP})+")


@dataclass(frozen=True, slots=True)
class FailureSeen:
    """One error: of a federation's sync, or of one runtime of the federation. `since` is the time of its first sync."""

    federation_id: str
    text: str
    since: datetime


@dataclass(frozen=True, slots=True)
class ErrorCause:
    """A cause with the federations that it concerns. `key` names it in an address; `failures` counts its errors."""

    key: str
    title: str
    federation_ids: tuple[str, ...]
    failures: int
    since: datetime


def group_by_cause(failures: Iterable[FailureSeen]) -> list[ErrorCause]:
    """Return the causes of `failures`: those of the most federations first, then the oldest first."""
    found: dict[str, list[FailureSeen]] = {}
    for failure in failures:
        found.setdefault(cause_of(failure.text), []).append(failure)
    causes = [_cause(text, those) for text, those in found.items()]
    return sorted(causes, key=lambda cause: (-len(cause.federation_ids), cause.since, cause.title))


@lru_cache(maxsize=4096)
def cause_of(text: str) -> str:
    """Return the cause that an error's text states, without ids, ARNs, numbers, regions and addresses.

    An error of AWS becomes its code with the denied action or the operation: `AccessDenied sts:AssumeRole`. The status
    of an HTTP answer stays, because it is the cause.
    """
    text = text[:MAX_TEXT]
    if error := _AWS_ERROR.search(text):
        denied = _DENIED_ACTION.search(text)
        return f"{error['code']} {denied['action'] if denied else error['operation']}"
    text = _PREFIX.sub("", " ".join(text.split()), count=1)
    parts, end = [], 0
    for status in _HTTP_STATUS.finditer(text):
        parts += [_PARTICULARS.sub(GAP, text[end : status.start()]), status[0]]
        end = status.end()
    parts.append(_PARTICULARS.sub(GAP, text[end:]))
    return _GAPS.sub(GAP, "".join(parts)).strip(" :.,") or UNKNOWN


def _cause(text: str, failures: list[FailureSeen]) -> ErrorCause:
    title = text if len(text) <= MAX_TITLE else f"{text[: MAX_TITLE - 1].rstrip()}{GAP}"
    return ErrorCause(
        key=hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH],
        title=title,
        federation_ids=tuple(sorted({failure.federation_id for failure in failures})),
        failures=len(failures),
        since=min(failure.since for failure in failures),
    )
