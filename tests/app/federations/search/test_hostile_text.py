"""No adapter interprets the text of a user as query syntax."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federations.search.base import DocumentKind, IndexedResource, SearchDocument, SearchIndex, SearchQuery
from federations.search.memory import MemorySearchIndex
from federations.search.sqlite import SqliteSearchIndex
from tests.app.federations.search import catalog
from tests.app.federations.search.catalog import resource
from tests.examples import examples

# Queries that find nothing.
WITHOUT_WORDS = [
    "", " ", "\t\n", '"', '""', '"""', "'", "*", "**", "^", ":", "-", "--", "+", "( )", "((((", ")", "{}", "[]", "\\",
    "%", "_", "___", ";", "/*", "*/", "?", "$", "@", "#", "\x00", "\x00\x00", "\ud800", "🚀", "👩\u200d🚀", "\u200b",
    "\ufeff", "\u0301", "…", "¡¿", "=", "<>", "~", "|", "&&", "!",
]  # fmt: skip
# Queries that find the same documents as their letters and digits alone.
LIKE_THEIR_WORDS = [
    ('"invoice"', "invoice"),
    ('"invoice', "invoice"),
    ('invoice"', "invoice"),
    ("invoice*", "invoice"),
    ("*invoice", "invoice"),
    ("^invoice", "invoice"),
    ("+invoice", "invoice"),
    ("-invoice", "invoice"),
    ("(invoice", "invoice"),
    ("invoice)", "invoice"),
    ("{invoice}", "invoice"),
    ("in%voice", "in voice"),
    ("invoic_", "invoic"),
    ("invoice\x00", "invoice"),
    ("invoice\ud800", "invoice"),
    ("invoice 🚀", "invoice"),
    ("name:invoice", "name invoice"),
    ("name : invoice", "name invoice"),
    ("{name text} : invoice", "name text invoice"),
    ("-name:invoice", "name invoice"),
    ("words:invoice", "words invoice"),
    ("rowid:1", "rowid 1"),
    ("rank MATCH 'bm25(1)'", "rank match bm25 1"),
    ("NEAR(invoice customer)", "near invoice customer"),
    ("NEAR(invoice customer, 10)", "near invoice customer 10"),
    ("NEAR", "near"),
    ("NEAR(", "near"),
    ("AND", "and"),
    ("OR", "or"),
    ("NOT", "not"),
    ("AND AND AND", "and"),
    ("NOT invoice", "not invoice"),
    ("invoice NOT total", "invoice not total"),
    ("invoice OR forecast", "invoice or forecast"),
    ("invoice + total", "invoice total"),
    ("'; DROP TABLE documents; --", "drop table documents"),
    ('"; DROP TABLE words; --', "drop table words"),
    ("' OR '1'='1", "or 1"),
    ("x') UNION SELECT 1,2,3 --", "x union select 1 2 3"),
    (":expression", "expression"),
    ("integrity-check", "integrity check"),
    ("('delete-all')", "delete all"),
]


def ids(index: SearchIndex, text: str) -> set[str]:
    return {hit.document.id for hit in index.search(SearchQuery(text, limit=100)).hits}


@pytest.mark.parametrize("text", WITHOUT_WORDS, ids=ascii)
def test_text_without_a_word_finds_nothing(index: SearchIndex, text: str) -> None:
    assert index.search(SearchQuery(text)).total == 0


@pytest.mark.parametrize(("text", "words"), LIKE_THEIR_WORDS, ids=ascii)
def test_metacharacters_are_only_separators(index: SearchIndex, text: str, words: str) -> None:
    index.replace([resource("every operator", text="and or not near name text rowid words drop table documents 1 x")])
    assert ids(index, text) == ids(index, words)
    assert ids(index, "get_invoice_total")


@pytest.mark.parametrize(
    ("unit", "same_as"),
    [("invoice ", "invoice"), ("a_", "a"), ("a", "a" * 64), ('"', ""), ("(", ""), ("\x00", ""), ("🚀", "")],
    ids=["words", "compound", "letters", "quotes", "brackets", "NUL", "emoji"],
)
def test_a_megabyte_of_text_is_answered(index: SearchIndex, unit: str, same_as: str) -> None:
    assert ids(index, unit * (1_048_576 // len(unit.encode()))) == ids(index, same_as)


def test_words_past_the_limit_are_left_out(index: SearchIndex) -> None:
    index.replace([resource("counter", text=" ".join(f"word{number}" for number in range(32)))])
    assert ids(index, " ".join(f"word{number}" for number in range(500))) == {"counter"}


def test_a_name_of_a_megabyte_can_be_indexed_and_found(empty_index: SearchIndex) -> None:
    empty_index.replace([resource("needle " + "haystack" * 131_072)])
    assert empty_index.search(SearchQuery("needle haystackhay")).total == 1


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[SearchIndex, SearchIndex]:
    path: Path = tmp_path_factory.mktemp("twins") / "search.sqlite3"
    pair = MemorySearchIndex(), SqliteSearchIndex(path)
    for index in pair:
        index.replace(catalog.ALL)
    return pair


@examples(300)
@given(text=st.text() | st.text(alphabet="inv\"*:()'-^ _ANDORTé天", max_size=40))
def test_any_text_is_answered_alike_by_both_adapters(twins: tuple[SearchIndex, SearchIndex], text: str) -> None:
    memory, sqlite = twins
    assert ids(memory, text) == ids(sqlite, text)


# Few letters of many sorts, so that queries match names: camel case, joiners, digits, marks, ideographs, ligatures, and
# the letters at the end of plurals.
MIXED = st.text(alphabet="aAbB12_-./ éßﬁİ天ぷiesyv#+คา한주", max_size=12)


@settings(examples(100), suppress_health_check=[HealthCheck.too_slow])
@given(named=st.lists(st.tuples(MIXED, MIXED, st.lists(MIXED, max_size=2)), max_size=4), text=MIXED)
def test_whatever_is_indexed_both_adapters_find_the_same(
    twins: tuple[SearchIndex, SearchIndex], named: list[tuple[str, str, list[str]]], text: str
) -> None:
    resources = [
        IndexedResource(
            str(number),
            "f",
            "1",
            (SearchDocument(str(number), DocumentKind.TOOL, str(number), "f", name, "/", body, tuple(tags)),),
        )
        for number, (name, body, tags) in enumerate(named)
    ]
    for index in twins:
        index.clear()
        index.replace(resources)
    memory, sqlite = twins
    assert ids(memory, text) == ids(sqlite, text)
    for name, *_ in named:
        assert ids(memory, name) == ids(sqlite, name)


@examples(200)
@given(name=MIXED.filter(lambda name: any(character.isalnum() for character in name)))
def test_a_thing_is_found_by_its_own_name(name: str) -> None:
    index = MemorySearchIndex()
    index.replace([resource(name)])
    assert ids(index, name) == {name}
