from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed

from core.api.authentication import TokenOrSessionAuthentication
from federations.models import Federation
from peers.models import (
    AgentVisibilityChoice,
    JournalEntry,
    KeyOrigin,
    KeyState,
    Peer,
    PeerToken,
    RegisteredAgent,
    Visibility,
)
from peers.services.catalog.agents import register_agent, visible_agents
from peers.services.trust.keys import propose_key
from peers.services.trust.peer_tokens import peer_of_token
from peers.services.trust.peers import add_peer, outbound_key_of, valid_keys
from tests.app.peers.staff.conftest import KEY, NEXT_KEY, OPERATOR, OTHER_KEY, URL, Partner
from tests.conftest import MakeAgent

pytestmark = pytest.mark.django_db


def run(*words: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out, **options)
    return out.getvalue()


def test_add_stores_a_proposal_and_add_with_approve_pins_the_key() -> None:
    run("peer", "add", "--url", URL)
    assert Peer.objects.get().state == "proposed"

    other = "https://other.example.org"
    key = OTHER_KEY.verification_key
    run("peer", "add", "--url", other, "--did", "did:web:other.example.org", "--public-key", key.base64, "--approve")

    peer = Peer.objects.get(server_url=other)
    assert peer.state == "approved"
    assert valid_keys(peer, timezone.now()) == [key]
    assert JournalEntry.objects.filter(peer_url=other, actor_name="shell").exists()


def test_approve_without_anything_compared_is_refused_and_stores_nothing() -> None:
    with pytest.raises(CommandError, match="what did you compare"):
        run("peer", "add", "--url", URL, "--approve")

    assert Peer.objects.count() == 0


def test_add_with_a_fingerprint_fetches_the_documents(partner: Partner) -> None:
    partner.publish(KEY)

    run("peer", "add", "--url", partner.url, "--approve", "--fingerprint", KEY.verification_key.fingerprint)

    assert valid_keys(Peer.objects.get(), timezone.now()) == [KEY.verification_key]


def test_a_fingerprint_of_another_key_approves_nothing(partner: Partner) -> None:
    partner.publish(KEY)

    with pytest.raises(CommandError, match="fingerprint"):
        run("peer", "add", "--url", partner.url, "--approve", "--fingerprint", OTHER_KEY.verification_key.fingerprint)

    assert Peer.objects.get().state == "proposed"


def test_each_decision_has_its_verb(proposed: Peer) -> None:
    fingerprint = proposed.keys.get().fingerprint
    course = [
        (["reject", URL, "--reason", "Unknown"], "rejected"),
        (["repropose", URL], "proposed"),
        (["approve", URL, "--fingerprint", fingerprint, "--review-by", "2027-01-31"], "approved"),
        (["suspend", URL, "--reason", "Incident"], "suspended"),
        (["resume", URL], "approved"),
        (["retire", URL], "retired"),
    ]
    for words, state in course:
        run("peer", *words)
        assert Peer.objects.get().state == state
    shown = run("peer", "show", URL)
    assert "Incident" in shown
    assert "is retired" in shown


@pytest.mark.parametrize(
    "words",
    [
        ["resume", URL],
        ["suspend", "https://nobody.example.org"],
        ["approve", URL],
        ["approve", URL, "--fingerprint", "00"],
        ["reject", URL],
        ["add", "--url", URL],
        ["add", "--url", "https://10.0.0.1"],
        ["add"],
        ["revoke-key", URL, "--fingerprint", "00"],
    ],
)
def test_a_refusal_is_an_error_of_the_command(proposed: Peer, words: list[str]) -> None:
    with pytest.raises(CommandError):
        run("peer", *words)
    assert Peer.objects.get().state == "proposed"


def test_keys_are_approved_and_revoked_by_fingerprint(approved: Peer) -> None:
    propose_key(approved, NEXT_KEY.verification_key, origin=KeyOrigin.PUBLISHED, by=OPERATOR)

    run("peer", "approve-key", URL, "--fingerprint", NEXT_KEY.verification_key.fingerprint, "--overlap-days", "1")
    run("peer", "revoke-key", URL, "--fingerprint", KEY.verification_key.fingerprint, "--reason", "Leaked")

    assert valid_keys(approved, timezone.now()) == [NEXT_KEY.verification_key]
    assert approved.keys.get(public_key=KEY.verification_key.base64).state == KeyState.REVOKED


def test_fetch_shows_the_fingerprint_that_people_compare(partner: Partner) -> None:
    partner.publish(KEY)
    add_peer(partner.url, by=OPERATOR)

    shown = run("peer", "fetch", partner.url)

    assert Peer.objects.get().keys.get().fingerprint in " ".join(shown.split())


def test_an_import_stores_only_with_the_option_store(tmp_path: Path, approved: Peer) -> None:
    file = tmp_path / "peers.csv"
    file.write_text(f"server_url\nhttps://a.example.org\nhttps://b.example.org\n{URL}\nhttps://10.0.0.1\n")

    shown = run("peer", "import", str(file))
    assert "Nothing is stored" in shown
    assert Peer.objects.count() == 1

    run("peer", "import", str(file), "--store", "--rows", "2,3")
    assert set(Peer.objects.values_list("server_url", flat=True)) == {URL, "https://b.example.org"}


