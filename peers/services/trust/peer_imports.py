"""Import and export lists of peers as CSV and JSON files, with a verdict on each row before an import stores it.

A cell that a spreadsheet would run as a formula is written with an apostrophe in front (OWASP, CSV injection); reading
removes the apostrophe.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from core.actors import Actor
from core.errors import ConflictError, HubError, InvalidRequestError
from core.spreadsheets import bare, inert
from peers.models import KeyState, Peer, PeerState, Relationship
from peers.protocol import Json, ProtocolError, parse_json
from peers.services.trust.keys import read_key
from peers.services.trust.peer_addresses import checked_place
from peers.services.trust.peers import add_peer

COLUMNS = ("server_url", "did", "relationship", "public_key", "state", "notes")
MAX_ROWS = 500
MAX_BYTES = 262_144
MAX_NOTES = 10_000
DELIMITERS = (",", ";", "\t", "|")
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?[,;\t|]*', re.IGNORECASE)


class Verdict(StrEnum):
    """What importing a row of a file would do.

    NEW proposes a new peer, AGAIN proposes a retired peer again. KNOWN stores nothing, because the peer is known;
    REFUSED stores nothing, because the row has a fault.
    """

    NEW = "new"
    AGAIN = "again"
    KNOWN = "known"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One row of a file, with the verdict that `review` gave it; `import_rows` stores it.

    `number` counts the rows from 1, without the header line. `problem` is a text for staff about the verdict, "" for a
    new peer. `server_url` and `did` are normalized unless the row is refused.
    """

    number: int
    server_url: str
    did: str
    relationship: str
    public_key: str
    notes: str
    verdict: Verdict = Verdict.NEW
    problem: str = ""

    @property
    def is_storable(self) -> bool:
        """Tell whether importing the row would propose a peer."""
        return self.verdict in (Verdict.NEW, Verdict.AGAIN)


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What `import_rows` returns: `proposed` is the number of peers that it proposed.

    `refusals` has a text for each row that was not stored, with the row's number and the reason.
    """

    proposed: int = 0
    refusals: Sequence[str] = field(default_factory=tuple)


def review(text: str) -> list[ImportRow]:
    """Return the rows of a CSV or JSON text with a verdict on each; stores nothing.

    JSON is a list of objects (or an object with `peers`), CSV has a header line. Raises InvalidRequestError for any
    other text, and for more than 500 rows or 256 KB.
    """
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise InvalidRequestError(f"The file is larger than {MAX_BYTES // 1024} KB")
    found = _read_json(text) if text.lstrip("\ufeff \t\r\n").startswith(("[", "{")) else _read_csv(text)
    if len(found) > MAX_ROWS:
        raise InvalidRequestError(f"The file has {len(found)} rows; at most {MAX_ROWS} are read at once")
    if not found:
        raise InvalidRequestError("The file has no rows")
    seen: set[str] = set()
    return [_judged(number, values, seen) for number, values in enumerate(found, start=1)]


def import_rows(rows: Iterable[ImportRow], *, by: Actor) -> ImportOutcome:
    """Store each row as a proposed peer, in a transaction of its own; staff approve the peers later."""
    proposed, refusals = 0, []
    for row in rows:
        try:
            if not row.is_storable:
                raise ConflictError(row.problem)
            add_peer(
                row.server_url,
                by=by,
                did=row.did,
                public_key=row.public_key,
                relationship=row.relationship,
                notes=row.notes,
            )
            proposed += 1
        except HubError as error:
            refusals.append(f"Row {row.number}, {row.server_url or row.did}: {error.message}")
    return ImportOutcome(proposed, tuple(refusals))


def export_csv(peers: Iterable[Peer]) -> str:
    """Return peers as CSV (RFC 4180) in which a spreadsheet finds no formulas."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    for row in map(_exported, peers):
        writer.writerow({name: inert(value) for name, value in row.items()})
    return out.getvalue()


def export_json(peers: Iterable[Peer]) -> str:
    """Return peers as a JSON list of objects."""
    return json.dumps([_exported(peer) for peer in peers], indent=2) + "\n"


def _exported(peer: Peer) -> dict[str, str]:
    pinned = [key.public_key for key in peer.keys.all() if key.state == KeyState.PINNED]
    return {
        "server_url": peer.server_url,
        "did": peer.did,
        "relationship": peer.relationship,
        "public_key": pinned[0] if pinned else "",
        "state": peer.state,
        "notes": peer.notes,
    }


