"""The contract of base.SearchIndex, tested with every adapter.

The recordings of the Weaviate double have the names of these tests as their keys.
"""

from dataclasses import replace

import pytest

from federations.search.base import (
    DocumentKind,
    IndexedResource,
    SearchDocument,
    SearchIndex,
    SearchPage,
    SearchQuery,
)
from tests.app.federations.search import catalog
from tests.app.federations.search.catalog import BILLING, PHARMACY, WEATHER, resource


def found(index: SearchIndex, text: str) -> list[str]:
    """Return the names of the hits, best first."""
    return [hit.document.name for hit in index.search(SearchQuery(text, limit=100)).hits]


@pytest.mark.parametrize(
    ("text", "top"),
    [
        ("get_invoice_total", "get_invoice_total"),
        ("getInvoiceTotal", "get_invoice_total"),
        ("get-invoice-total", "get_invoice_total"),
        ("get invoice total", "get_invoice_total"),
        ("GET INVOICE TOTAL", "get_invoice_total"),
        ("getinvoicetotal", "get_invoice_total"),
        ("getinvoicet", "get_invoice_total"),
        ("invoice total", "get_invoice_total"),
        ("send_reminder", "sendReminder"),
        ("sendrem", "sendReminder"),
        ("Send-Re-Minder", "sendReminder"),
        ("foreCast", "forecast"),
        ("reminder", "sendReminder"),
        ("health check", "HTTPHealthCheck"),
        ("http_health_check", "HTTPHealthCheck"),
        ("explain-invoice", "explain-invoice"),
        ("explainInvoice", "explain-invoice"),
        ("billing", "billing-server"),
        ("billing-server", "billing-server"),
        ("January", "January ledger"),
        ("ledger://2026/january", "January ledger"),
        ("pharmacy_fraud_a2a", "pharmacy_fraud_a2a"),
        ("detect", "Detect forgery"),
        ("fraud scoring", "Detect forgery"),
        ("4711", "Detect forgery"),
        ("wetterdienst zurich", "Wetterdienst Zürich"),
        ("ZÜRICH", "Wetterdienst Zürich"),
        ("schneehohe", "Wetterdienst Zürich"),
        ("STRASSE", "Wetterdienst Zürich"),
        ("予報", "Wetterdienst Zürich"),
        ("погода", "Wetterdienst Zürich"),
        ("fore", "forecast"),
    ],
)
def test_a_known_item_is_the_first_hit(index: SearchIndex, text: str, top: str) -> None:
    assert found(index, text)[0] == top


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("invoice", {"billing-server", "get_invoice_total", "explain-invoice", "pharmacy_fraud_a2a"}),
        ("invoi", {"billing-server", "get_invoice_total", "explain-invoice", "pharmacy_fraud_a2a"}),
        ("customer", {"sendReminder", "explain-invoice"}),
        ("production", {"billing-server", "pharmacy_fraud_a2a"}),
        ("production dunning", {"billing-server"}),
        ("invoice_number", {"get_invoice_total"}),
        ("voice", set()),
        ("voice zebra", set()),
    ],
)
def test_every_word_must_match_by_prefix_in_some_column(index: SearchIndex, text: str, expected: set[str]) -> None:
    hits = found(index, text)
    assert set(hits) == expected
    assert len(hits) == len(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("invoices", {"billing-server", "get_invoice_total", "explain-invoice", "pharmacy_fraud_a2a"}),
        ("reminders customers", {"sendReminder"}),
        ("subsidiary", {"billing-server"}),
        ("subsidiaries", {"billing-server"}),
        ("forgeries", {"Detect forgery", "pharmacy_fraud_a2a"}),
        ("how do I write to the customer?", {"sendReminder"}),
        ("what is in the sky", {"forecast"}),
        ("at the", {"get_invoice_total"}),
    ],
)
def test_singular_plural_and_fillers_make_no_difference(index: SearchIndex, text: str, expected: set[str]) -> None:
    assert set(found(index, text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("customer forgery", {"sendReminder", "explain-invoice", "Detect forgery", "pharmacy_fraud_a2a"}),
        ("zebra forgery", {"Detect forgery", "pharmacy_fraud_a2a"}),
        ("zebra_forgery", {"Detect forgery", "pharmacy_fraud_a2a"}),
        ("zebraForgeries", {"Detect forgery", "pharmacy_fraud_a2a"}),
    ],
)
def test_any_word_will_do_where_no_document_has_them_all(index: SearchIndex, text: str, expected: set[str]) -> None:
    page = index.search(SearchQuery(text))
    assert {hit.document.name for hit in page.hits} == expected
    assert page.total == len(expected)


