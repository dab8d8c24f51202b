from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from peers.models import (
    AgentVisibilityChoice,
    Dispatch,
    HandlerEvent,
    InboundCallback,
    Intent,
    JournalEntry,
    KeyOrigin,
    KeyState,
    OutboundCallback,
    Peer,
    PeerToken,
    ReceivedDispatch,
    RegisteredAgent,
)
from peers.services.keys import propose_key
from peers.services.peers import (
    PeerSettings,
    add_peer,
    change_settings,
    outbound_key_of,
    record_stranger,
    retire_peer,
    suspend_peer,
    valid_keys,
)
from peers.services.tokens import issue_peer_token, peer_of_token
from tests.conftest import MakeAgent
from tests.stores.counting import counted_queries
from tests.unit.peers.staff.conftest import KEY, MARTA, NEXT_KEY, URL, Partner

pytestmark = pytest.mark.django_db

LIST = reverse("admin:peers_peer_changelist")
IMPORT = reverse("admin:peers_peer_import_peers")
CONFIRMED = {"_form_submitted": "True"}
MODELS = [
    "peer",
    "peerkey",
    "intent",
    "dispatch",
    "receiveddispatch",
    "inboundcallback",
    "outboundcallback",
    "handlerevent",
    "journalentry",
    "discoveredagent",
    "registeredagent",
]
EVIL = "<script>alert(1)</script>"
EVIL_LINK = "javascript:alert(1)"


@pytest.fixture
def admin(db: None) -> Client:
    """Sign in as a superuser."""
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="a long enough password"))
    return client


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    """Return a function that signs in as staff with the named permissions alone."""

    def sign_in(*codenames: str) -> Client:
        user = User.objects.create_user("ines", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(content_type__app_label="peers", codename__in=codenames))
        client = Client()
        client.force_login(user)
        return client

    return sign_in


def url(row: Model, action: str = "change") -> str:
    return reverse(f"admin:peers_{row._meta.model_name}_{action}", args=[row.pk])


def text_of(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, path
    return response.content.decode()


def test_a_peer_is_added_and_its_page_says_what_comes_next(admin: Client) -> None:
    response = admin.post(
        reverse("admin:peers_peer_add"), {"server_url": f"{URL}/", "relationship": "upstream"}, follow=True
    )

    peer = Peer.objects.get()
    assert (peer.server_url, peer.state, peer.relationship) == (URL, "proposed", "upstream")
    assert response.redirect_chain[-1][0] == url(peer)
    assert "press Fetch documents" in response.content.decode()


def test_a_retired_peer_is_proposed_again_by_adding_it(admin: Client, approved: Peer) -> None:
    retire_peer(approved, by=MARTA)

    admin.post(reverse("admin:peers_peer_add"), {"server_url": URL, "relationship": "peer"})

    peer = Peer.objects.get()
    assert (peer.pk, peer.state, peer.decisions.count()) == (approved.pk, "proposed", 4)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ({"server_url": "https://10.0.0.1"}, "Blocked by ssrf"),
        ({"server_url": EVIL_LINK}, "Not an http(s) url"),
        ({"server_url": ""}, "a did:web"),
        ({"server_url": URL, "did": "did:web:other.example.org"}, "is not the one"),
        ({"server_url": URL, "public_key": "AAAA"}, "Ed25519"),
        ({"server_url": "https://known.example.org"}, "is known already"),
    ],
)
def test_a_peer_that_cannot_be_meant_is_refused_beside_its_field(
    admin: Client, typed: dict[str, str], expected: str
) -> None:
    add_peer("https://known.example.org", by=MARTA)

    response = admin.post(reverse("admin:peers_peer_add"), typed | {"relationship": "peer"})

    assert expected.lower() in response.content.decode().lower()
    assert Peer.objects.count() == 1


