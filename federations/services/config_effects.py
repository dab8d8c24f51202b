"""What a new configuration of a federation would remove at its next sync, from what the hub stores already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from federations.models import Federation
from federations.providers.base import ProbedRuntime
from federations.providers.mcp_registry.config import is_wanted
from federations.services.kinds import KINDS
from federations.services.sync_targets import target_of
from federations.sync.naming import region_and_account, tag_names
from federations.sync.plan import is_mass_deletion
from federations.sync.resources import JsonObject


@dataclass(frozen=True, slots=True)
class ConfigEffect:
    """The effect of a new configuration on the stored resources of a federation.

    `stored` is their number. `removed_paths` are the paths of those that the next sync would remove, or None if the hub
    cannot know without the cloud. `is_other_account` tells whether the configuration names another region or account,
    in which every resource is a new one.
    """

    stored: int = 0
    removed_paths: frozenset[str] | None = frozenset()
    is_other_account: bool = False

    @property
    def removed(self) -> int | None:
        """Return the number of resources that the next sync would remove, or None."""
        return None if self.removed_paths is None else len(self.removed_paths)

    @property
    def is_held(self) -> bool:
        """Tell whether the deletion guard would hold that sync."""
        return self.removed is not None and is_mass_deletion(self.removed, self.stored)


@dataclass(frozen=True, slots=True)
class _Stored:
    """A stored resource of the federation."""

    resource_id: str
    runtime_id: str
    path: str


def effect_of_config(
    federation: Federation, config: JsonObject, probed: Sequence[ProbedRuntime] | None = None
) -> ConfigEffect:
    """Return the effect of `config`, a normalized configuration, in place of the stored one; at most four queries.

    `probed` is the listing of a probe with `config`; without it the tags that the last syncs read decide.
    """
    rows = _stored(federation)
    old = federation.provider_config
    if _place(old) != _place(config):
        return ConfigEffect(len(rows), frozenset(row.path for row in rows), is_other_account=True)
    if "url" in config and probed is None:
        return ConfigEffect(len(rows), frozenset(row.path for row in rows if not is_wanted(config, row.runtime_id)))
    if probed is not None:
        gone = {row.path for row in rows} - _listed_paths(rows, config, probed)
        return ConfigEffect(len(rows), frozenset(gone))
    return ConfigEffect(len(rows), _without_tags(federation, rows, _filter(old), _filter(config)))


def matches(config: JsonObject, tags: Mapping[str, str]) -> bool:
    """Tell whether a runtime with `tags` passes the tags filter of `config`."""
    return _filter(config).items() <= tags.items()


def _listed_paths(rows: Sequence[_Stored], config: JsonObject, probed: Sequence[ProbedRuntime]) -> set[str]:
    """Return the paths of the resources that stay. A runtime whose tags the probe could not read stays too."""
    has_filter = bool(_filter(config))
    listed = {
        found.runtime_id for found in probed if not has_filter or found.tags is None or matches(config, found.tags)
    }
    return {row.path for row in rows if row.runtime_id in listed}


def _without_tags(
    federation: Federation, rows: Sequence[_Stored], old: Mapping[str, str], new: Mapping[str, str]
) -> frozenset[str] | None:
    """Return the paths of the resources without the tags of the filter `new`, or None if their tags are unknown."""
    if new.items() <= old.items():
        return frozenset()
    if not old:
        # A sync without a filter reads no tags.
        return None
    before, wanted = set(tag_names(old)), set(tag_names(new))
    with_old, with_new = (_with_all(federation, names) for names in (before, wanted))
    if not {row.resource_id for row in rows} <= with_old:
        # Some resources were stored by a sync that read no tags.
        return None
    return frozenset(row.path for row in rows if row.resource_id not in with_new)


def _with_all(federation: Federation, names: set[str]) -> set[str]:
    """Return the ids of the federation's resources with all tags of `names`."""
    counted: Counter[str] = Counter()
    for kind in KINDS.values():
        tags = kind.tag_model._default_manager.filter(resource__federation_id=federation.pk, name__in=sorted(names))
        counted.update(tags.values_list("resource_id", flat=True))
    return {resource_id for resource_id, number in counted.items() if number == len(names)}


def _stored(federation: Federation) -> list[_Stored]:
    target = target_of(federation)
    return [
        _Stored(*row)
        for kind in KINDS.values()
        for row in target.resources(kind.model).order_by().values_list("id", "runtime_id", "path")
    ]


def _place(config: JsonObject) -> tuple[str, str, str]:
    """Return the region and the account of a configuration, or the URL of a registry.

    Without a role the account is the hub's own.
    """
    account = region_and_account(str(config.get("assumeRoleArn") or ""))[1]
    return str(config.get("region") or ""), account, str(config.get("url") or "")


def _filter(config: JsonObject) -> Mapping[str, str]:
    wanted = config.get("resourceTagsFilter")
    return {key: str(value) for key, value in wanted.items()} if isinstance(wanted, dict) else {}