def test_any_word_will_do_within_the_filters_that_are_asked_for(index: SearchIndex) -> None:
    everywhere = SearchQuery("customer reminder", kinds=frozenset({DocumentKind.TOOL, DocumentKind.PROMPT}))
    prompts = replace(everywhere, kinds=frozenset({DocumentKind.PROMPT}))
    assert [hit.document.name for hit in index.search(everywhere).hits] == ["sendReminder"]
    assert [hit.document.name for hit in index.search(prompts).hits] == ["explain-invoice"]
    assert index.search(replace(prompts, offset=1)) == SearchPage((), 1)


COMPOUNDS = {
    "createGitHubIssue": ["github", "githubissue", "issue", "creategithub"],
    "create_GitHub_label": ["github", "githublabel"],
    "getOAuthToken": ["oauth", "oauthtoken"],
    "queryPostgreSQL": ["postgresql"],
    "getIPv4Address": ["ipv4", "ip", "ipv4address"],
    "listVPCs": ["vpc", "vpcs"],
    "get_user_IDs": ["id", "ids", "userids"],
    "ListWorkItems": ["workitems", "workitem"],
    "boards.work.items": ["workitems", "boardswork"],
    "repos/pull-requests": ["pullrequests", "repospull"],
    "Single Sign On": ["singlesignon", "signon"],
    "ค้นหาคำสั่งซื้อ": ["ค้นหา", "คำสั่งซื้อ", "สั่ง"],
    "ຄົ້ນຫາຄໍາສັ່ງຊື້": ["ສັ່ງຊື້"],
    "ស្វែងរកការបញ្ជាទិញ": ["បញ្ជាទិញ"],
    "အော်ဒါရှာဖွေရန်": ["ရှာဖွေ"],
    "주문조회": ["조회", "주문"],
    "订单状态查询": ["状态", "态查", "查询"],
    "C# formatter": ["c#", "C#"],
    "C++ compiler": ["c++"],
}


def test_a_name_is_found_by_each_word_and_joined_run_in_it(empty_index: SearchIndex) -> None:
    empty_index.replace([resource(name, text="d") for name in COMPOUNDS])
    missed = [
        (query, name)
        for name, queries in COMPOUNDS.items()
        for query in queries
        if name not in found(empty_index, query)
    ]
    assert missed == []
    assert found(empty_index, "c#") == ["C# formatter"]
    assert found(empty_index, "c++") == ["C++ compiler"]


def test_joined_words_find_a_text_in_which_they_are_separate(empty_index: SearchIndex) -> None:
    empty_index.replace([resource("one", text="Lists work items of a board"), resource("two", text="Items of work")])
    assert found(empty_index, "workitems") == ["one"]
    assert found(empty_index, "workitem") == ["one"]


def named(name: str, card_name: str = "", text: str = "") -> IndexedResource:
    indexed = resource(name, text=text)
    return replace(indexed, documents=(replace(indexed.documents[0], card_name=card_name),))