def test_approving_needs_the_picked_fingerprint_and_the_word_that_it_was_compared(
    admin: Client, proposed: Peer
) -> None:
    fingerprint = proposed.keys.get().fingerprint
    assert fingerprint in text_of(admin, url(proposed, "approve"))

    for half in ({}, {"fingerprint": fingerprint}, {"compared": "on"}, {"fingerprint": "00", "compared": "on"}):
        assert admin.post(url(proposed, "approve"), half).status_code == 200
        assert Peer.objects.get().state == "proposed"

    admin.post(
        url(proposed, "approve"),
        {"fingerprint": fingerprint, "compared": "on", "reason": "By phone", "review_by": "2027-01-31"},
    )

    peer = Peer.objects.get()
    decision = peer.decisions.first()
    assert decision is not None
    assert (peer.state, str(peer.review_by)) == ("approved", "2027-01-31")
    assert (decision.actor_name, decision.reason, decision.fingerprint) == ("root", "By phone", fingerprint)
    assert valid_keys(peer, timezone.now()) == [KEY.verification_key]


@pytest.mark.parametrize(
    ("state", "action", "after"),
    [
        ("proposed", "reject", "rejected"),
        ("approved", "suspend", "suspended"),
        ("suspended", "resume", "approved"),
        ("approved", "retire", "retired"),
        ("rejected", "repropose", "proposed"),
    ],
)
def test_a_decision_is_a_dialog_with_a_reason_and_a_link_alone_decides_nothing(
    admin: Client, proposed: Peer, state: str, action: str, after: str
) -> None:
    Peer.objects.update(state=state)

    assert admin.get(url(proposed, action)).status_code == 200
    assert Peer.objects.get().state == state
    admin.post(url(proposed, action), CONFIRMED | {"reason": "Because"})

    decision = proposed.decisions.first()
    assert decision is not None
    assert (Peer.objects.get().state, decision.reason, decision.actor_name) == (after, "Because", "root")


@pytest.mark.parametrize("action", ["reject", "suspend"])
def test_rejecting_and_suspending_ask_for_a_reason(admin: Client, proposed: Peer, action: str) -> None:
    state = "approved" if action == "suspend" else "proposed"
    Peer.objects.update(state=state)

    admin.post(url(proposed, action), CONFIRMED | {"reason": " "})

    assert Peer.objects.get().state == state


def test_a_stale_page_is_told_what_happened_meanwhile(admin: Client, approved: Peer) -> None:
    suspend_peer(approved, reason="Incident", by=MARTA)

    response = admin.post(url(approved, "suspend"), CONFIRMED | {"reason": "Again"}, follow=True)

    assert "is suspended and cannot become suspended" in response.content.decode()


@pytest.mark.parametrize(
    ("state", "shown", "hidden"),
    [
        ("proposed", {"approve", "fetch", "reject"}, {"suspend", "resume", "retire", "repropose", "issue-token"}),
        ("approved", {"suspend", "retire", "fetch", "issue-token"}, {"approve", "reject", "resume", "repropose"}),
        ("suspended", {"resume", "retire"}, {"approve", "suspend", "issue-token", "repropose"}),
        ("retired", {"repropose"}, {"approve", "fetch", "suspend", "resume", "issue-token"}),
    ],
)
def test_a_page_offers_what_its_state_allows(
    admin: Client, proposed: Peer, state: str, shown: set[str], hidden: set[str]
) -> None:
    Peer.objects.update(state=state)

    page = text_of(admin, url(proposed))

    offered = {verb for verb in shown | hidden if f"/{proposed.pk}/{verb}" in page}
    assert offered == shown


def test_fetching_shows_the_key_and_trusts_nothing(admin: Client, partner: Partner) -> None:
    partner.publish(KEY)
    peer = add_peer(partner.url, by=MARTA)

    response = admin.post(url(peer, "fetch"), CONFIRMED, follow=True)

    assert "1 key found, 1 of them not seen before" in response.content.decode()
    assert (peer.keys.get().state, Peer.objects.get().state) == (KeyState.PROPOSED, "proposed")


def test_a_fetch_that_fails_says_why(admin: Client, partner: Partner) -> None:
    peer = add_peer(partner.url, by=MARTA)

    response = admin.post(url(peer, "fetch"), CONFIRMED, follow=True)

    assert "which is no document" in response.content.decode()


def test_a_changed_key_is_shown_as_waiting_and_pinned_after_comparing(admin: Client, approved: Peer) -> None:
    key = propose_key(approved, NEXT_KEY.verification_key, origin=KeyOrigin.PUBLISHED, by=MARTA, is_continuous=True)
    assert "A different key waits for you" in text_of(admin, url(approved))
    assert "signed by the key before it" in text_of(admin, url(key, "approve"))

    admin.post(url(key, "approve"), {"overlap_days": "0"})
    assert valid_keys(approved, timezone.now()) == [KEY.verification_key]

    admin.post(url(key, "approve"), {"overlap_days": "0", "compared": "on"})
    assert valid_keys(approved, timezone.now()) == [NEXT_KEY.verification_key]


