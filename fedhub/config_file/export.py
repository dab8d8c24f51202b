"""Write the configuration of this hub as a file that `apply_config` reads."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import ConflictError
from fedhub.config_file.agents import shown_agent
from fedhub.config_file.document import SECTIONS, VERSION
from fedhub.config_file.parse import parse_file
from fedhub.config_file.plan import Key, Observed
from fedhub.config_file.registry import KINDS
from fedhub.config_file.yaml_writer import write_yaml

_HEAD = "# The configuration of a fedhub hub. Check and apply it: manage.py apply_config FILE [--plan] [--prune]\n"
_NOT_EXPORTED = ("retired",)
_SECRETS = {"peers": "outbound_key", "notification_rules": "secret"}
"""The key of each section that holds a secret."""
Place = tuple[str, Key]


@dataclass(frozen=True, slots=True)
class Export:
    """The text of a file, and the variables that must hold the secrets when it is applied, each with its meaning."""

    text: str
    variables: Mapping[str, str]


def export_config() -> Export:
    """Return the configuration of this hub; raises ConflictError if a file cannot express it.

    Left out are retired peers, proposals of unknown senders, grants of deleted users and groups, and accounts.
    """
    hub = {section: sorted(kind.observe(None).items()) for section, kind in KINDS.items()}
    _check_names(hub["federations"], "federations")
    _check_names(hub["notification_rules"], "notification rules")
    secrets = {(section, key) for section, found in hub.items() for key, each in found if _has_secret(each)}
    variables = _variables(sorted(secrets))
    document: dict[str, Any] = {"version": VERSION}
    for section, found in hub.items():
        document[section] = [entry for key, each in found if (entry := _entry(section, key, each, variables))]
    text = _HEAD + write_yaml(document)
    if errors := parse_file(text).errors:
        raise ConflictError(f"The hub has a value that the file does not allow: {errors[0].path}: {errors[0].message}")
    return Export(text, {name: _meaning(section, key) for (section, key), name in variables.items()})


def _check_names(found: Sequence[tuple[Key, Observed]], noun: str) -> None:
    shared = [key[0] for key, each in found if len(each.facts["ids"]) > 1]
    if shared:
        raise ConflictError(f"Several {noun} are named {shared[0]}: rename them, since the file names them by it")


def _has_secret(observed: Observed) -> bool:
    return any(observed.values.get(name) is not None for name in _SECRETS.values())


def _meaning(section: str, key: Key) -> str:
    return f"the outbound key of {key[0]}" if section == "peers" else f"the webhook secret of the rule {key[0]}"


def _entry(section: str, key: Key, observed: Observed, variables: Mapping[Place, str]) -> dict[str, Any]:
    """Return an entry with its keys in the order of the model; empty for an object that is not exported."""
    names = SECTIONS[section].KEYS
    values: dict[str, Any] = {**dict(zip(names, key, strict=True)), **observed.values}
    if section == "peers" and not _prepare_peer(values, observed):
        return {}
    if section == "notification_rules" and not _prepare_rule(values):
        return {}
    if (name := _SECRETS.get(section)) and values.pop(name) is not None:
        values[name] = {"env": variables[section, key]}
    if section == "agents":
        values["agent"] = shown_agent(values["agent"])
        values = {name: value for name, value in values.items() if value not in (None, "")}
    if "grants" in values:
        values["grants"] = list(_grants(values["grants"]))
    return {name: values[name] for name in SECTIONS[section].model_fields if name in values}


def _prepare_rule(values: dict[str, Any]) -> bool:
    """Leave out empty receivers; return False for a rule about federations or peers that are all deleted."""
    for name in ("user", "group", "url"):
        if not values[name]:
            del values[name]
    return not any(name.startswith("#") for name in (*values["federations"], *values["peers"]))


def _prepare_peer(values: dict[str, Any], observed: Observed) -> bool:
    """Give the values the form of the file; return False for a peer that is not exported."""
    state = values["state"]
    if state in _NOT_EXPORTED or (state == "proposed" and observed.facts["is_from_stranger"]):
        return False
    if state == "proposed":
        # The decision about this peer stays with the staff of the hub.
        del values["state"]
    return True


def _grants(grants: Mapping[str, str]) -> Iterator[dict[str, str]]:
    for holder, level in grants.items():
        kind, _, name = holder.partition(":")
        if not name.startswith("#"):
            yield {kind: name, "level": level}


def _variables(places: Sequence[Place]) -> dict[Place, str]:
    """Return a variable's name for the secret of each object; equal names get a part of a hash."""
    names = {place: _variable(*place) for place in places}
    taken = list(names.values())
    return {
        place: name
        if taken.count(name) == 1
        else f"{name}_{hashlib.sha256(place[1][0].encode()).hexdigest()[:8].upper()}"
        for place, name in names.items()
    }


def _variable(section: str, key: Key) -> str:
    name = key[0].partition("://")[2] if section == "peers" else key[0]
    prefix = "PEER_KEY" if section == "peers" else "WEBHOOK_SECRET"
    return f"{prefix}_{re.sub(r'[^A-Z0-9]+', '_', name.upper()).strip('_')}"