def test_the_name_on_a_card_has_the_weight_of_the_name(empty_index: SearchIndex) -> None:
    filler = [resource(f"filler{number}", text="nothing of note") for number in range(20)]
    empty_index.replace(
        [named("alpha", text="guardian guardian"), named("fraud", "Rx Guardian"), named("guardian server"), *filler]
    )
    assert set(found(empty_index, "guardian")[:2]) == {"fraud", "guardian server"}
    assert found(empty_index, "guardian")[2] == "alpha"
    assert found(empty_index, "rx guardian") == ["fraud"]
    assert found(empty_index, "rxguardian") == ["fraud"]
    (hit,) = empty_index.search(SearchQuery("rx")).hits
    assert hit.document.card_name == "Rx Guardian"


def test_a_whole_name_on_a_card_comes_first(empty_index: SearchIndex) -> None:
    empty_index.replace(
        [named("guardian guardian guardian"), named("fraud", "Guardian", "x " * 400), named("guardians")]
    )
    assert found(empty_index, "guardian")[0] == "fraud"


def test_where_any_word_will_do_more_words_come_first(empty_index: SearchIndex) -> None:
    filler = [resource(f"filler{number}", text="nothing of note") for number in range(20)]
    empty_index.replace([resource("red"), resource("red green"), resource("blue"), *filler])
    assert found(empty_index, "red green zebra") == ["red green", "red"]


def test_a_plural_comes_before_the_singular_when_it_is_asked_for(empty_index: SearchIndex) -> None:
    empty_index.replace([resource("log first"), resource("logs second"), resource("login third")])
    assert found(empty_index, "logs") == ["logs second", "log first", "login third"]


def test_a_name_counts_more_than_a_tag_and_a_tag_more_than_text(empty_index: SearchIndex) -> None:
    by_text, by_tag, by_name = (resource(name) for name in ("alpha", "beta", "gamma ledger"))
    filler = tuple(resource(f"filler{number}", text="nothing of note") for number in range(20))
    empty_index.replace(
        [
            *filler,
            replace(by_text, documents=(replace(by_text.documents[0], text="ledger"),)),
            replace(by_tag, documents=(replace(by_tag.documents[0], tags=("ledger",)),)),
            by_name,
        ]
    )
    assert found(empty_index, "ledger") == ["gamma ledger", "beta", "alpha"]


def test_an_exact_name_comes_before_a_name_that_says_it_more_often(empty_index: SearchIndex) -> None:
    empty_index.replace([resource("report report report"), resource("reports"), resource("report", text="x " * 400)])
    assert found(empty_index, "report")[0] == "report"


def test_a_whole_word_comes_before_a_longer_one(empty_index: SearchIndex) -> None:
    empty_index.replace([resource("tickets first"), resource("ticket second"), resource("ticketing third")])
    assert found(empty_index, "ticket")[0] == "ticket second"


def test_a_hit_is_the_document_as_it_was_indexed(index: SearchIndex) -> None:
    (hit,) = index.search(SearchQuery("send reminder", kinds=frozenset({DocumentKind.TOOL}))).hits
    assert hit.document == next(each for each in BILLING.documents if each.name == "sendReminder")
    assert hit.score > 0
    assert hit.snippet.startswith("Write to a customer")


def test_any_text_comes_back_as_it_went_in(empty_index: SearchIndex) -> None:
    document = SearchDocument(
        "x", DocumentKind.TOOL, "x", "f", "odd \ud800 na\x00me", "/x", "t\x00e\n<b>\udfff</b> 😀", ("tag\x00", "ü")
    )
    empty_index.replace([IndexedResource("x", "f", "1", (document,))])
    assert [hit.document for hit in empty_index.search(SearchQuery("odd")).hits] == [document]


def test_scores_fall_along_the_hits(index: SearchIndex) -> None:
    scores = [hit.score for hit in index.search(SearchQuery("invoice")).hits]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 4


def test_the_snippet_shows_the_match_in_a_long_text(empty_index: SearchIndex) -> None:
    text = "lorem ipsum " * 200 + "the needle\x07 lies\n\nhere " + "dolor sit " * 200
    empty_index.replace([resource("haystack", text=text)])
    (hit,) = empty_index.search(SearchQuery("need")).hits
    assert "the needle lies here" in hit.snippet
    assert len(hit.snippet) < 250
    assert hit.snippet.isprintable()