def test_a_key_is_revoked_from_its_page(admin: Client, approved: Peer) -> None:
    admin.post(url(approved.keys.get(), "revoke"), CONFIRMED | {"reason": "Leaked"})

    assert valid_keys(approved, timezone.now()) == []
    assert JournalEntry.objects.filter(kind="key", text__endswith="Leaked", actor_name="root").exists()


def test_a_token_is_shown_once_and_kept_out_of_caches(admin: Client, approved: Peer) -> None:
    response = admin.post(url(approved, "issue_token"), {"days": "30"})

    raw = response.context["token"]
    assert raw in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert peer_of_token(raw, timezone.now()) == approved
    assert raw not in text_of(admin, url(approved))

    admin.post(url(approved, "revoke_all_tokens"), CONFIRMED)
    assert peer_of_token(raw, timezone.now()) is None


def test_the_outbound_key_is_saved_and_never_shown(admin: Client, approved: Peer) -> None:
    admin.post(url(approved, "outbound_key"), CONFIRMED | {"key": "sk-partner-1"})

    stored = Peer.objects.get()
    assert outbound_key_of(stored) == "sk-partner-1"
    page = text_of(admin, url(approved))
    assert "sk-partner-1" not in page
    assert stored.outbound_key not in page


def test_settings_are_changed_and_a_wrong_origin_stands_beside_its_field(admin: Client, approved: Peer) -> None:
    typed = {"display_name": "Partner", "relationship": "downstream", "notes": "", "review_by": ""}

    admin.post(url(approved), typed | {"callback_origins": "https://callbacks.example.org/"})
    response = admin.post(url(approved), typed | {"callback_origins": "http://10.0.0.1"})

    stored = Peer.objects.get()
    assert (stored.display_name, stored.relationship) == ("Partner", "downstream")
    assert stored.callback_origins == ["https://callbacks.example.org"]
    assert "is no origin that callbacks may go to" in response.content.decode()


def test_a_form_cannot_set_what_only_decisions_set(admin: Client, proposed: Peer) -> None:
    typed = {"display_name": "", "relationship": "peer", "callback_origins": "", "state": "approved"}

    admin.post(url(proposed), typed | {"server_url": "https://other.example.org", "outbound_key": "x", "did": "x"})

    stored = Peer.objects.get()
    assert (stored.state, stored.server_url, stored.outbound_key) == ("proposed", URL, "")


def test_whoever_may_only_look_decides_nothing(staff: Callable[..., Client], proposed: Peer) -> None:
    client = staff("view_peer", "view_peerkey", "view_dispatch", "view_intent")
    key = proposed.keys.get()

    page = text_of(client, url(proposed))
    assert f"/{proposed.pk}/approve" not in page
    form = {"fingerprint": key.fingerprint, "compared": "on", "reason": "x"}
    for action in ("approve", "fetch", "reject", "suspend", "resume", "retire", "repropose", "issue_token"):
        assert client.post(url(proposed, action), CONFIRMED | form).status_code == 403
    for action in ("approve", "revoke"):
        assert client.post(url(key, action), CONFIRMED | form).status_code == 403
    assert client.get(IMPORT).status_code == 403
    assert Peer.objects.get().state == "proposed"
    assert PeerToken.objects.count() == 0


def test_whoever_may_not_look_sees_nothing(staff: Callable[..., Client], proposed: Peer) -> None:
    client = staff()

    for model in MODELS:
        assert client.get(reverse(f"admin:peers_{model}_changelist")).status_code == 403
    assert client.get(reverse("admin:peers_peer_export_as_csv")).status_code == 403


