"""Files of peers: import, export."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import OutputWrapper

from core.console import make_console
from core.errors import InvalidRequestError
from peers.management.peer_verbs.output import new_table
from peers.management.peer_verbs.verb import SHELL, Options, Verb
from peers.models import Peer
from peers.services.trust import peer_imports

STYLE_OF_VERDICT = {
    peer_imports.Verdict.NEW: "green",
    peer_imports.Verdict.AGAIN: "yellow",
    peer_imports.Verdict.REFUSED: "red",
}


def import_file(stdout: OutputWrapper, options: Options) -> None:
    """Print the verdict on each row of a file; with --store propose the rows that can be stored."""
    console = make_console(stdout)
    rows = _picked(peer_imports.review(_text_of(options["file"])), options["rows"])
    table = new_table("Row", "URL", "Relationship", "Verdict", "Remark")
    for row in rows:
        cells = (str(row.number), row.server_url or row.did, row.relationship, row.verdict.value, row.problem)
        table.add_row(*cells, style=STYLE_OF_VERDICT.get(row.verdict, "dim"))
    console.print(table)
    if not options["store"]:
        console.print("Nothing is stored. Look at the rows, then add --store, and --rows for some of them.")
        return
    outcome = peer_imports.import_rows([row for row in rows if row.is_storable], by=SHELL)
    for refusal in outcome.refusals:
        console.print(refusal, style="red")
    console.print(f"{outcome.proposed} proposed. Approve each peer after you compared its fingerprint.", style="green")


def export(stdout: OutputWrapper, options: Options) -> None:
    """Write all peers in a format that import reads."""
    found = Peer.objects.prefetch_related("keys")
    stdout.write(peer_imports.export_csv(found) if options["format"] == "csv" else peer_imports.export_json(found))


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidRequestError(f"{path} cannot be read as text: {exc}") from exc


def _picked(rows: list[peer_imports.ImportRow], numbers: str) -> list[peer_imports.ImportRow]:
    wanted = {word.strip() for word in numbers.split(",") if word.strip()}
    unknown = wanted - {str(row.number) for row in rows}
    if unknown:
        raise InvalidRequestError(f"The file has no row {', '.join(sorted(unknown))}")
    return [row for row in rows if not wanted or str(row.number) in wanted]


def _add_arguments_of_import(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path)
    parser.add_argument("--store", action="store_true", help="propose the rows of the review")
    parser.add_argument("--rows", default="", help="only these rows, for example 1,3,5")


def _add_arguments_of_export(parser: ArgumentParser) -> None:
    parser.add_argument("--format", choices=["csv", "json"], default="csv")


VERBS = (
    Verb("import", "review a CSV or JSON file; with --store propose its rows", import_file, _add_arguments_of_import),
    Verb("export", "write all peers to standard output", export, _add_arguments_of_export),
)
