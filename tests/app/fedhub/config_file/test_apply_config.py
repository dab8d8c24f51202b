"""The hub follows its configuration file: exactly as planned, only what the file names, and no peer unproven."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError

from core.notifications.models import Rule
from core.notifications.webhooks import new_secret, signing_keys
from core.roles.models import Role
from federations.models import Federation, FederationGrant, SyncJob
from federations.services.federations import set_enabled
from federations.services.schedule import set_paused
from fedhub.config_file.apply import BY, apply_plan, make_plan
from fedhub.config_file.document import fingerprint_of
from peers.models import AgentVisibilityChoice, JournalEntry, KeyState, Peer, PeerState, RegisteredAgent
from peers.protocol import SigningKey
from peers.services.trust.peers import add_peer, outbound_key_of
from peers.services.trust.proposals import record_proposal
from tests.app.fedhub.config_file.conftest import ROLE_ARN, Apply, changes, exported
from tests.app.peers.staff.conftest import KEY, NEXT_KEY, OPERATOR, Partner

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "a-secret-of-the-test"
CONFIG = f"provider_config: {{region: us-east-1, assumeRoleArn: '{ROLE_ARN}'}}"
WHOLE = f"""\
version: 1
roles:
  - {{role: reader, group: Readers of Berlin, members: [alice]}}
groups:
  - {{name: On call, members: [bob]}}
federations:
  - name: Production
    {CONFIG}
    tags: [prod]
    enabled: false
    schedule: {{interval_seconds: 900}}
    grants:
      - {{user: alice, level: owner}}
      - {{group: On call, level: view}}
agents:
  - {{federation: Production, agent: planner, visibility: unlisted, asks_before_work: false}}
registered_agents:
  - {{id: desk, name: Help desk, skills: [triage]}}