def test_an_import_is_reviewed_row_by_row_and_stores_the_ticked_rows_alone(admin: Client) -> None:
    text = f"server_url,notes\nhttps://a.example.org,{EVIL}\nhttps://b.example.org,\nhttps://10.0.0.1,\n"

    response = admin.post(IMPORT, {"file": SimpleUploadedFile("peers.csv", text.encode())})

    page = response.content.decode()
    assert [found["row"].is_storable for found in response.context["rows"]] == [True, True, False]
    assert EVIL not in page
    assert page.count('name="row"') == 2
    assert Peer.objects.count() == 0

    admin.post(IMPORT, {"text": text, "row": ["2", "3"], "store": ""})
    assert list(Peer.objects.values_list("server_url", "state")) == [("https://b.example.org", "proposed")]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"name\nvalue\n", b"x" * 300_000])
def test_a_file_that_is_no_list_of_peers_is_refused(admin: Client, content: bytes) -> None:
    response = admin.post(IMPORT, {"file": SimpleUploadedFile("peers.csv", content)})

    assert response.status_code == 200
    assert response.context["form"].errors
    assert Peer.objects.count() == 0


def test_exports_are_files_in_which_no_cell_is_a_formula(admin: Client, approved: Peer) -> None:
    evil = '=HYPERLINK("https://evil.example","x")'
    change_settings(approved, PeerSettings(evil, "peer", False, (), evil, None), by=MARTA)

    as_csv = admin.get(reverse("admin:peers_peer_export_as_csv"))
    as_json = admin.get(reverse("admin:peers_peer_export_as_json"))

    cells = [cell for row in csv.reader(io.StringIO(as_csv.content.decode())) for cell in row]
    assert f"'{evil}" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert as_csv["Content-Disposition"].startswith("attachment")
    assert json.loads(as_json.content)[0]["notes"] == evil


def hostile_rows() -> list[Model]:
    """Store what a hostile peer could say, wherever a peer can say something."""
    peer = add_peer(URL, by=MARTA, notes=EVIL)
    change_settings(peer, PeerSettings(EVIL, "peer", False, (), f"{EVIL} {EVIL_LINK}", None), by=MARTA)
    Peer.objects.filter(pk=peer.pk).update(state="approved", did=EVIL_LINK)
    odd = {EVIL: EVIL, "link": EVIL_LINK, "nested": [{"a": EVIL}]}
    intent = Intent.objects.create(title=EVIL, description=EVIL_LINK + EVIL, state=odd, constraints=odd)
    dispatch = Dispatch.objects.create(
        id="d-1",
        intent_id=intent.pk,
        intent_title=EVIL,
        peer=peer,
        target_server=URL,
        agent_id=EVIL,
        envelope=json.dumps(odd),
        reason=EVIL,
        last_error=EVIL,
        state=odd,
        attestation=odd,
        remote_intent_id=EVIL,
        trace_id=EVIL,
        dead_at=timezone.now(),
    )
    inbound = InboundCallback.objects.create(
        dispatch=dispatch, dedup_key=EVIL, body_digest="0", event_type="failed", body={"state_delta": odd}
    )
    received = ReceivedDispatch.objects.create(
        peer=peer,
        dispatch_id=EVIL,
        body_digest="0",
        intent=intent,
        accepted=True,
        message=EVIL,
        agent_id=EVIL,
        envelope=odd,
        scope=odd,
        policy=odd,
        trace_id=EVIL,
        callback_url=EVIL_LINK,
    )
    outbound = OutboundCallback.objects.create(
        received=received, peer=peer, event_type="failed", idempotency_key="k", body=EVIL, last_error=EVIL
    )
    event = HandlerEvent.objects.create(
        handler="a.B", kind="federation_received", source_id="x", dispatch_id=EVIL, payload=odd, last_error=EVIL
    )
    line = JournalEntry.objects.create(kind="peer", text=EVIL, peer_url=URL, dispatch_id=EVIL, actor_name=EVIL)
    agent = RegisteredAgent.objects.create(agent_id=EVIL, server_url=EVIL_LINK, capabilities=[EVIL])
    return [peer, intent, dispatch, inbound, received, outbound, event, line, agent]


def test_html_and_javascript_in_any_text_are_inert_on_every_page(admin: Client) -> None:
    rows = hostile_rows()
    pages = [url(row) for row in rows] + [reverse(f"admin:peers_{model}_changelist") for model in MODELS]
    intent = next(row for row in rows if isinstance(row, Intent))
    pages += [url(intent, "dispatch_on"), url(rows[0], "issue_token"), reverse("admin:index")]

    seen = ""
    for path in pages:
        page = text_of(admin, path)
        assert EVIL not in page, path
        for quote in ('"', "'"):
            assert f"href={quote}javascript:" not in page.lower(), path
            assert f"src={quote}javascript:" not in page.lower(), path
        seen += page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in seen


