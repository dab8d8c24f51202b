"""For any hub: its export changes nothing on it, and makes an equal hub of an empty one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connections
from hypothesis import given, settings
from hypothesis import strategies as st

from core.notifications.models import Rule
from core.notifications.webhooks import new_secret
from core.roles.models import Role
from core.store.unit_of_work import REGISTRY
from federations.models import Federation
from federations.search.registry import search_index
from fedhub.config_file.apply import apply_plan, make_plan
from fedhub.config_file.document import fingerprint_of
from fedhub.config_file.export import export_config
from fedhub.config_file.yaml_writer import write_yaml
from fedhub.roles import ROLES
from peers.models import AgentVisibilityChoice, AgentWorkSetting, Peer, PeerDecision, RegisteredAgent
from tests.app.fedhub.config_file.conftest import ROLE_ARN
from tests.app.peers.staff.conftest import KEY, NEXT_KEY, Partner

pytestmark = pytest.mark.django_db(transaction=True)

USERS = ("alice", "bob", "no")
SIGNS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXT = st.text(SIGNS, max_size=8)
NAME = st.text(SIGNS, min_size=1, max_size=8)
VISIBILITY = st.sampled_from(["public", "unlisted", "private"])
MEMBERS = st.lists(st.sampled_from(USERS), unique=True)
PERMISSIONS = ("auth.view_user", "federations.view_federation", "peers.change_peer")
EVENTS = st.lists(st.sampled_from(["sync.failed", "key.changed", "beat.silent"]), min_size=1, unique=True)
WEBHOOK = {"url": "https://chat.example.org/hook", "secret": {"env": "FEDHUB_TEST_WEBHOOK"}}
FINGERPRINTS = [fingerprint_of(key.verification_key.fingerprint) for key in (KEY, NEXT_KEY)]


def entries(key: str, keys: st.SearchStrategy[str], **values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw up to three entries with different keys; each has some of the values."""
    entry = st.fixed_dictionaries({key: keys}, optional=values)
    return st.lists(entry, max_size=3, unique_by=lambda found: found[key].strip())


def federations(names: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    config: dict[str, Any] = {"region": "us-east-1", "assumeRoleArn": ROLE_ARN}
    grants = st.dictionaries(st.sampled_from(USERS), st.sampled_from(["view", "edit", "owner"]))
    return entries(
        "name",
        names,
        description=TEXT,
        tags=st.lists(NAME, max_size=3),
        provider_config=st.dictionaries(NAME, TEXT, max_size=2).map(
            lambda tags: {**config, "resourceTagsFilter": tags}
        ),
        enabled=st.booleans(),
        change_policy=st.sampled_from(["flow", "review"]),
        schedule=st.fixed_dictionaries({}, optional={"time_zone": st.just("Europe/Berlin")}).flatmap(
            lambda base: st.sampled_from(
                [base, base | {"interval_seconds": 300}, base | {"crontab": "0 2 * * *", "paused": True}]
            )
        ),
        grants=grants.map(lambda found: [{"user": name, "level": level} for name, level in found.items()]),
    )


def rules() -> st.SearchStrategy[Any]:
    """Draw rules for a person, for the group `gone`, which each file has, and for a webhook."""
    receiver = st.sampled_from([{"user": "alice"}, {"group": "gone"}, {"url": WEBHOOK["url"]}, WEBHOOK])
    rule = entries(
        "name",
        NAME,
        minutes_between_digests=st.sampled_from([0, 60]),
        paused=st.booleans(),
    )
    return st.tuples(rule, receiver, EVENTS).map(
        lambda drawn: [each | drawn[1] | {"events": drawn[2]} for each in drawn[0]]
    )


def files(partner_url: str) -> st.SearchStrategy[dict[str, Any]]:
    """Draw the values of a file in which one peer publishes its keys and another one is unreachable."""
    urls = st.sampled_from(["https://a.example.org", "https://b.example.org/hub"])
    partner = {
        "server_url": partner_url,
        "fingerprints": FINGERPRINTS[:1],
        "state": st.sampled_from(["approved", "suspended"]),
        "outbound_key": {"env": "FEDHUB_TEST_ROUND_TRIP"},
    }
    peers = entries(
        "server_url",
        urls,
        name=TEXT,
        notes=TEXT,
        requires_signature=st.booleans(),
        relationship=st.sampled_from(["peer", "upstream"]),
        review_by=st.dates().map(str),
        callback_origins=st.lists(st.just("https://callbacks.example.org"), max_size=1),
        state=st.sampled_from(["proposed", "rejected"]),
    )
    known = st.fixed_dictionaries(
        {name: each if isinstance(each, st.SearchStrategy) else st.just(each) for name, each in partner.items()}
    )
    agents = entries("agent", st.sampled_from(["a", "/b", "c"]), visibility=VISIBILITY, asks_before_work=st.booleans())
    skills = st.lists(TEXT, max_size=2)
    ids = NAME.filter(str.isprintable)
    registered = entries("id", ids, name=TEXT, description=TEXT, skills=skills, visibility=VISIBILITY)
    return st.fixed_dictionaries(
        {
            "version": st.just(1),
            "roles": entries("role", st.sampled_from(["reader", "operator"]), members=MEMBERS),
            "groups": entries(
                "name",
                NAME.map(lambda name: f"g{name}"),
                members=MEMBERS,
                permissions=st.lists(st.sampled_from(PERMISSIONS), unique=True),
            ).map(lambda found: [each for each in found if each["name"] != "gone"] + [{"name": "gone"}]),
            "federations": federations(NAME),
            "agents": agents,
            "registered_agents": registered,
            "notification_rules": rules(),
            "peers": st.tuples(peers, st.lists(known, max_size=1)).map(lambda pair: [*pair[0], *pair[1]]),
        }
    )


def empty_the_hub() -> None:
    for model in (Rule, Federation, AgentVisibilityChoice, AgentWorkSetting, RegisteredAgent, PeerDecision, Peer):
        model.objects.all().delete()
    Group.objects.filter(role=None).delete()
    for definition in ROLES:
        group = Role.objects.get(key=definition.key).group
        assert group is not None
        group.name = definition.name
        group.save()
        group.user_set.clear()


def apply_whole(text: str) -> None:
    plan = make_plan(text, folder=Path(), prune=False)
    assert plan.errors == ()
    assert [outcome for outcome in apply_plan(plan) if not outcome.is_whole] == []


def test_an_export_changes_nothing_here_and_makes_an_equal_hub_elsewhere(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.bulk_create(User(username=name) for name in USERS)
    partner.publish(KEY)
    monkeypatch.setenv("FEDHUB_TEST_ROUND_TRIP", "a-key-of-the-test")
    secret = new_secret()
    monkeypatch.setenv("FEDHUB_TEST_WEBHOOK", secret)

    # A server of its own makes each transaction slower, and the cases are the same.
    @settings(max_examples=12 if connections[REGISTRY].vendor == "sqlite" else 4)
    @given(files(partner.url))
    def holds(values: dict[str, Any]) -> None:
        empty_the_hub()
        apply_whole(write_yaml(values))
        first = export_config()
        for name in first.variables:
            monkeypatch.setenv(name, secret if name.startswith("WEBHOOK") else "a-key-of-the-test")
        assert make_plan(first.text, folder=Path(), prune=True).to_do == []

        empty_the_hub()
        apply_whole(first.text)

        assert export_config().text == first.text

    run: Callable[[], None] = holds
    run()
    search_index().clear()
