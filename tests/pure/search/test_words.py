import pytest
from hypothesis import given
from hypothesis import strategies as st

from federations.search.splitting import fold
from federations.search.words import (
    MAX_QUERY_WORDS,
    MAX_WORD_CHARS,
    Term,
    index_words,
    matches,
    query_terms,
    single_words,
    squash,
    terms,
)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("invoice", ["invoice"]),
        ("get_invoice_total", ["get", "invoice", "total"]),
        ("getInvoiceTotal", ["get", "invoice", "total"]),
        ("GetInvoiceTotal", ["get", "invoice", "total"]),
        ("invoice-tool", ["invoice", "tool"]),
        ("math.add", ["math", "add"]),
        ("server__tool", ["server", "tool"]),
        ("_private_", ["private"]),
        ("GET_INVOICE", ["get", "invoice"]),
        ("HTTPServer", ["http", "server"]),
        ("parseJSON", ["parse", "json"]),
        ("EC2Instances", ["ec2", "instances"]),
        ("oauth2Token", ["oauth2", "token"]),
        ("Straße", ["strasse"]),
        ("Zürich", ["zurich"]),
        ("İstanbul", ["istanbul"]),
        ("ﬁle", ["file"]),
        ("get天気", ["get", "天気"]),
        ("天", ["天"]),
        ("Погода", ["погода"]),
        ("узнатьПогоду", ["узнать", "погоду"]),
        ("repos/list-issues", ["repos", "list", "issues"]),
        ("listVPCs", ["list", "vpcs"]),
        ("getURLsById", ["get", "urls", "by", "id"]),
        ("OSesOf", ["oses", "of"]),
        ("getIPv4Address", ["get", "ipv4", "address"]),
        ("TLSv1", ["tlsv1"]),
        ("IPSection", ["ip", "section"]),
        ("VPCsettings", ["vp", "csettings"]),
    ],
)
def test_a_compound_becomes_its_parts_and_its_joined_form(text: str, parts: list[str]) -> None:
    assert list(terms(text)) == [Term(tuple(parts), "".join(parts))]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("天気予報", ["天気", "気予", "予報"]),
        ("get天気予報", ["get", "天気", "気予", "予報"]),
        ("주문조회", ["주문", "문조", "조회"]),
        ("ค้นหา", ["คนห", "นหา"]),
    ],
)
def test_a_run_without_spaces_becomes_overlapping_pieces(text: str, parts: list[str]) -> None:
    assert [term.parts for term in terms(text)] == [tuple(parts)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("get_total", ["get", "total", "gettotal"]),
        ("invoice2024", ["invoice2024", "invoice", "2024"]),
        ("one two", ["one", "two", "onetwo"]),
        ("one\ntwo", ["one", "two"]),
        ("one, two", ["one", "two"]),
        ("the one", ["the", "one"]),
        ("one/two:three", ["one", "two", "onetwo", "three"]),
        ("a_b_c", ["a", "b", "c", "abc", "ab", "bc"]),
        ("天気予", ["天気", "気予", "予", "天気予"]),
        ("end.", ["end"]),
        ("0&", ["0＆", "0", "0"]),
        ("A&& b", ["a＆＆", "a", "a", "b", "a＆＆b"]),
        ("天&", ["天", "＆", "天＆"]),
        ("query", ["query", "querie"]),
        ("queries", ["queries", "query"]),
        ("by ties", ["by", "ties"]),
        ("", []),
        ("🚀 *", []),
    ],
)
def test_a_text_is_found_by_these_words(text: str, words: list[str]) -> None:
    assert index_words(text) == words


@given(st.text() | st.text(alphabet="aB0天ก_.-/&#+$ "))
def test_a_word_is_letters_and_digits_of_bounded_length(text: str) -> None:
    for word in index_words(text):
        assert 0 < len(word) <= MAX_WORD_CHARS
        assert all(character.isalnum() for character in word if character.isascii())
        assert not any(character.isspace() for character in word)
        word.encode()


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text())
def test_a_text_matches_each_of_its_own_terms(text: str) -> None:
    words = index_words(text)
    assert all(matches(term, words) for term in query_terms(text))


