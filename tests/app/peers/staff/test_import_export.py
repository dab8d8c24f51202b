from __future__ import annotations

import csv
import io
import json

import pytest

from core.errors import InvalidRequestError
from core.spreadsheets import inert
from peers.models import KeyOrigin, Peer
from peers.services.trust.peer_imports import MAX_ROWS, Verdict, export_csv, export_json, import_rows, review
from peers.services.trust.peers import PeerSettings, add_peer, change_settings, retire_peer
from tests.app.peers.staff.conftest import KEY, OPERATOR, URL

pytestmark = pytest.mark.django_db

EVIL = [
    '=HYPERLINK("https://evil.example","x")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "  =1",
    "'=1",
    "''",
    "\n=1",
]


def test_each_row_gets_a_verdict_and_nothing_is_stored(approved: Peer) -> None:
    text = (
        "server_url,did,relationship,public_key,notes\r\n"
        f"https://new.example.org/,,upstream,{KEY.verification_key.base64},Known since March\r\n"
        ",did:web:named.example.org,,,\r\n"
        f"{URL},,,,\r\n"
        "https://NEW.example.org,,,,\r\n"
        "https://10.0.0.1,,,,\r\n"
        "https://odd.example.org,,friend,,\r\n"
        "https://key.example.org,,,AAAA,\r\n"
        "https://did.example.org,did:web:other.example.org,,,\r\n"
        "https://cells.example.org,,,,,too,many\r\n"
        "javascript:alert(1),,,,\r\n"
    )

    rows = review(text)

    refused = Verdict.REFUSED
    assert [row.verdict for row in rows] == [Verdict.NEW, Verdict.NEW, Verdict.KNOWN] + [refused] * 7
    assert rows[0].server_url == "https://new.example.org"
    assert rows[1].server_url == "https://named.example.org"
    assert all(row.problem for row in rows if row.verdict in (refused, Verdict.KNOWN))
    assert Peer.objects.count() == 1


def test_imported_rows_are_proposed_and_nothing_more(db: None) -> None:
    rows = review(f"server_url,public_key,relationship\n{URL},{KEY.verification_key.base64},downstream\n")

    outcome = import_rows(rows, by=OPERATOR)

    peer = Peer.objects.get()
    assert (outcome.proposed, outcome.refusals) == (1, ())
    assert (peer.state, peer.relationship, peer.did) == ("proposed", "downstream", "did:web:partner.example.org")
    assert (peer.keys.get().origin, peer.keys.get().state) == (KeyOrigin.ENTERED, "proposed")


def test_a_row_of_a_peer_added_after_the_review_is_refused_and_the_others_are_stored(db: None) -> None:
    rows = review("server_url\nhttps://a.example.org\nhttps://b.example.org\n")
    add_peer("https://a.example.org", by=OPERATOR)

    outcome = import_rows(rows, by=OPERATOR)

    assert outcome.proposed == 1
    assert len(outcome.refusals) == 1
    assert "known already" in outcome.refusals[0]


def test_a_retired_peer_is_proposed_again(approved: Peer) -> None:
    retire_peer(approved, by=OPERATOR)
    rows = review(json.dumps([{"server_url": URL}]))
    assert rows[0].verdict == Verdict.AGAIN

    import_rows(rows, by=OPERATOR)

    assert Peer.objects.get().state == "proposed"


def test_json_lists_objects_and_the_protocols_peer_infos_are_read(db: None) -> None:
    info = {"server_url": URL, "server_did": "did:web:partner.example.org", "relationship": "peer", "public_key": None}
    for document in ([info], {"peers": [info]}, [URL]):
        rows = review(json.dumps(document))
        assert [(row.server_url, row.verdict) for row in rows] == [(URL, Verdict.NEW)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name\nvalue\n",
        "server_url,server_url\na,b\n",
        "server_url\n",
        '{"peers": 7}',
        "[]",
        "[1e999]",
        '[{"server_url": "a", "server_url": "b"}]',
        "[" * 10_000,
        "server_url\n" + "https://a.example.org\n" * (MAX_ROWS + 1),
        "server_url\n" + "x" * 300_000,
        'server_url\n"unclosed',
    ],
)
def test_a_file_that_is_not_a_list_of_peers_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        review(text)


