"""The timestamps of the protocol's messages (RFC 3339), read and written as Unix seconds."""

import re
from datetime import UTC, datetime

from peers.protocol.errors import MalformedMessage

# RFC 3339, section 5.6, but the offset is optional, because OpenIntent peers may write UTC without it.
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})?", re.ASCII)


def parse_timestamp(text: str) -> float:
    """Return Unix seconds; a timestamp without an offset is read as UTC. Raises MalformedMessage."""
    if not _TIMESTAMP.fullmatch(text):
        raise MalformedMessage("not an RFC 3339 timestamp")
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as exc:
        raise MalformedMessage("not a valid date and time") from exc


def format_timestamp(seconds: float) -> str:
    """Write Unix seconds as RFC 3339 in UTC, with microseconds unless they are 0."""
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat()