def test_a_refusal_that_repeats_hostile_text_is_inert(admin: Client) -> None:
    response = admin.post(IMPORT, {"text": f"server_url,did\n{EVIL},{EVIL_LINK}\n"})

    assert EVIL not in response.content.decode()


def test_what_the_hub_writes_is_read_only_even_to_a_superuser(admin: Client) -> None:
    for row in hostile_rows()[1:-1]:
        assert admin.post(url(row), {"text": "changed", "title": "changed"}).status_code == 403
        assert admin.post(url(row, "delete")).status_code == 403


def test_a_peer_is_never_deleted(admin: Client, proposed: Peer) -> None:
    assert admin.post(url(proposed, "delete"), {"post": "yes"}).status_code == 403
    assert Peer.objects.count() == 1


def test_an_intent_is_described_and_dispatched_to_an_approved_peer(admin: Client, approved: Peer) -> None:
    admin.post(
        reverse("admin:peers_intent_add"),
        {"title": "Reconcile", "description": "March", "state": '{"month": 3}', "constraints": ""},
    )
    intent = Intent.objects.get()
    assert (intent.state, intent.created_by_name) == ({"month": 3}, "root")

    form = {"peer": approved.pk, "agent_id": "triage", "permissions": "state.patch", "max_delegation_depth": "0"}
    admin.post(url(intent, "dispatch_on"), form)

    sent = Dispatch.objects.get()
    assert (sent.peer_id, sent.target_server, sent.agent_id) == (approved.pk, URL, "triage")
    assert (sent.intent_id, sent.scope["permissions"], sent.created_by_name) == (intent.pk, ["state.patch"], "root")


def test_a_dispatch_names_its_permissions_and_an_approved_peer(admin: Client, proposed: Peer) -> None:
    intent = Intent.objects.create(title="Reconcile")
    form = {"peer": proposed.pk, "permissions": "state.patch", "max_delegation_depth": "0"}

    assert admin.post(url(intent, "dispatch_on"), form).context["form"].errors
    Peer.objects.update(state="approved")
    assert admin.post(url(intent, "dispatch_on"), form | {"permissions": "*"}).context["form"].errors
    assert Dispatch.objects.count() == 0


@pytest.mark.parametrize("state", ["[]", "{", '{"a": NaN}', '{"a": 1, "a": 2}'])
def test_a_state_that_is_no_object_is_refused(admin: Client, state: str) -> None:
    response = admin.post(reverse("admin:peers_intent_add"), {"title": "x", "state": state})

    assert "Write a JSON object" in response.content.decode()
    assert Intent.objects.count() == 0


def test_a_dead_letter_is_tried_again_from_its_page_and_from_the_list(admin: Client) -> None:
    hostile_rows()
    dispatch = Dispatch.objects.get()

    admin.post(url(dispatch, "retry"), CONFIRMED)
    dispatch.refresh_from_db()
    assert (dispatch.dead_at, dispatch.attempts) == (None, 0)
    assert dispatch.due_at is not None

    OutboundCallback.objects.update(dead_at=timezone.now())
    owed = OutboundCallback.objects.get()
    admin.post(
        reverse("admin:peers_outboundcallback_changelist"), {"action": "retry_selected", "_selected_action": [owed.pk]}
    )
    owed.refresh_from_db()
    assert owed.dead_at is None


def test_staff_choose_who_sees_an_agent_and_a_recreated_one_keeps_it(admin: Client, make_agent: MakeAgent) -> None:
    agent = make_agent(None, "triage")
    page = reverse("admin:peers_discoveredagent_changelist")
    assert "the hub&#x27;s default" in text_of(admin, page)

    admin.post(page, {"action": "make_unlisted", "_selected_action": [agent.pk]})

    choice = AgentVisibilityChoice.objects.get()
    assert (choice.path, choice.visibility, choice.changed_by_name) == (agent.path, "unlisted", "root")
    agent.delete()
    make_agent(None, "triage")
    seen = {
        visibility: [row.name for row in admin.get(f"{page}?visibility={visibility}").context["cl"].result_list]
        for visibility in ("public", "unlisted", "private")
    }
    assert seen == {"public": [], "unlisted": ["triage"], "private": []}