@pytest.mark.parametrize("kind", list(DocumentKind))
def test_a_kind_filter_keeps_only_that_kind(index: SearchIndex, kind: DocumentKind) -> None:
    documents = [each for group in catalog.ALL for each in group.documents if each.kind == kind]
    assert documents
    for document in documents:
        page = index.search(SearchQuery(document.name, kinds=frozenset({kind})))
        assert document in [hit.document for hit in page.hits]
        assert {hit.document.kind for hit in page.hits} == {kind}
        assert page.total == len(page.hits)


def test_several_kinds_may_be_asked_for(index: SearchIndex) -> None:
    page = index.search(SearchQuery("invoice", kinds=frozenset({DocumentKind.TOOL, DocumentKind.PROMPT})))
    assert {hit.document.name for hit in page.hits} == {"get_invoice_total", "explain-invoice"}
    assert page.total == 2


@pytest.mark.parametrize(
    ("federation_ids", "expected"),
    [
        (None, {"billing-server", "pharmacy_fraud_a2a", "get_invoice_total", "explain-invoice"}),
        (frozenset({"finance"}), {"billing-server", "get_invoice_total", "explain-invoice"}),
        (frozenset({"health"}), {"pharmacy_fraud_a2a"}),
        (frozenset({"health", "unknown", "'; --"}), {"pharmacy_fraud_a2a"}),
        (frozenset({""}), set()),
        (frozenset(), set()),
    ],
)
def test_federation_ids_restrict_the_hits_and_the_total(
    index: SearchIndex, federation_ids: frozenset[str] | None, expected: set[str]
) -> None:
    page = index.search(SearchQuery("invoice", federation_ids=federation_ids))
    assert {hit.document.name for hit in page.hits} == expected
    assert page.total == len(expected)


def test_the_empty_federation_id_means_resources_without_a_federation(index: SearchIndex) -> None:
    page = index.search(SearchQuery("forecast", federation_ids=frozenset({""})))
    assert [hit.document.name for hit in page.hits] == ["forecast", "Wetterdienst Zürich"]


def test_thousands_of_federation_ids_are_one_filter(empty_index: SearchIndex) -> None:
    empty_index.replace(resource(f"ledger {number}", federation_id=f"f{number}") for number in range(300))
    wanted = frozenset(f"f{number}" for number in range(100, 40_000))
    assert empty_index.search(SearchQuery("ledger", federation_ids=wanted)).total == 200


def test_pages_cover_all_hits_once_in_a_stable_order(empty_index: SearchIndex) -> None:
    empty_index.replace(resource(f"same name{suffix}", text="same") for suffix in "hgfedcba")
    whole = empty_index.search(SearchQuery("same", limit=100))
    pages = [empty_index.search(SearchQuery("same", limit=3, offset=offset)) for offset in range(0, 9, 3)]
    assert [hit for page in pages for hit in page.hits] == list(whole.hits)
    assert {page.total for page in [whole, *pages]} == {8}
    ids = [hit.document.id for hit in whole.hits]
    assert ids == sorted(ids)


@pytest.mark.parametrize("offset", [4, 5, 1_000, 2**63, 10**30])
def test_a_page_past_the_end_is_empty_with_the_real_total(index: SearchIndex, offset: int) -> None:
    assert index.search(SearchQuery("invoice", offset=offset)) == SearchPage((), 4)


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (-1, 0), (101, 0), (1, -1)])
def test_a_query_out_of_bounds_cannot_be_made(limit: int, offset: int) -> None:
    with pytest.raises(ValueError, match="must"):
        SearchQuery("x", limit=limit, offset=offset)


def test_nothing_is_found_in_an_empty_index(empty_index: SearchIndex) -> None:
    assert empty_index.search(SearchQuery("invoice")) == SearchPage((), 0)
    assert empty_index.stamps("finance") == {}