def test_an_import_reads_an_export(tmp_path: Path, approved: Peer) -> None:
    assert json.loads(run("peer", "export", "--format", "json"))[0]["server_url"] == URL
    file = tmp_path / "peers.csv"
    file.write_text(run("peer", "export"))

    assert "known" in run("peer", "import", str(file))


def test_list_shows_peers_by_state(approved: Peer) -> None:
    add_peer("https://other.example.org", by=OPERATOR)

    assert URL in run("peer", "list", "--state", "approved")
    assert "other.example.org" not in run("peer", "list", "--state", "approved")
    assert "No peers" in run("peer", "list", "--state", "retired")


def test_the_outbound_key_is_read_from_standard_input_alone(approved: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("sk-partner-1\n"))

    shown = run("peer", "outbound-key", URL)

    assert outbound_key_of(Peer.objects.get()) == "sk-partner-1"
    assert "sk-partner" not in shown


@pytest.mark.parametrize("words", [("peer", "token", URL), ("issue_token", "--peer", URL)])
def test_both_commands_print_a_peer_bound_token_as_the_last_line(approved: Peer, words: tuple[str, ...]) -> None:
    now = timezone.now()

    *lines, token = run(*words, "--days", "2").splitlines()

    assert peer_of_token(token, now) == approved
    assert peer_of_token(token, now + timedelta(days=1, hours=23)) == approved
    assert peer_of_token(token, now + timedelta(days=2, minutes=1)) is None
    assert lines[0] == f"A token of {URL} for receive alone, valid for 2 days."
    assert token not in " ".join(lines)
    with pytest.raises(AuthenticationFailed):
        TokenOrSessionAuthentication().authenticate_token(token)


def test_a_peer_bound_token_is_valid_for_thirty_days_by_default(approved: Peer) -> None:
    run("peer", "token", URL)

    assert PeerToken.objects.get().expires_at - timezone.now() > timedelta(days=29, hours=23)
    assert "30 days" in run("issue_token", "--peer", URL)
    assert JournalEntry.objects.filter(peer_url=URL, actor_name="shell").count() == 2


@pytest.mark.parametrize("words", [("https://nobody.example.org",), (URL, "--days", "0"), (URL, "--days", "3651")])
def test_peer_token_refuses_an_unknown_peer_and_days_out_of_bounds(approved: Peer, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run("peer", "token", *words)
    assert PeerToken.objects.count() == 0


def test_issue_token_for_a_user_is_not_a_peer_bound_token() -> None:
    User.objects.create_user("ines")

    token = run("issue_token", "--user", "ines", "--scopes", "peers-read").splitlines()[-1]

    assert TokenOrSessionAuthentication().authenticate_token(token)[0].get_username() == "ines"
    assert peer_of_token(token, timezone.now()) is None


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--user", "ines"],
        ["--peer", URL, "--user", "ines"],
        ["--peer", "https://nobody.example.org"],
        ["--peer", URL, "--days", "0"],
    ],
)
def test_issue_token_refuses_incomplete_or_mixed_options(approved: Peer, words: list[str]) -> None:
    with pytest.raises(CommandError):
        run("issue_token", *words)


@pytest.mark.parametrize("words", [("peer", "token", URL), ("issue_token", "--peer", URL)])
def test_a_token_of_a_proposed_peer_is_refused(proposed: Peer, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="not approved"):
        run(*words)
    assert PeerToken.objects.count() == 0


def visible(output: str) -> dict[str, str]:
    """Return the visibility of each agent in the output of `peer agents`."""
    rows = [line.split() for line in output.splitlines()[1:]]
    return {row[0]: next(word for word in row if word in Visibility.values) for row in rows}


def test_agents_are_listed_with_a_visibility_that_can_be_set(federation: Federation, make_agent: MakeAgent) -> None:
    assert run("peer", "agents").strip() == "No agents."
    make_agent(federation, "claims")
    loose = make_agent(None, "loose")
    register_agent("analyst", capabilities=["read"], visibility="public", server_url="https://a.example.org")
    assert visible(run("peer", "agents")) == {"analyst": "public", "claims": "private", "loose": "private"}
    assert visible(run("peer", "agents", "--federation", federation.id)) == {"claims": "private"}

    assert run("peer", "visibility", "claims", "unlisted", "--federation", federation.id) == "claims is unlisted.\n"
    run("peer", "visibility", loose.path, "public")
    run("peer", "visibility", "analyst", "private")

    assert visible(run("peer", "agents")) == {"analyst": "private", "claims": "unlisted", "loose": "public"}
    assert [agent.agent_id for agent in visible_agents(None)] == ["loose"]
    assert AgentVisibilityChoice.objects.filter(changed_by_name="shell").count() == 2
    analyst = RegisteredAgent.objects.get()
    assert (analyst.capabilities, analyst.server_url) == (["read"], "https://a.example.org")


@pytest.mark.parametrize("words", [["other"], ["/x/claims"], ["claims", "--federation", "f" * 24]])
def test_no_visibility_is_stored_for_an_unknown_agent(
    federation: Federation, make_agent: MakeAgent, words: list[str]
) -> None:
    make_agent(federation, "claims")
    with pytest.raises(CommandError, match="There is no agent"):
        run("peer", "visibility", words[0], "public", *words[1:])
    assert AgentVisibilityChoice.objects.count() == 0