def _read_csv(text: str) -> list[Mapping[str, str]]:
    text, delimiter = _split_delimiter(text.removeprefix("\ufeff"))
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        names = [name.strip().lower() for name in reader.fieldnames or []]
        reader.fieldnames = names
        if not {"server_url", "did"} & set(names):
            raise InvalidRequestError(
                "The first line must name the columns, with server_url or did among them, separated by commas, "
                "semicolons or tabs"
            )
        if len(set(names)) != len(names):
            raise InvalidRequestError("The first line names a column twice")
        return [_csv_row(row) for row in reader]
    except csv.Error as exc:
        raise InvalidRequestError(f"The file is not CSV: {exc}") from exc


def _split_delimiter(text: str) -> tuple[str, str]:
    """Return the text without a first line such as `sep=;`, and the delimiter of the file.

    Spreadsheets write semicolons where a comma stands in numbers, and tabs for "text"; `sep=` is Excel's own line.
    Without that line, the delimiter is the sign that occurs most in the line with the columns' names.
    """
    text = text.lstrip("\r\n")
    first, line_end, rest = text.partition("\n")
    if (named := _SEPARATOR_LINE.fullmatch(first.strip(" \r"))) and line_end:
        return rest, named[1]
    return text, max(DELIMITERS, key=first.count)


def _csv_row(row: Mapping[str | None, str | list[str] | None]) -> Mapping[str, str]:
    if row.get(None) is not None:
        return {"error": "more cells than the first line has columns"}
    return {str(name): bare(cell) for name, cell in row.items() if isinstance(cell, str)}


def _read_json(text: str) -> list[Mapping[str, str]]:
    try:
        found = parse_json(text.removeprefix("\ufeff"))
    except ProtocolError as exc:
        raise InvalidRequestError(f"The file is not JSON: {exc}") from exc
    if isinstance(found, dict):
        found = found.get("peers")
    if not isinstance(found, list):
        raise InvalidRequestError("The JSON must be a list of objects, or an object with such a list as peers")
    return [_json_row(item) for item in found]


def _json_row(item: Json) -> Mapping[str, str]:
    if isinstance(item, str):
        return {"server_url": item}
    if not isinstance(item, dict):
        return {"error": "is neither an object nor a URL"}
    row = {name: value for name, value in item.items() if isinstance(value, str)}
    # The names of the protocol's PeerInfo are accepted too.
    row.setdefault("did", row.pop("server_did", ""))
    odd = [name for name in COLUMNS if name in item and name not in row and item[name] is not None]
    return row | ({"error": f"{odd[0]} is not a string"} if odd else {})


def _judged(number: int, values: Mapping[str, str], seen: set[str]) -> ImportRow:
    row = {name: values.get(name, "").strip() for name in COLUMNS}
    verdict, problem, url, did = Verdict.REFUSED, values.get("error", ""), row["server_url"], row["did"]
    relationship = row["relationship"].lower() or Relationship.PEER.value
    if not problem:
        try:
            url, did = checked_place(url, did)
            verdict, problem = _verdict_on(url, row | {"relationship": relationship}, seen)
        except HubError as error:
            problem = error.message
    seen.add(url)
    return ImportRow(
        number=number,
        server_url=url,
        did=did,
        relationship=relationship,
        public_key=row["public_key"],
        notes=row["notes"],
        verdict=verdict,
        problem=problem,
    )


def _verdict_on(url: str, row: Mapping[str, str], seen: set[str]) -> tuple[Verdict, str]:
    if row["relationship"] not in Relationship.values:
        return Verdict.REFUSED, f"relationship: must be one of {', '.join(Relationship.values)}"
    if row["public_key"]:
        read_key(row["public_key"])
    if len(row["notes"]) > MAX_NOTES:
        return Verdict.REFUSED, f"notes: more than {MAX_NOTES} characters"
    if url in seen:
        return Verdict.REFUSED, "is in the file twice"
    known = Peer.objects.filter(server_url=url).first()
    if known is None:
        return Verdict.NEW, ""
    if known.state == PeerState.RETIRED:
        return Verdict.AGAIN, "was retired and will be proposed again, with its history"
    return Verdict.KNOWN, f"is known already, as {known.state}"
