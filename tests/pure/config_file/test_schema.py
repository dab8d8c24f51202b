"""The JSON schema in docs is the one of the models, and the models' words are the hub's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import jsonschema_rs
import pytest

from core.notifications.events import all_kinds
from core.strict_json import Json
from federations.models import AccessLevel, ChangePolicy, ProviderType
from federations.schedules.rule import LONGEST_INTERVAL_SECONDS
from fedhub.config_file import document
from fedhub.config_file.parse import parse_file
from fedhub.config_file.registry import KINDS
from fedhub.config_file.yaml_reader import read_yaml
from fedhub.roles import DEFINITIONS
from peers.models import PeerState, Relationship, Visibility

DOCS = Path(__file__).resolve().parents[3] / "docs"
SCHEMA = json.loads((DOCS / "hub.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)
REFUSED = [
    "version: 2",
    "federations: []",
    "{version: 1, oops: []}",
    "{version: 1, federations: [{provider: aws_agentcore}]}",
    "{version: 1, federations: [{name: A, oops: 1}]}",
    "{version: 1, federations: [{name: A, schedule: {interval_seconds: 0}}]}",
    "{version: 1, federations: [{name: A, grants: [{user: a, group: b, level: view}]}]}",
    "{version: 1, peers: [{server_url: https://a.example.org, outbound_key: text}]}",
    "{version: 1, peers: [{server_url: https://a.example.org, outbound_key: {}}]}",
    "{version: 1, roles: [{role: emperor}]}",
    "{version: 1, agents: [{agent: a, asks_before_work: 1}]}",
    "{version: 1, notification_rules: [{name: A, user: a, group: b}]}",
    "{version: 1, notification_rules: [{name: A, url: https://a.example.org, secret: whsec_text}]}",
    "{version: 1, notification_rules: [{name: A, events: [oops]}]}",
]


def words(model: type[document.Entry], name: str) -> set[str]:
    return set(get_args(model.model_fields[name].annotation))


def test_the_schema_in_docs_is_current() -> None:
    assert document.json_schema() == SCHEMA, "run manage.py export_config --schema > docs/hub.schema.json"


def test_editors_accept_the_example_and_refuse_what_the_hub_refuses() -> None:
    text = (DOCS / "hub.example.yaml").read_text(encoding="utf-8")
    assert parse_file(text).errors == []
    assert [str(error) for error in VALIDATOR.iter_errors(read_yaml(text).value)] == []


@pytest.mark.parametrize("text", REFUSED)
def test_the_schema_refuses_what_the_models_refuse(text: str) -> None:
    value: Json = read_yaml(text).value
    assert parse_file(text).errors
    assert not VALIDATOR.is_valid(value)


def test_the_words_of_the_file_are_those_of_the_hub() -> None:
    assert words(document.FederationEntry, "provider") == set(ProviderType.values)
    assert words(document.FederationEntry, "change_policy") == set(ChangePolicy.values)
    assert words(document.RoleEntry, "role") == set(DEFINITIONS)
    assert words(document.AgentEntry, "visibility") == set(Visibility.values)
    assert words(document.PeerEntry, "relationship") == set(Relationship.values)
    assert words(document.PeerEntry, "state") == set(PeerState.values)
    assert set(get_args(document.EventWord)) == {kind.key for kind in all_kinds()}
    assert set(get_args(document.Level)) == {level.name.lower() for level in AccessLevel}
    bounds: Any = SCHEMA["$defs"]["Schedule"]["properties"]["interval_seconds"]["anyOf"][0]
    assert (bounds["minimum"], bounds["maximum"]) == (1, LONGEST_INTERVAL_SECONDS)
    assert list(KINDS) == list(document.SECTIONS)
