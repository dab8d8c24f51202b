import pytest
from hypothesis import given
from hypothesis import strategies as st

from federations.search.excerpt import MAX_EXCERPT_CHARS, excerpt
from federations.search.words import query_terms


def test_a_short_text_is_its_own_excerpt() -> None:
    assert excerpt("Add up  the\nlines", query_terms("lines")) == "Add up the lines"


def test_a_long_text_is_cut_around_its_first_match() -> None:
    text = "before " * 100 + "getInvoiceTotal works " + "after " * 100
    cut = excerpt(text, query_terms("invoice total"))
    assert cut.startswith("… before")
    assert "getInvoiceTotal works" in cut
    assert cut.endswith("after …")


def test_without_a_match_the_excerpt_is_the_beginning() -> None:
    cut = excerpt("first words " * 100, query_terms("elsewhere"))
    assert cut.startswith("first words first")
    assert cut.endswith(" …")


def test_a_match_at_the_very_end_is_shown() -> None:
    cut = excerpt("before " * 100 + "needle", query_terms("needle"))
    assert cut.endswith("before needle")


def test_markup_is_text_like_any_other() -> None:
    assert excerpt("<script>alert(1)</script>", query_terms("alert")) == "<script>alert(1)</script>"


@pytest.mark.parametrize("text", ["x" * 5_000, "天" * 5_000, "y " * 5_000, "z\x00" * 5_000])
def test_an_excerpt_of_any_text_is_bounded(text: str) -> None:
    assert 0 < len(excerpt(text, query_terms("x 天 y z"))) <= MAX_EXCERPT_CHARS + 4


@given(st.text(), st.text())
def test_any_text_has_a_printable_excerpt_of_one_line(text: str, query: str) -> None:
    cut = excerpt(text, query_terms(query))
    assert cut.isprintable()
    assert len(cut) <= MAX_EXCERPT_CHARS + 4