def test_an_agent_is_registered_by_hand(admin: Client) -> None:
    typed = {"agent_id": "translator", "capabilities": "translate, summarise", "visibility": "unlisted"}
    admin.post(reverse("admin:peers_registeredagent_add"), typed)

    agent = RegisteredAgent.objects.get()
    assert (agent.capabilities, agent.visibility) == (["translate", "summarise"], "unlisted")
    admin.post(url(agent), {"capabilities": "translate", "visibility": "public"})
    agent.refresh_from_db()
    assert (agent.capabilities, agent.visibility) == (["translate"], "public")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=partner", {URL}),
        ("state__exact=suspended", set()),
        ("look=review", {URL}),
        ("look=key", {URL}),
        ("look=stranger", {"https://stranger.example.org"}),
        ("look=nonsense", {URL, "https://stranger.example.org"}),
    ],
)
def test_peers_are_searched_and_filtered(admin: Client, approved: Peer, query: str, found: set[str]) -> None:
    Peer.objects.update(review_by=timezone.localdate() - timedelta(days=1))
    propose_key(approved, NEXT_KEY.verification_key, origin=KeyOrigin.PUBLISHED, by=MARTA)
    key = KEY.verification_key.base64
    record_stranger("https://stranger.example.org", "", key, address="192.0.2.1", now=timezone.now())

    rows = admin.get(f"{LIST}?{query}").context["cl"].result_list

    assert {row.server_url for row in rows} == found


@pytest.mark.parametrize("model", MODELS)
def test_a_list_takes_as_many_queries_for_many_rows_as_for_few(
    admin: Client, make_agent: MakeAgent, model: str
) -> None:
    path = reverse(f"admin:peers_{model}_changelist")
    fill(make_agent, 1)
    few = queries_of(admin, path)
    for number in range(2, 7):
        fill(make_agent, number)

    assert queries_of(admin, path) == few
    assert few <= 12


def queries_of(client: Client, path: str) -> int:
    client.get(path)
    with counted_queries() as captured:
        assert client.get(path).status_code == 200
    return len(captured)


def fill(make_agent: MakeAgent, number: int) -> None:
    peer = add_peer(f"https://p{number}.example.org", by=MARTA, public_key=KEY.verification_key.base64)
    Peer.objects.filter(pk=peer.pk).update(state="approved")
    issue_peer_token(peer, days=1, by=MARTA)
    intent = Intent.objects.create(title=f"Intent {number}")
    dispatch = Dispatch.objects.create(
        id=f"d-{number}", intent_id=intent.pk, intent_title="x", peer=peer, target_server=peer.server_url, envelope="{}"
    )
    InboundCallback.objects.create(dispatch=dispatch, dedup_key="k", body_digest="0", event_type="failed")
    received = ReceivedDispatch.objects.create(
        peer=peer, dispatch_id="d", body_digest="0", intent=intent, accepted=True, envelope={}
    )
    OutboundCallback.objects.create(received=received, peer=peer, event_type="failed", idempotency_key="k", body="{}")
    HandlerEvent.objects.create(
        handler="a.B", kind="federation_received", source_id=str(number), dispatch_id="d", payload={}
    )
    RegisteredAgent.objects.create(agent_id=f"a-{number}")
    make_agent(None, f"agent-{number}")


def test_the_first_page_says_what_waits_and_links_to_it(admin: Client, staff: Callable[..., Client]) -> None:
    assert "Waits for you" not in text_of(admin, reverse("admin:index"))
    hostile_rows()
    record_stranger("https://stranger.example.org", "", "", address="192.0.2.1", now=timezone.now())
    Peer.objects.filter(state="approved").update(review_by=timezone.localdate())

    cards = admin.get(reverse("admin:index")).context["attention"]

    assert [(card["number"], card["title"]) for card in cards] == [
        (1, "proposed peers"),
        (1, "reviews due"),
        (1, "dispatches given up"),
    ]
    for card in cards:
        assert len(admin.get(card["href"]).context["cl"].result_list) == 1
    assert "Waits for you" not in text_of(staff("view_dispatch"), reverse("admin:index"))