@pytest.mark.parametrize(
    ("singular", "plural"),
    [
        ("invoice", "invoices"),
        ("log", "logs"),
        ("address", "addresses"),
        ("box", "boxes"),
        ("branch", "branches"),
        ("crash", "crashes"),
        ("database", "databases"),
        ("query", "queries"),
        ("key", "keys"),
        ("cookie", "cookies"),
        ("list_query", "listQueries"),
        ("billet", "billets"),
    ],
)
def test_singular_and_plural_find_each_other(singular: str, plural: str) -> None:
    for asked, text in [(singular, plural), (plural, singular), (plural, plural), (singular, singular)]:
        assert all(matches(term, index_words(text)) for term in query_terms(asked)), (asked, text)


@pytest.mark.parametrize("word", ["sms", "aws", "access", "status", "analysis", "s", "dns"])
def test_a_word_that_only_ends_like_a_plural_stays_whole(word: str) -> None:
    assert query_terms(word) == (Term((word,), word),)


def test_a_query_has_no_fillers_unless_there_is_nothing_else() -> None:
    assert query_terms("Who is on call?") == query_terms("call")
    assert query_terms("where IS the") == query_terms("where is THE") != ()
    assert query_terms("on-call") == (Term(("on", "call"), "oncall"),)


def test_each_word_of_a_query_can_stand_alone() -> None:
    asked = query_terms("get_invoices total Invoices get")
    assert single_words(asked) == (
        Term(("get",), "get"),
        Term(("invoice",), "invoice"),
        Term(("total",), "total"),
        Term(("invoice",), "invoices"),
    )
    assert single_words(()) == ()


def test_a_single_character_does_not_stand_alone_where_there_is_more() -> None:
    asked = query_terms("vitamin c x_y")
    assert single_words(asked) == (Term(("vitamin",), "vitamin"), Term(("x", "y"), "xy"))
    assert single_words(query_terms("a 天")) == query_terms("a 天")


def test_each_piece_of_a_run_without_spaces_can_stand_alone() -> None:
    assert single_words(query_terms("会議室")) == (Term(("会議",), "会議"), Term(("議室",), "議室"))


@pytest.mark.parametrize("ending", ["y", "ies"])
def test_the_other_number_of_a_long_word_is_bounded(ending: str) -> None:
    assert max(map(len, index_words("a" * (MAX_WORD_CHARS - len(ending)) + ending))) == MAX_WORD_CHARS


def test_a_term_matches_by_the_parts_or_by_the_joined_form() -> None:
    term = Term(("get", "total"), "gettotal")
    assert matches(term, ["totals", "getting"])
    assert matches(term, ["gettotals"])
    assert not matches(term, ["get"])
    assert not matches(term, ["forget", "total"])


@pytest.mark.parametrize(
    "text", [" ".join(map(str, range(1_000))), "_".join(map(str, range(1_000))), "a" * 10_000, "天" * 10_000]
)
def test_a_query_has_a_bounded_number_of_words(text: str) -> None:
    asked = query_terms(text)
    assert asked
    assert sum(len(term.parts) for term in asked) <= MAX_QUERY_WORDS


def test_a_repeated_word_is_asked_for_once() -> None:
    assert query_terms("tool " * 100 + "other") == query_terms("tool other")
    assert query_terms("Tool tool TOOL other") == (Term(("tool",), "tool"), Term(("other",), "other"))


def test_every_way_of_writing_a_name_squashes_to_one_word() -> None:
    forms = [
        "getInvoiceTotal",
        "get_invoice_total",
        "get-invoice-total",
        "Get Invoice Total",
        "getinvoicetotal",
        "gét.Invoice:total",
        "get/invoice/total",
    ]
    assert {squash(form) for form in forms} == {"getinvoicetotal"}