@pytest.mark.parametrize("item", [7, None, [], {"server_url": 7}, {"server_url": {}}, {"notes": "\\u0000"}])
def test_malformed_items_of_a_list_are_refused_one_by_one(item: object) -> None:
    rows = review(json.dumps([item, {"server_url": URL}]))

    assert [row.verdict for row in rows] == [Verdict.REFUSED, Verdict.NEW]


@pytest.mark.parametrize("text", EVIL)
def test_no_cell_of_an_export_is_a_formula_and_reading_gives_the_text_back(approved: Peer, text: str) -> None:
    change_settings(approved, PeerSettings("", "peer", False, (), text, None), by=OPERATOR)

    exported = export_csv(Peer.objects.all())

    cells = [cell for row in csv.reader(io.StringIO(exported, newline="")) for cell in row]
    assert not [cell for cell in cells if cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]
    approved.delete()
    assert review(exported)[0].notes == text.strip()


def test_a_key_that_starts_with_plus_survives_a_round_trip() -> None:
    assert inert("+abc") == "'+abc"
    assert inert("abc") == "abc"


def test_an_import_of_an_export_gives_the_same_values(approved: Peer) -> None:
    for exported in (export_csv(Peer.objects.all()), export_json(Peer.objects.all())):
        row = review(exported)[0]
        assert (row.server_url, row.did, row.relationship) == (URL, "did:web:partner.example.org", "peer")
        assert (row.public_key, row.verdict) == (KEY.verification_key.base64, Verdict.KNOWN)


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("first", "delimiter"),
    [
        ("", ","), ("", ";"), ("", "\t"), ("", "|"), ("sep=,", ","), ("sep=;", ";"), ("SEP=;", ";"), ("sep=\t", "\t"),
        ('"sep=;"', ";"), ("sep=|", "|"), ("sep=,,,", ","),
    ],
)  # fmt: skip
def test_lists_of_every_spreadsheet_are_read(db: None, first: str, delimiter: str, line_end: str, bom: str) -> None:
    lines = [
        ["server_url", "relationship", "notes"],
        ["https://a.example.org", "peer", '"a, b; c | d"'],
        ["https://b.example.org", "upstream", ""],
    ]
    text = line_end.join(([first] if first else []) + [delimiter.join(cells) for cells in lines])

    one, other = review(bom + text + line_end)

    assert (one.server_url, one.notes, one.verdict) == ("https://a.example.org", "a, b; c | d", "new")
    assert (other.server_url, other.relationship) == ("https://b.example.org", "upstream")


def test_json_with_a_byte_order_mark_is_read(db: None) -> None:
    (row,) = review('\ufeff["https://a.example.org"]')
    assert row.verdict == "new"


def test_a_file_without_the_names_of_columns_is_told_which_delimiters_are_read(db: None) -> None:
    with pytest.raises(InvalidRequestError, match="separated by commas, semicolons or tabs"):
        review("https://a.example.org:x;y")


@pytest.mark.parametrize(
    ("place", "spelling"),
    [
        ("https://bücher.example", "xn--bcher-kva.example"),
        ("https://BÜCHER.example:8443/a", "xn--bcher-kva.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("https://staff@bücher.example/", "xn--bcher-kva.example"),
        ("https://straße.example", "xn--strae-oqa.example"),
        ("https://例え.テスト/", "xn--r8jz45g.xn--zckzah"),
        ("https://bücher。example", "xn--bcher-kva.example"),
        ("https://ａ.example", "a.example"),
    ],
)
def test_a_host_that_is_not_ascii_is_refused_with_its_ascii_spelling(db: None, place: str, spelling: str) -> None:
    (row,) = review(f"server_url\n{place}\n")
    assert row.verdict == "refused"
    assert row.problem.endswith(f"; write its host as {spelling}")
    (row,) = review(f"did\ndid:web:{place.partition('//')[2] or place}\n")
    assert "xn--" in row.problem or "ASCII" in row.problem or "a.example" in row.problem


def test_a_host_that_has_no_ascii_spelling_is_told_to_be_ascii(db: None) -> None:
    (row,) = review("server_url\nhttps://a\u2066b.example\n")
    assert row.problem.endswith("write its host in ASCII (punycode)")


def test_a_refused_ascii_host_gets_no_spelling(db: None) -> None:
    (row,) = review("server_url\nftp://a.example/ü\n")
    assert "write its host" not in row.problem
