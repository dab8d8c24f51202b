"""The words of the peers' pages: the journal, what waits since when, what a stop ended, what a refused form says."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from ipaddress import ip_network

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.actors import Actor
from core.store.days import hub_today
from federations.models import Federation
from federations.runs.states import RunSource
from federations.services.runs.make import Work, make_run
from peers.models import (
    Dispatch,
    DispatchReceipt,
    Intent,
    JournalEntry,
    KeyOrigin,
    Peer,
    PeerAgent,
    ReceivedDispatch,
    TakenBy,
)
from peers.services.inbox.refused import see_refusal
from peers.services.journal_words import line_words
from peers.services.trust.keys import propose_key
from peers.services.trust.passing_lines import forget_all, write_lines
from peers.services.trust.peers import add_peer
from tests.app.peers.staff.conftest import NEXT_KEY, OPERATOR, URL
from tests.app.peers.staff.pages import CONFIRMED, LIST, text_of, url
from tests.conftest import MakeAgent

pytestmark = pytest.mark.django_db
JOURNAL = reverse("admin:peers_journalentry_changelist")


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("refused", "Refused: UnknownKey", "Refused: The hub trusted no key of this signer, or no longer the one that"),
        ("refused", "Refused: NotFoundError; agent a-1", "Refused: It names an agent or a dispatch that is not here"),
        ("refused", "Refused 7 further messages in a minute: NotTrustedError", "in a minute: State, trust policy or"),
        ("refused", "Refused: MalformedJson; the sender is not proved; from 192.0.2.1", "not JSON that the hub can"),
        ("refused", "Refused: TooManyFailuresError", "Too many refused requests"),
        ("refused", "Refused: HTTP 418", "Refused: HTTP 418"),
        ("callback", "Reported state_delta", "Reported progress"),
        ("callback", "Reported failed", "Reported that the work ended without an answer"),
        ("callback", "state_delta: Attempt 2 failed: HTTP 503: busy", "Report of progress. Attempt 2 failed: The"),
        ("callback", "state_delta is not reported: it is beyond the delegated scope", "Not reported, progress: it is"),
        ("dispatch", "Attempt 1 failed: no answer: [Errno 111] Connection refused", "nothing listens at its address"),
        ("dispatch", 'Refused: HTTP 404: {"message":"Agent not found"}', "Refused: The peer has no such agent"),
        ("dispatch", "Answered accepted: Intent accepted", "Answered accepted: Intent accepted"),
        ("key", "The documents could not be fetched: https://a.example/x: no answer: [Errno 111] Connection refused",
         "could not be fetched: The peer does not answer"),
        ("peer", "new -> proposed: Added", "new -> proposed: Added"),
        ("callback", "status_changed", "The peer reported a changed state of the work"),
        ("callback", "completed after the end, only noted", "that the work is completed after the end, only noted"),
        ("peer", "approved -> suspended", "approved → suspended"),
    ],
)  # fmt: skip
def test_each_line_of_the_journal_is_told_without_codes(admin: Client, kind: str, text: str, words: str) -> None:
    line = JournalEntry.objects.create(kind=kind, text=text, peer_url=URL)
    said = line_words(kind, text)
    assert words in said and not any(raw in said for raw in ("Error:", "Errno", "state_delta", "{"))
    listed = unescape(text_of(admin, JOURNAL))
    assert words in listed
    # The text leads to the line's page, as the time does.
    assert len(re.findall(f'href="{url(line)}[^"]*"', listed)) == 2
    assert words in unescape(text_of(admin, url(line)))


def test_the_trace_of_a_refusal_names_the_agent_that_the_peer_wanted(admin: Client, approved: Peer) -> None:
    forget_all()
    body = b'{"dispatch_id": "d-9", "source_server": "https://partner.example.org", "agent_id": "books-clerk"}'
    see_refusal("NotFoundError", status=404, address="192.0.2.1", peer=approved, body=body)
    see_refusal("NotFoundError", status=404, address="192.0.2.1", peer=None, body=body)
    write_lines()
    proven, unproven = JournalEntry.objects.filter(kind="refused").order_by("-text")
    if "not proved" in proven.text:
        proven, unproven = unproven, proven
    page = text_of(admin, url(proven))
    assert "This hub had no agent books-clerk." in page and "The value is not stored" not in page
    assert "books-clerk" not in unproven.text


@pytest.mark.parametrize(("days", "words"), [(0, "today"), (1, "1 day ago"), (40, "40 days ago")])
def test_a_due_review_waits_since_its_day(admin: Client, approved: Peer, days: int, words: str) -> None:
    Peer.objects.update(review_by=hub_today() - timedelta(days=days))
    cell = re.search(r"field-waits[^>]*>(.*?)</td>", text_of(admin, LIST), re.DOTALL)
    assert cell and words in cell[1] and "hour" not in cell[1]


def test_a_peer_that_was_approved_without_a_key_leads_to_its_token(admin: Client) -> None:
    peer = add_peer(URL, by=OPERATOR)
    done = admin.post(url(peer, "approve"), {"compared": "on", "reason": "cannot sign"}, follow=True)
    page = unescape(done.content.decode())
    assert "press Issue a token under More, so that it can prove itself" in page
    assert "This peer is approved without a key." in page
    for other in ("the hub trusts no key of it", "have sent each other nothing yet", "otherwise suspend or retire"):
        assert other not in page


def test_what_a_suspension_stopped_stays_in_the_activity(
    admin: Client, approved: Peer, make_agent: MakeAgent, federation: Federation
) -> None:
    Dispatch.objects.create(
        id="d-1", intent_title="x", peer=approved, target_server=URL, envelope="{}", due_at=timezone.now()
    )
    received = ReceivedDispatch.objects.create(
        peer=approved, dispatch_id="d", body_digest="0", accepted=True, envelope={}, taken_by=TakenBy.AGENT,
        intent=Intent.objects.create(title="Theirs", is_received=True),
    )  # fmt: skip
    work = Work("add", source=RunSource.PEER, source_id=approved.pk, dispatch_id=received.pk)
    make_run(make_agent(federation, "analyst"), work, by=Actor("", URL))
    admin.post(url(approved, "suspend"), CONFIRMED | {"reason": "odd"})
    stopped = "Stopped with it: waiting: 1 dispatch; cancelled: 1 run"
    assert stopped in text_of(admin, url(approved))
    assert stopped in text_of(admin, reverse("admin:peers_peer_history", args=[approved.pk]))
    assert JournalEntry.objects.filter(
        text="Work cancelled: the hub that sent the work was suspended", dispatch_id="d"
    ).exists()
    assert "Cancelled" in text_of(admin, url(received))


def test_a_fetch_that_failed_says_why_in_words_and_stays_on_the_page(admin: Client, settings: LazySettings) -> None:
    settings.FEDHUB_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    peer = Peer.objects.create(server_url="http://127.0.0.1:9", did="did:web:127.0.0.1%3A9")
    done = admin.post(url(peer, "fetch"), CONFIRMED, follow=True).content.decode()
    assert "nothing listens at its address" in done and "Errno" not in done
    again = text_of(admin, url(peer))
    assert "The documents could not be fetched: The peer does not answer" in again and "Errno" not in again


def test_a_peer_that_has_not_approved_this_hub_is_told_as_such(admin: Client, approved: Peer) -> None:
    Peer.objects.update(agents_error="401: UnknownKey", agents_tried_at=timezone.now())
    agents = f"{reverse('admin:peers_intent_agents')}?peer={approved.pk}"
    for page in (text_of(admin, url(approved)), text_of(admin, agents)):
        assert "The peer has not approved this hub yet" in page and "UnknownKey" not in page


def test_the_agents_of_a_peer_have_only_columns_that_say_something(admin: Client, approved: Peer) -> None:
    PeerAgent.objects.create(peer=approved, agent_id="books-clerk", skills=["add"])
    part = text_of(admin, url(approved)).partition("Its agents")[2].partition("</table>")[0]
    assert "Skills" in part and "Name" not in part and "Description" not in part
    PeerAgent.objects.update(name="Books")
    assert "Name" in text_of(admin, url(approved)).partition("Its agents")[2].partition("</table>")[0]


def test_the_one_key_is_picked_and_each_error_is_named_above_the_form(admin: Client, proposed: Peer) -> None:
    key = proposed.keys.get()
    page = text_of(admin, url(proposed, "approve"))
    assert re.search(rf'value="{key.fingerprint}"[^>]*checked', page) and "Correct this first" not in page
    refused = admin.post(url(proposed, "approve"), {"reason": ""}).content.decode()
    summary = refused.partition("Correct this first")[2].partition("</ul>")[0]
    for field in ("fingerprint", "compared"):
        assert f'href="#id_{field}"' in summary and f'id="id_{field}"' in refused
    propose_key(proposed, NEXT_KEY.verification_key, origin=KeyOrigin.ENTERED, by=OPERATOR)
    assert (
        "checked" not in re.findall(r"<input[^>]*name=.fingerprint[^>]*>", text_of(admin, url(proposed, "approve")))[0]
    )


def test_a_receipt_has_the_title_of_its_work(admin: Client, approved: Peer) -> None:
    Dispatch.objects.create(id="s-1", intent_title="Ours", peer=approved, target_server=URL, envelope="{}")
    ReceivedDispatch.objects.create(
        peer=approved, dispatch_id="r-1", body_digest="0", accepted=True, envelope={},
        intent=Intent.objects.create(title="Theirs", is_received=True),
    )  # fmt: skip
    for dispatch_id, is_sent in (("s-1", True), ("r-1", False), ("gone", True)):
        DispatchReceipt.objects.create(
            peer=approved, is_sent=is_sent, dispatch_id=dispatch_id, outcome="completed", receipt={}
        )
    page = text_of(admin, reverse("admin:peers_dispatchreceipt_changelist"))
    assert "Ours" in page and "Theirs" in page
    assert "Receipt of “Theirs”" in text_of(admin, url(DispatchReceipt.objects.get(dispatch_id="r-1")))


def test_the_file_for_another_hub_has_a_name_of_its_own(admin: Client, approved: Peer) -> None:
    names = {
        admin.get(address).headers["content-disposition"]
        for address in (f"{LIST}export.csv", reverse("admin:peers_peer_export_as_csv"))
    }
    assert len(names) == 2 and any("peers-to-import-" in name for name in names)
