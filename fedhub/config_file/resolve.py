"""Turn the entries of a file into the form of the hub, and find the errors that only the hub knows of.

Such errors are an unknown user, a configuration that the provider refuses, a URL that the hub may not reach, or a
secret that is not there. All of them are collected, each with its path and line.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from core.errors import HubError
from core.notifications.rules import refusal_of_url
from core.notifications.webhooks import is_secret
from federations.models import A2aAgent
from federations.services.batches import batches
from federations.services.discover import check_config, normalize_config
from fedhub.config_file.agents import path_of
from fedhub.config_file.document import (
    AgentEntry,
    Entry,
    FederationEntry,
    GroupEntry,
    NotificationRuleEntry,
    PeerEntry,
    RegisteredAgentEntry,
    RoleEntry,
    SecretReference,
)
from fedhub.config_file.groups import permission_ids
from fedhub.config_file.parse import ParsedEntry, ParsedFile
from fedhub.config_file.plan import Key, Observed, Secret, Wanted
from fedhub.config_file.schedules import wanted_schedule
from fedhub.config_file.secret_values import MissingSecretError, read_secret
from fedhub.config_file.yaml_reader import FileError, Path, path_text
from peers.services.trust.peer_addresses import checked_place
from peers.services.trust.peers import checked_origins

Hub = Mapping[str, Mapping[Key, Observed]]
"""The objects of the hub, by section and key."""

_PLACE = ("region", "assumeRoleArn")
_OTHER_PLACE = "another account or region; the guard may hold the next sync, which would delete {} stored resources"
# What `update_federation` writes, and for which it asks for a complete configuration.
_UPDATED = ("description", "tags", "provider_config", "change_policy")


@dataclass(slots=True)
class Resolved:
    """The entries in the form of the hub, and the errors that were found on the way."""

    wanted: list[Wanted] = field(default_factory=list)
    errors: list[FileError] = field(default_factory=list)


def resolve(parsed: ParsedFile, hub: Hub, *, folder: FilePath) -> Resolved:
    """Return the wanted objects of a file whose relative paths begin at `folder`."""
    return _Resolver(parsed, hub, folder).resolve()


class _Resolver:
    def __init__(self, parsed: ParsedFile, hub: Hub, folder: FilePath) -> None:
        self.parsed, self.hub, self.folder = parsed, hub, folder
        self.done = Resolved()
        self.users = _known_users(parsed.entries)
        self.discovered = _discovered(parsed.entries)
        self.groups = set(Group.objects.values_list("name", flat=True))
        self.groups |= _named(parsed, "groups", "name") | _named(parsed, "roles", "group")
        self.federations = {name for (name,) in hub["federations"]} | _named(parsed, "federations", "name")
        self.permissions = set(permission_ids())

    def resolve(self) -> Resolved:
        first: dict[tuple[str, Key], int] = {}
        for item in self.parsed.entries:
            found = self._wanted(item)
            if found is None:
                continue
            place = (item.section, found.key)
            if place in first:
                self._error(item.path, f"stands in line {first[place]} already")
                continue
            first[place] = item.line
            self.done.wanted.append(found)
        self.done.errors.sort()
        return self.done

    def _wanted(self, item: ParsedEntry) -> Wanted | None:
        entry, number = item.entry, len(self.done.errors)
        key, values = _RESOLVERS[type(entry)](self, entry, item.path)
        if len(self.done.errors) > number:
            return None
        return Wanted(item.section, key, values, self._notes(item.section, key, values))

    def _error(self, path: Path, message: str) -> None:
        self.done.errors.append(FileError(self.parsed.source.line_of(path), path_text(path), message))

    def _checked(self, path: Path, check: Callable[[], Any]) -> Any:
        """Return the result of `check`, or None after an error of the hub, which becomes an error of the file."""
        try:
            return check()
        except HubError as exc:
            self._error(path, exc.message)
            return None

    def _notes(self, section: str, key: Key, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Return what the person who reads the plan should know of a change of this object."""
        if section == "agents" and key not in self.discovered:
            return ("no agent of this path is discovered yet",)
        observed = self.hub["federations"].get(key) if section == "federations" else None
        config = values.get("provider_config")
        if observed is None or config is None or not observed.facts["resources"]:
            return ()
        stored = observed.values["provider_config"]
        is_other = any(config.get(name) != stored.get(name) for name in _PLACE)
        return (_OTHER_PLACE.format(observed.facts["resources"]),) if is_other else ()

    # The sections ---------------------------------------------------------------------------------------------------
    def federation(self, entry: FederationEntry, path: Path) -> tuple[Key, dict[str, Any]]:
        key, values = (entry.name,), entry.given()
        observed = self.hub["federations"].get(key)
        if observed and len(observed.facts["ids"]) > 1:
            self._error((*path, "name"), f"{len(observed.facts['ids'])} federations of the hub have this name")
        for name in ("provider", "external_id"):
            if observed and name in values and values[name] != observed.values[name]:
                self._error((*path, name), f"cannot be changed; the hub has {observed.values[name]}")
        provider = str(observed.values["provider"]) if observed else entry.provider
        if observed is None:
            values = {"provider": entry.provider, **values}
        if "description" in values:
            values["description"] = values["description"] or ""
        if "tags" in values:
            values["tags"] = list(dict.fromkeys(values["tags"]))
        if "schedule" in values:
            stored = observed.values["schedule"] if observed else None
            place = (*path, "schedule")
            values["schedule"] = self._checked(place, lambda: wanted_schedule(entry.schedule, stored))
        if "grants" in values:
            values["grants"] = self._grants(entry, path, observed)
        self._resolve_config(values, provider, observed, path)
        return key, values

    def _resolve_config(self, values: dict[str, Any], provider: str, observed: Observed | None, path: Path) -> None:
        place = (*path, "provider_config")
        stored = observed.values if observed else {}
        if "provider_config" in values and values["provider_config"] != stored.get("provider_config"):
            config = values["provider_config"]
            values["provider_config"] = self._checked(place, lambda: normalize_config(provider, config))
        if values.get("provider_config") is None and "provider_config" in values:
            return
        if observed and any(name in values and values[name] != stored[name] for name in _UPDATED):
            whole: dict[str, Any] = {**stored, **values}["provider_config"]
            self._checked(place, lambda: check_config(provider, whole))

    def _grants(self, entry: FederationEntry, path: Path, observed: Observed | None) -> dict[str, str]:
        stored = observed.values["grants"] if observed else {}
        grants: dict[str, str] = {}
        for index, each in enumerate(entry.grants):
            place = (*path, "grants", index)
            if each.holder in grants:
                self._error(place, f"the second grant for {each.holder.replace(':', ' ')}")
            elif stored.get(each.holder) != each.level:
                self._check_holder(each.user, each.group, place)
            grants[each.holder] = each.level
        return dict(sorted(grants.items()))

    def _check_holder(self, user: str, group: str, place: Path) -> None:
        if user and not self.users.get(user, False):
            state = "is not active" if user in self.users else "does not exist"
            self._error(place, f"the user {user} {state}")
        if group and group not in self.groups:
            self._error(place, f"the group {group} does not exist")

    def role(self, entry: RoleEntry, path: Path) -> tuple[Key, dict[str, Any]]:
        key, values = (entry.role,), entry.given()
        observed = self.hub["roles"].get(key)
        if observed is None:
            self._error(path, "the group of this role was deleted; the file does not bring it back")
        if "members" in values:
            values["members"] = self._members(entry.members, path, observed)
        if values.get("group", "") == "":
            values.pop("group", None)
        return key, values

    def group(self, entry: GroupEntry, path: Path) -> tuple[Key, dict[str, Any]]:
        key, values = (entry.name,), entry.given()
        for (role,), observed in self.hub["roles"].items():
            if observed.values["group"] == entry.name:
                self._error((*path, "name"), f"is the group of a role: name it under roles, as role: {role}")
        if "members" in values:
            values["members"] = self._members(entry.members, path, self.hub["groups"].get(key))
        if "permissions" in values:
            values["permissions"] = sorted(set(entry.permissions))
            self._check_known(entry.permissions, self.permissions, (*path, "permissions"), "permission")
        return key, values

    def _members(self, names: list[str], path: Path, observed: Observed | None) -> list[str]:
        stored = set(observed.values["members"]) if observed else set()
        for index, name in enumerate(names):
            if name not in self.users and name not in stored:
                self._error((*path, "members", index), f"the user {name} does not exist")
        return sorted(set(names))

    def agent(self, entry: AgentEntry, path: Path) -> tuple[Key, dict[str, Any]]:
        if entry.federation and entry.federation not in self.federations:
            self._error((*path, "federation"), f"the federation {entry.federation} does not exist")
        observed = self.hub["federations"].get((entry.federation,))
        if observed and len(observed.facts["ids"]) > 1:
            self._error((*path, "federation"), f"{len(observed.facts['ids'])} federations of the hub have this name")
        return (entry.federation, path_of(entry.agent)), entry.given()

    def registered_agent(self, entry: RegisteredAgentEntry, path: Path) -> tuple[Key, dict[str, Any]]:
        if not entry.id.isprintable():
            self._error((*path, "id"), "must be printable characters")
        return (entry.id,), entry.given()

    def peer(self, entry: PeerEntry, path: Path) -> tuple[Key, dict[str, Any]]:
        values = entry.given()
        values.pop("did", None)
        place = self._checked(path, lambda: checked_place(entry.server_url, entry.did))
        if "name" in values:
            values["name"] = entry.name.strip()
        if "callback_origins" in values:
            origins = tuple(entry.callback_origins)
            values["callback_origins"] = self._checked((*path, "callback_origins"), lambda: checked_origins(origins))
        if "fingerprints" in values:
            values["fingerprints"] = sorted(set(entry.fingerprints))
        if entry.outbound_key is not None:
            values["outbound_key"] = self._secret(entry.outbound_key, (*path, "outbound_key"))
        return (place[0] if place else entry.server_url,), values

    def _secret(self, reference: SecretReference, place: Path) -> Secret | None:
        try:
            return read_secret(reference.model_dump(), self.folder)
        except MissingSecretError as exc:
            self._error(place, str(exc))
            return None

    def _check_known(self, names: Collection[str], known: Collection[str], place: Path, noun: str) -> None:
        for index, name in enumerate(names):
            if name not in known:
                self._error((*place, index), f"the {noun} {name} does not exist")

    def notification_rule(self, entry: NotificationRuleEntry, path: Path) -> tuple[Key, dict[str, Any]]:
        key, values = (entry.name, entry.user), entry.given()
        observed = self.hub["notification_rules"].get(key)
        if observed and len(observed.facts["ids"]) > 1:
            self._error((*path, "name"), f"{len(observed.facts['ids'])} rules of the hub have this name and receiver")
        self._resolve_receiver(entry, values, observed, path)
        events = entry.events if "events" in values or observed is None else observed.values["events"]
        if not events:
            self._error((*path, "events"), "a rule names one event at least")
        peers = {url for (url,) in self.hub["peers"]} | self._peers_of_file
        self._check_known(entry.federations, self.federations, (*path, "federations"), "federation")
        self._check_known(entry.peers, peers, (*path, "peers"), "peer")
        values |= {name: sorted(set(values[name])) for name in ("events", "federations", "peers") if name in values}
        if entry.secret is not None:
            values["secret"] = found = self._secret(entry.secret, (*path, "secret"))
            if found and not is_secret(found.reveal()):
                self._error((*path, "secret"), "must be whsec_ and the base64 of 24 to 64 bytes")
        return key, values

    def _resolve_receiver(
        self, entry: NotificationRuleEntry, values: dict[str, Any], observed: Observed | None, path: Path
    ) -> None:
        """Check who is told; a rule that gets another receiver loses the one before."""
        stored = observed.values if observed else {}
        if entry.user:
            if observed is None:
                self._check_holder(entry.user, "", (*path, "user"))
        elif entry.group:
            self._check_holder("", entry.group, (*path, "group"))
            values["url"] = ""
        elif entry.url:
            if entry.url != stored.get("url") and (refusal := refusal_of_url(entry.url)):
                self._error((*path, "url"), f"the hub does not send to this URL: {refusal}")
            values["group"] = ""
        elif observed is None or {"group", "url"} & set(values):
            self._error(path, "name a user, a group or a url")

    @property
    def _peers_of_file(self) -> set[str]:
        """Return the URLs of the section `peers`, in the form of the hub."""
        return {each.key[0] for each in self.done.wanted if each.section == "peers"}