"""


@pytest.fixture(autouse=True)
def people(db: None) -> list[User]:
    return [User.objects.create_user(name) for name in ("alice", "bob")]


def peer_file(url: str, *keys: SigningKey, more: str = "") -> str:
    shown = ", ".join(f"'{key.verification_key.fingerprint}'" for key in keys)
    return f"version: 1\npeers:\n  - server_url: {url}\n    fingerprints: [{shown}]\n{more}"


def test_a_file_is_planned_applied_and_then_in_step(apply: Apply) -> None:
    code, printed = apply(WHOLE, "--plan")
    assert code == 2
    assert "+ create federation Production" in printed
    assert '    grants.user:alice: (none) -> "owner"' in printed
    assert '    group: "Reader" -> "Readers of Berlin"' in printed
    assert "note: no agent of this path is discovered yet" in printed
    assert not Federation.objects.exists()

    assert apply(WHOLE, "--yes")[0] == 0

    row = Federation.objects.get()
    assert (row.status, row.sync_interval_seconds, row.tags) == ("disabled", 900, ["prod"])
    assert {(grant.holder_name, grant.level) for grant in row.grants.all()} == {("alice", 3), ("On call", 1)}
    assert Role.objects.get(group__user__username="alice").key == "reader"
    assert AgentVisibilityChoice.objects.get().visibility == "unlisted"
    assert RegisteredAgent.objects.get().capabilities == ["triage"]
    assert apply(WHOLE, "--plan", "--prune", "--json")[0] == 0
    assert LogEntry.objects.count() >= 7
    assert {entry.additional_data["by"] for entry in LogEntry.objects.exclude(content_type__app_label="auth")} == {
        BY.name
    }


def test_a_disabled_federation_is_changed_and_stays_disabled(apply: Apply) -> None:
    apply(WHOLE, "--yes")

    code, printed = apply(
        f"version: 1\nfederations:\n  - {{name: Production, description: For Berlin, {CONFIG}}}", "--yes"
    )

    row = Federation.objects.get()
    assert (code, row.status, row.description, row.sync_interval_seconds) == (0, "disabled", "For Berlin", 900)
    assert '    description: "" -> "For Berlin"' in printed
    Federation.objects.update(agent_count=7)
    assert "delete 7 stored resources" in apply(WHOLE.replace("us-east-1", "eu-west-1"), "--plan")[1]


def test_a_pause_stays_unless_the_file_names_it(apply: Apply) -> None:
    night = WHOLE.replace("{interval_seconds: 900}", "{crontab: 0  2 * * *, time_zone: Europe/Berlin}")
    apply(night, "--yes")
    set_paused(Federation.objects.get(), True, by=OPERATOR)
    assert apply(night, "--plan")[0] == 0
    assert "paused: true" in exported()

    code, printed = apply(night.replace("Berlin}", "Berlin, paused: false}"), "--yes")

    row = Federation.objects.get()
    assert (code, "schedule.paused: true -> false" in printed) == (0, True)
    assert (row.sync_crontab, row.sync_time_zone, row.is_sync_paused) == ("0 2 * * *", "Europe/Berlin", False)


def test_only_prune_deletes_and_only_in_sections_of_the_file(apply: Apply) -> None:
    apply(WHOLE.replace("enabled: false", "enabled: true"), "--yes")
    add_peer("https://partner.example.org", by=OPERATOR)
    less = "version: 1\nfederations: []\nagents: []\ngroups: [{name: On call, members: []}]\n"
    assert apply(less, "--plan")[0] == 0

    code, printed = apply(less, "--plan", "--prune", "--json")
    assert code == 2
    assert changes(printed) == {
        "agents Production / /agentcore/a2a/planner": ("delete", {"visibility": None, "asks_before_work": True}),
        "federations Production": ("delete", {"provider_config": None, "resources": None}),
        "groups On call": ("update", {"members": []}),
    }
    assert apply(less, "--prune", "--digest", json.loads(printed)["digest"])[0] == 0

    assert not Federation.objects.exists()
    assert SyncJob.objects.get().job_type == "delete_sync"
    assert not AgentVisibilityChoice.objects.exists()
    assert RegisteredAgent.objects.exists()
    assert Peer.objects.get().state == PeerState.PROPOSED
    assert apply(less, "--plan", "--prune")[0] == 0


def test_prune_holds_what_the_hub_would_not_delete(apply: Apply) -> None:
    apply(WHOLE, "--yes")
    Group.objects.create(name="Auditors").permissions.set(Permission.objects.all()[:1])
    stranger = "https://stranger.example.org"
    record_proposal(
        stranger, "", KEY.verification_key.base64, address="192.0.2.7", now=Federation.objects.get().created_at
    )

    code, printed = apply("version: 1\nfederations: []\ngroups: []\npeers: []\n", "--prune", "--yes", "--json")

    found = json.loads(printed)
    assert code == 0
    assert {each["name"]: each["action"] for each in found["changes"]} == {
        "Production": "held", "Auditors": "delete", "On call": "delete",
    }  # fmt: skip
    assert Federation.objects.exists()
    assert Peer.objects.get(server_url=stranger).state == PeerState.PROPOSED


def test_all_errors_that_only_the_hub_finds_come_together(apply: Apply) -> None:
    text = """\
version: 1
federations:
  - name: A
    provider_config: {region: nowhere}
    schedule: {crontab: "* * * * *"}
    grants: [{user: carol, level: view}, {group: Nobody, level: view}]
  - name: A
  - {name: C, enabled: maybe}
agents:
  - {federation: B, agent: planner}
  - {federation: C, agent: planner}
groups:
  - {name: Reader}