def test_replacing_a_resource_leaves_nothing_of_the_old_one(index: SearchIndex) -> None:
    newer = IndexedResource(BILLING.resource_id, "finance", "new", BILLING.documents[:2])
    index.replace([newer])
    assert set(found(index, "invoice")) == {"billing-server", "get_invoice_total", "pharmacy_fraud_a2a"}
    assert found(index, "customer") == []
    assert index.stamps("finance") == {BILLING.resource_id: "new"}


def test_replacing_twice_is_replacing_once(index: SearchIndex) -> None:
    before = index.search(SearchQuery("invoice"))
    index.replace(catalog.ALL)
    index.replace(catalog.ALL, delete_first=False)
    after = index.search(SearchQuery("invoice"))
    assert after.total == before.total == 4
    assert [hit.document for hit in after.hits] == [hit.document for hit in before.hits]


def test_a_missing_resource_is_built_without_deleting_first(index: SearchIndex) -> None:
    index.delete([BILLING.resource_id])
    index.replace([BILLING], delete_first=False)
    assert found(index, "getInvoiceTotal") == ["get_invoice_total", "billing-server"]


def test_the_last_of_two_entries_for_one_resource_counts(empty_index: SearchIndex) -> None:
    empty_index.replace([resource("twice", stamp="1"), resource("twice", stamp="2")])
    assert empty_index.stamps("finance") == {"twice": "2"}
    assert empty_index.search(SearchQuery("twice")).total == 1


def test_a_resource_that_moves_to_another_federation_leaves_the_first(empty_index: SearchIndex) -> None:
    empty_index.replace([resource("mover", federation_id="finance")])
    empty_index.replace([resource("mover", federation_id="health")])
    assert empty_index.stamps("finance") == {}
    assert empty_index.search(SearchQuery("mover", federation_ids=frozenset({"finance"}))).total == 0
    assert empty_index.search(SearchQuery("mover", federation_ids=frozenset({"health"}))).total == 1


def test_replacing_nothing_changes_nothing(index: SearchIndex) -> None:
    index.replace([])
    assert index.search(SearchQuery("invoice")).total == 4


def test_deleting_removes_these_resources_and_no_others(index: SearchIndex) -> None:
    index.delete([BILLING.resource_id, "unknown", "%", "'; DELETE FROM documents; --"])
    index.delete([])
    assert found(index, "invoice") == ["pharmacy_fraud_a2a"]
    assert index.stamps("finance") == {}
    assert index.stamps("health") == {PHARMACY.resource_id: PHARMACY.stamp}


def test_deleting_a_federation_spares_the_others(index: SearchIndex) -> None:
    index.delete_federation("finance")
    index.delete_federation("unknown")
    assert found(index, "invoice") == ["pharmacy_fraud_a2a"]
    assert index.stamps("") == {WEATHER.resource_id: WEATHER.stamp}


def test_the_empty_federation_can_be_deleted_like_any_other(index: SearchIndex) -> None:
    index.delete_federation("")
    assert found(index, "forecast") == []
    assert index.stamps("finance") == {BILLING.resource_id: BILLING.stamp}


def test_stamps_are_those_of_one_federation(index: SearchIndex) -> None:
    assert index.stamps("finance") == {BILLING.resource_id: BILLING.stamp}
    assert index.stamps("nobody") == {}


def test_a_resource_without_documents_is_indexed_all_the_same(empty_index: SearchIndex) -> None:
    empty_index.replace([IndexedResource("bare", "finance", "7", ())])
    assert empty_index.stamps("finance") == {"bare": "7"}


def test_clearing_removes_everything(index: SearchIndex) -> None:
    index.clear()
    assert found(index, "invoice") == []
    assert index.stamps("finance") == index.stamps("") == {}
    index.replace([BILLING])
    assert found(index, "sendReminder") == ["sendReminder", "billing-server"]
