"""What a text is found by, as tables and properties over the words of an index and of a query."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federations.search.splitting import fold
from federations.search.words import MAX_WORD_CHARS, index_words, matches, query_terms


def is_found(query: str, text: str) -> bool:
    asked = query_terms(query)
    words = index_words(text)
    return bool(asked) and all(matches(term, words) for term in asked)


@pytest.mark.parametrize(
    ("text", "queries"),
    [
        ("createGitHubIssue", ["github", "GitHub", "git hub", "issue", "githubissue", "hubissue", "creategithub"]),
        ("create_GitHub_issue", ["github", "githubissue", "create_github"]),
        ("GitHub-list-repos", ["github", "listrepos", "github-list"]),
        ("getOAuthToken", ["oauth", "oauthtoken", "token", "auth"]),
        ("getOAuth2Token", ["oauth", "oauth2"]),
        ("listYouTubeVideos", ["youtube", "youtubevideos"]),
        ("queryPostgreSQL", ["postgresql", "postgres", "sql"]),
        ("getIPv4Address", ["ipv4", "ipv", "ip", "ipv4address"]),
        ("isIPv6", ["ipv6"]),
        ("listVPCs", ["vpc", "vpcs", "VPCs", "listvpcs"]),
        ("getURLs", ["url", "urls", "URLs"]),
        ("get_user_IDs", ["id", "ids", "userids", "userid"]),
        ("describeVPCsAndIPs", ["vpc", "vpcs", "ip", "ips"]),
        ("ListWorkItems", ["workitems", "workitem", "work items", "WorkItems"]),
        ("list.work.items", ["workitems", "list work"]),
        ("repos/list-pull-requests", ["pullrequests", "repos", "reposlist"]),
        ("my_aBcDeFgH_tool", ["abcdefgh"]),
        ("Opens a pull request on GitHub", ["pullrequest", "pullrequests", "github"]),
        ("Lists all work items of a board", ["workitems", "workitem"]),
        ("single sign on", ["singlesignon", "signon"]),
        ("iOS and macOS", ["ios", "macos"]),
        ("C# formatter", ["c#", "c", "formatter"]),
        ("Compiles C++17", ["c++", "c", "17"]),
        ("parseC#Code", ["c#"]),
        ("price in R$", ["r$"]),
        ("R&D budget", ["r&d", "R&D", "r", "rd"]),
        ("AT&T's lines", ["at&t", "at", "att"]),
        ("a?x=1&to=2", ["to", "x"]),
    ],
)
def test_a_text_is_found_by_each_of_these_queries(text: str, queries: list[str]) -> None:
    assert [query for query in queries if not is_found(query, text)] == []


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("c#", "create cards in C"),
        ("c++", "C# compiler"),
        ("c#", "C++ compiler"),
        ("f#", "find files"),
        ("999", "tool_99_9"),
        ("34", "1.2.3.4"),
        ("23", "between 1 2 3"),
        ("r&d", "read a document"),
        ("at&t", "attach a tag"),
        ("r$", "rates in €"),
        ("theme", "the message"),
        ("hub", "getthub"),
        ("sitems", "ListWorkItems"),
    ],
)
def test_a_text_is_not_found_by_another_query(query: str, text: str) -> None:
    assert not is_found(query, text)


@pytest.mark.parametrize("query", ["a+b", "c, d", "vitamin c.", "plan b!", "(x)"])
def test_punctuation_after_a_letter_is_not_a_sign(query: str) -> None:
    assert all(part[-1] < "\uff01" for term in query_terms(query) for part in term.parts)


# In camel case, a word of one letter cannot be told from a letter of an acronym.
WORDS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=8)
SEVERAL = st.lists(WORDS, min_size=2, max_size=6)
WRITTEN: dict[str, Callable[[list[str]], str]] = {
    "camelCase": lambda words: words[0] + "".join(map(str.capitalize, words[1:])),
    "PascalCase": lambda words: "".join(map(str.capitalize, words)),
    "snake_case": "_".join,
    "kebab-case": "-".join,
    "dotted": ".".join,
    "slashed": "/".join,
    "UPPER_CASE": lambda words: "_".join(words).upper(),
}


@pytest.mark.parametrize("style", WRITTEN)
@given(words=SEVERAL)
def test_a_compound_is_found_by_each_word_and_each_joined_run(style: str, words: list[str]) -> None:
    runs = {"".join(words[start : start + size]) for size in (1, 2, 3) for start in range(len(words) - size + 1)}
    text = WRITTEN[style](words)
    assert [run for run in runs if not is_found(run, text)] == []


@given(words=st.lists(WORDS.filter(lambda word: len(word) > 4), min_size=2, max_size=6))
def test_separated_words_are_found_by_their_joined_form(words: list[str]) -> None:
    text = " ".join(words)
    runs = {"".join(words[start : start + size]) for size in (2, 3) for start in range(len(words) - size + 1)}
    assert [run for run in runs if not is_found(run, text)] == []


@given(before=WORDS, acronym=st.text("ABCDGHIP", min_size=2, max_size=5), tail=st.sampled_from(["s", "v4", "v6", "es"]))
def test_an_acronym_with_a_tail_is_found_whole_and_without_it(before: str, acronym: str, tail: str) -> None:
    for text in (f"{before}{acronym}{tail}", f"{before}_{acronym}{tail}_x", f"{before}{acronym}{tail}Next"):
        assert is_found(acronym + tail, text)
        assert is_found((acronym + tail).lower(), text)
        assert is_found(acronym, text)


@given(forms=st.lists(st.text("abABcC1_-./", min_size=1, max_size=20), min_size=1, max_size=4))
def test_every_written_form_is_found(forms: list[str]) -> None:
    text = " ".join(forms)
    written = [form for form in forms if any(map(str.isalnum, form))]
    assert [form for form in written if not is_found(form, text)] == []
    squashed = ["".join(filter(str.isalnum, form)) for form in written]
    assert [form for form in squashed if not is_found(form, text)] == []


SCRIPTS = {
    "Chinese": "订单状态查询发票",
    "Japanese": "天気予報カタカナひらがガー々",
    "Thai": "ค้นหาคำสั่งซื้อ",
    "Lao": "ຄົ້ນຫາຄໍາສັ່ງຊື້",
    "Khmer": "ស្វែងរកការបញ្ជាទិញ",
    "Burmese": "အော်ဒါရှာဖွေရန်",
    "Hangul": "주문조회서비스",
    "Tibetan": "བོདཡིགཤོག",
}


@pytest.mark.parametrize("script", SCRIPTS)
@given(data=st.data())
def test_a_run_without_spaces_is_found_by_each_of_its_substrings(script: str, data: st.DataObject) -> None:
    run = data.draw(st.text(SCRIPTS[script], min_size=1, max_size=40))
    text = data.draw(st.sampled_from(["{}", "get{}", "{}List", "a_{}_b", "say {} now", "v2{}3"])).format(run)
    start = data.draw(st.integers(0, len(run) - 1))
    part = run[start : data.draw(st.integers(start + 1, len(run)))]
    if fold(part):
        assert is_found(part, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("คำสั่งซื้อ", "ค้นหาคำสั่งซื้อ"),
        ("ค้นหา", "ค้นหาคำสั่งซื้อ"),
        ("ສັ່ງຊື້", "ຄົ້ນຫາຄໍາສັ່ງຊື້"),
        ("បញ្ជាទិញ", "ស្វែងរកការបញ្ជាទិញ"),
        ("ការបញ្ជាទិញ", "ស្វែងរក\u200bការ\u200bបញ្ជាទិញ"),
        ("ရှာဖွေ", "အော်ဒါရှာဖွေရန်"),
        ("조회", "주문조회"),
        ("予報", "get天気予報"),
        ("状态", "查询订单状态"),
    ],
)
def test_a_word_inside_a_run_without_spaces_is_found(query: str, text: str) -> None:
    assert is_found(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("ซื้อคำสั่ง", "ค้นหาคำสั่งซื้อ"),
        ("회조", "주문조회"),
        ("報予", "天気予報"),
        ("查状态", "查询订单状态"),
    ],
)
def test_other_letters_of_a_run_are_not_found(query: str, text: str) -> None:
    assert not is_found(query, text)


@given(st.text(st.sampled_from("".join(SCRIPTS.values()) + "aB_ "), max_size=300))
def test_words_of_any_script_are_bounded(text: str) -> None:
    assert all(0 < len(word) <= MAX_WORD_CHARS for word in index_words(text))