_RESOLVERS: dict[type[Entry], Callable[..., tuple[Key, dict[str, Any]]]] = {
    FederationEntry: _Resolver.federation,
    RoleEntry: _Resolver.role,
    GroupEntry: _Resolver.group,
    AgentEntry: _Resolver.agent,
    RegisteredAgentEntry: _Resolver.registered_agent,
    PeerEntry: _Resolver.peer,
    NotificationRuleEntry: _Resolver.notification_rule,
}


def _known_users(entries: Collection[ParsedEntry]) -> dict[str, bool]:
    """Return the users that the file names: the name, and whether the account is active."""
    names = {name for each in entries for name in _user_names(each.entry)}
    return dict(get_user_model().objects.filter(username__in=names).values_list("username", "is_active"))


def _discovered(entries: Collection[ParsedEntry]) -> set[Key]:
    """Return the agents of the file that are discovered, by the federation's name and the path."""
    paths = [path_of(each.entry.agent) for each in entries if isinstance(each.entry, AgentEntry)]
    rows = A2aAgent.objects.values_list("federation__display_name", "path")
    found = (row for batch in batches(paths) for row in rows.filter(path__in=batch))
    return {(name or "", path) for name, path in found}


def _user_names(entry: Entry) -> Iterator[str]:
    if isinstance(entry, (RoleEntry, GroupEntry)):
        yield from entry.members
    if isinstance(entry, NotificationRuleEntry) and entry.user:
        yield entry.user
    if isinstance(entry, FederationEntry):
        yield from (grant.user for grant in entry.grants if grant.user)


def _named(parsed: ParsedFile, section: str, key: str) -> set[str]:
    """Return the names in a section, also those of entries with errors, so that one error does not cause others."""
    root = parsed.source.value
    items = root.get(section) if isinstance(root, dict) else None
    names = [item.get(key) for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return {name for name in names if isinstance(name, str)}
