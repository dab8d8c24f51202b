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


@dataclass(frozen=True, slots=True)
class Export:
    """The text of a file, and the variables that must hold the secrets when it is applied, each with its peer."""

    text: str
    variables: Mapping[str, str]


def export_config() -> Export:
    """Return the configuration of this hub; raises ConflictError if a file cannot express it.

    Left out are retired peers, proposals of unknown senders, grants of deleted users and groups, and accounts.
    """
    hub = {section: sorted(kind.observe(None).items()) for section, kind in KINDS.items()}
    _check_names(hub["federations"])
    variables = _variables([url for (url,), peer in hub["peers"] if peer.values["outbound_key"] is not None])
    document: dict[str, Any] = {"version": VERSION}
    for section, found in hub.items():
        document[section] = [entry for key, each in found if (entry := _entry(section, key, each, variables))]
    text = _HEAD + write_yaml(document)
    if errors := parse_file(text).errors:
        raise ConflictError(f"The hub has a value that the file does not allow: {errors[0].path}: {errors[0].message}")
    return Export(text, {name: url for url, name in variables.items()})


def _check_names(federations: Sequence[tuple[Key, Observed]]) -> None:
    shared = [name for (name,), each in federations if len(each.facts["ids"]) > 1]
    if shared:
        raise ConflictError(f"Several federations are named {shared[0]}: rename them, since the file names them by it")


def _entry(section: str, key: Key, observed: Observed, variables: Mapping[str, str]) -> dict[str, Any]:
    """Return an entry with its keys in the order of the model; empty for an object that is not exported."""
    names = SECTIONS[section].KEYS
    values: dict[str, Any] = {**dict(zip(names, key, strict=True)), **observed.values}
    if section == "peers" and not _prepare_peer(values, observed, variables):
        return {}
    if section == "agents":
        values["agent"] = shown_agent(values["agent"])
        values = {name: value for name, value in values.items() if value not in (None, "")}
    if "grants" in values:
        values["grants"] = list(_grants(values["grants"]))
    return {name: values[name] for name in SECTIONS[section].model_fields if name in values}


def _prepare_peer(values: dict[str, Any], observed: Observed, variables: Mapping[str, str]) -> bool:
    """Give the values the form of the file; return False for a peer that is not exported."""
    state, url = values["state"], values["server_url"]
    if state in _NOT_EXPORTED or (state == "proposed" and observed.facts["is_from_stranger"]):
        return False
    if state == "proposed":
        # The decision about this peer stays with the staff of the hub.
        del values["state"]
    if values.pop("outbound_key") is not None:
        values["outbound_key"] = {"env": variables[url]}
    return True


def _grants(grants: Mapping[str, str]) -> Iterator[dict[str, str]]:
    for holder, level in grants.items():
        kind, _, name = holder.partition(":")
        if not name.startswith("#"):
            yield {kind: name, "level": level}


def _variables(urls: Sequence[str]) -> dict[str, str]:
    """Return a variable's name for the secret of each peer, by URL; equal names get a part of the URL's hash."""
    names = {url: f"PEER_KEY_{re.sub(r'[^A-Z0-9]+', '_', url.partition('://')[2].upper()).strip('_')}" for url in urls}
    taken = list(names.values())
    return {
        url: name if taken.count(name) == 1 else f"{name}_{hashlib.sha256(url.encode()).hexdigest()[:8].upper()}"
        for url, name in names.items()
    }