peers:
  - server_url: https://127.0.0.1
  - server_url: https://partner.example.org
    outbound_key: {env: FEDHUB_TEST_UNSET}
    callback_origins: [https://partner.example.org/path]
  - server_url: https://PARTNER.example.org:443/
  - {server_url: https://third.example.org, oops: 1}
"""
    code, printed = apply(text, "--yes", "--json")

    found = [(each["line"], each["path"]) for each in json.loads(printed[: printed.rindex("}") + 1])["errors"]]
    assert code == 1
    assert found == [
        (4, "federations[0].provider_config"),
        (5, "federations[0].schedule"),
        (6, "federations[0].grants[0]"),
        (6, "federations[0].grants[1]"),
        (8, "federations[2].enabled"),
        (10, "agents[0].federation"),
        (13, "groups[0].name"),
        (15, "peers[0]"),
        (17, "peers[1].outbound_key"),
        (18, "peers[1].callback_origins"),
        (20, "peers[3].oops"),
    ]
    assert not Federation.objects.exists()


def test_what_changed_since_the_plan_is_left_alone(apply: Apply, tmp_path: Path) -> None:
    apply(WHOLE.replace("enabled: false", "enabled: true"), "--yes")
    text = WHOLE.replace("enabled: false", "enabled: true").replace("tags: [prod]", "tags: [eu]")
    text = text.replace("members: [bob]", "members: [alice, bob]")
    plan = make_plan(text, folder=tmp_path, prune=False)
    Federation.objects.update(description="Written meanwhile")
    set_enabled(Federation.objects.get(), False, by=OPERATOR)

    outcomes = {outcome.change.section: outcome.refusal for outcome in apply_plan(plan)}

    assert outcomes["groups"] == ""
    assert "changed since the plan" in outcomes["federations"]
    assert Federation.objects.get().tags == ["prod"]


def test_a_run_that_ends_early_is_finished_by_the_next_one(apply: Apply, tmp_path: Path) -> None:
    plan = make_plan(WHOLE, folder=tmp_path, prune=False)
    ended = apply_plan(plan)
    done = [next(ended).change, next(ended).change, next(ended).change]

    rest = make_plan(WHOLE, folder=tmp_path, prune=False)

    assert {change.key for change in rest.to_do} == {change.key for change in plan.to_do} - {each.key for each in done}
    assert all(outcome.is_whole for outcome in apply_plan(rest))
    assert make_plan(WHOLE, folder=tmp_path, prune=False).to_do == []


def test_a_peer_is_approved_only_by_a_fingerprint_that_it_publishes(
    apply: Apply, partner: Partner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FEDHUB_TEST_PEER_KEY", SECRET)
    text = peer_file(partner.url, NEXT_KEY, more="    name: Partner\n    outbound_key: {env: FEDHUB_TEST_PEER_KEY}\n")
    partner.publish(KEY)

    code, printed = apply(text, "--yes")
    peer = Peer.objects.get()
    assert (code, peer.state, peer.display_name, outbound_key_of(peer)) == (1, PeerState.PROPOSED, "Partner", SECRET)
    assert f"the peer publishes {fingerprint_of(KEY.verification_key.fingerprint)}" in printed
    assert apply(text, "--yes")[0] == 1

    partner.publish(NEXT_KEY)
    assert apply(text, "--yes")[0] == 0
    peer.refresh_from_db()
    assert (peer.state, peer.keys.get(state=KeyState.PINNED).verification_key) == (
        PeerState.APPROVED,
        NEXT_KEY.verification_key,
    )
    assert apply(text, "--plan", "--prune")[0] == 0
    monkeypatch.setenv("FEDHUB_TEST_PEER_KEY", SECRET + "2")
    changed = apply(text, "--plan")
    assert (changed[0], '    outbound_key: "(secret)" -> "(secret)"' in changed[1]) == (2, True)
    shown = "".join(
        (printed, changed[1], exported(), caplog.text, *JournalEntry.objects.values_list("text", flat=True))
    )
    assert SECRET not in shown


def test_a_new_peer_without_a_fingerprint_waits_for_staff(apply: Apply) -> None:
    text = "version: 1\npeers:\n  - {server_url: https://partner.example.org, state: approved}\n"

    assert apply(text, "--yes")[0] == 0

    assert Peer.objects.get().state == PeerState.PROPOSED
    code, printed = apply(text, "--plan")
    assert (code, "stays proposed" in printed) == (0, True)


def test_states_are_reached_step_by_step_and_pruned_keys_are_revoked(apply: Apply, partner: Partner) -> None:
    partner.approved(KEY)
    partner.publish(NEXT_KEY)
    assert apply(peer_file(partner.url, NEXT_KEY), "--yes", "--prune")[0] == 0
    peer = Peer.objects.get()
    assert {key.verification_key: key.state for key in peer.keys.all()} == {
        KEY.verification_key: KeyState.REVOKED,
        NEXT_KEY.verification_key: KeyState.PINNED,
    }

    assert apply(f"version: 1\npeers:\n  - {{server_url: {partner.url}, state: rejected}}", "--yes")[0] == 0
    states = [decision.to_state for decision in peer.decisions.order_by("decided_at")]
    assert states[-3:] == ["retired", "proposed", "rejected"]

    code, printed = apply(peer_file(partner.url, KEY, more="    state: approved\n"), "--yes")
    assert (code, "held: key" in printed, "staff revoked this key" in printed) == (0, True, True)
    assert Peer.objects.get().state == PeerState.REJECTED


def test_without_a_terminal_or_the_right_digest_nothing_is_applied(
    apply: Apply, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Give --yes" in apply(WHOLE)[1]
    assert "not the one with this digest" in apply(WHOLE, "--digest", "0" * 64)[1]
    answers: list[str] = []

    def refuse(question: str) -> str:
        answers.append(question)
        return "n"

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", refuse)
    assert apply(WHOLE)[0] == 1
    assert answers == ["Apply these 5 changes? [y/N] "]
    assert not FederationGrant.objects.exists()


def test_a_name_that_two_federations_share_is_not_exported(apply: Apply) -> None:
    apply(WHOLE, "--yes")
    row = Federation.objects.get()
    row.pk, row.external_id = "f" * 24, "fedhub-other"
    row.save(force_insert=True)

    assert apply(WHOLE, "--plan")[0] == 1
    with pytest.raises(CommandError, match="Several federations are named Production"):
        exported()


def test_groups_get_their_permissions_and_rules_tell_as_the_file_says(
    apply: Apply, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDHUB_TEST_CHAT", SECRET)
    own = Rule.objects.create(name="Mine", user=User.objects.get(username="bob"), kinds=["plan.held"])
    text = f"""\
version: 1
groups:
  - {{name: On call, permissions: [federations.view_syncjob, auth.view_user]}}
federations:
  - {{name: Production, {CONFIG}}}
notification_rules:
  - {{name: Failures, group: On call, events: [sync.failed], federations: [Production]}}
  - {{name: Chat, url: https://1.1.1.1/hook, events: [dead_letter], secret: {{env: FEDHUB_TEST_CHAT}}}}
"""
    assert "must be whsec_" in apply(text, "--plan")[1]
    first, second = new_secret(), new_secret()
    monkeypatch.setenv("FEDHUB_TEST_CHAT", first)

    assert apply(text, "--yes")[0] == 0

    failures, chat = Rule.objects.get(name="Failures"), Rule.objects.get(name="Chat")
    permissions = set(Permission.objects.filter(group__name="On call").values_list("codename", flat=True))
    assert permissions == {"view_syncjob", "view_user"}
    assert failures.group is not None and failures.federations == [Federation.objects.get().pk]
    assert signing_keys(chat, chat.created_at) == [first]
    assert apply(text, "--plan", "--prune")[0] == 0

    monkeypatch.setenv("FEDHUB_TEST_CHAT", second)
    fewer = text.replace(", auth.view_user", "").replace("events: [sync.failed]", "events: [sync.failed], paused: true")
    assert apply(fewer, "--yes")[0] == 0
    chat.refresh_from_db()
    assert signing_keys(chat, chat.created_at) == [second, first]
    assert Rule.objects.get(name="Failures").paused_at is not None
    assert Permission.objects.filter(group__name="On call").count() == 2

    less = fewer[: fewer.index("  - {name: Chat")].replace("group: On call", "user: nobody, group: On call")
    assert "name a user, a group or a url" in apply(less, "--plan")[1]
    code, printed = apply(less.replace("user: nobody, ", ""), "--prune", "--yes", "--json")
    assert (code, changes(printed)["notification_rules Chat"]) == (0, ("delete", {"url": None}))
    assert Permission.objects.get(group__name="On call").codename == "view_syncjob"
    assert set(Rule.objects.values_list("name", flat=True)) == {"Failures", own.name}
    assert SECRET not in printed and first not in printed
