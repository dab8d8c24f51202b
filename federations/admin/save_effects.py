"""What a save of a federation's form changes, and what follows from each change, in words, before it is saved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.admin.labels import count_text
from federations.admin.connection_words import Tested, held_words, withdrawn_words
from federations.models import ChangePolicy, Federation
from federations.schedules.words import schedule_words
from federations.services.agent_readers import count_shown_agents
from federations.services.config_effects import ConfigEffect, effect_of_config
from federations.services.provider_secrets import keeps_secret
from federations.services.schedule import schedule_of
from federations.sync.resources import JsonObject

NONE = "none"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One changed field: its label, both values as texts, and the sentences about what follows."""

    label: str
    old: str
    new: str
    follows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SaveEffects:
    """All changes of a save. `warnings` are about typed values that the form accepts with doubt.

    `closing` are sentences about the save as a whole.
    """

    changes: tuple[FieldChange, ...] = ()
    warnings: tuple[str, ...] = ()
    closing: tuple[str, ...] = field(default=())

    @property
    def needs_confirmation(self) -> bool:
        """Tell whether staff must see the effects before the save; a name and a description have none."""
        return bool(self.warnings) or any(change.follows for change in self.changes)

    @property
    def digest(self) -> str:
        """Return a digest of all texts. A confirmation holds for exactly the effects that staff saw."""
        texts = [[change.label, change.old, change.new, *change.follows] for change in self.changes]
        whole = json.dumps([texts, self.warnings, self.closing])
        return hashlib.sha256(whole.encode()).hexdigest()


def effects_of_change(
    federation: Federation,
    typed: Mapping[str, Any],
    *,
    warnings: Iterable[str] = (),
    tested: Tested | None = None,
    secret: str | None = None,
) -> SaveEffects:
    """Return the effects of `typed`, the cleaned values of the form, on `federation` as it is stored now.

    `tested` is the result of a connection test with the same configuration. `secret` is the new access token, empty if
    the stored one is removed, None if it stays.
    """
    changes = (
        *_texts(federation, typed),
        *_config_changes(federation, typed["provider_config"], tested),
        *_secret_changes(federation, typed["provider_config"], secret),
        *_schedule_changes(federation, typed),
    )
    closing = ["A sync starts right after the save."] if typed.get("sync_after_save") else []
    return SaveEffects(changes, tuple(warnings), tuple(closing))


def _texts(federation: Federation, typed: Mapping[str, Any]) -> Iterator[FieldChange]:
    if federation.display_name != typed["display_name"]:
        yield FieldChange("Display name", federation.display_name, typed["display_name"])
    old, new = federation.description or "", (typed["description"] or "").replace("\r\n", "\n")
    if old.replace("\r\n", "\n") != new:
        yield FieldChange("Description", old or NONE, new or NONE)
    stored, tags = federation.tags, list(typed["tags"])
    if stored != tags:
        gone = [tag for tag in stored if tag not in tags]
        follows = [f"Lists and programs that ask for {_list(gone)} no longer find this federation."] if gone else []
        added = [tag for tag in tags if tag not in stored]
        follows += [f"Lists and programs that ask for {_list(added)} find this federation."] if added else []
        yield FieldChange("Tags", ", ".join(stored) or NONE, ", ".join(tags) or NONE, tuple(follows))


def _config_changes(federation: Federation, config: JsonObject, tested: Tested | None) -> Iterator[FieldChange]:
    old = federation.provider_config
    if old == config:
        return
    parts = [
        ("Region", _text(old, "region"), _text(config, "region")),
        ("Role ARN", _text(old, "assumeRoleArn"), _text(config, "assumeRoleArn")),
        ("Tag filter", filter_text(old), filter_text(config)),
        ("Registry URL", _text(old, "url"), _text(config, "url")),
        ("Names", names_text(old), names_text(config)),
        ("Only active servers", _text(old, "status"), _text(config, "status")),
    ]
    changed = [part for part in parts if part[1] != part[2]]
    follows = list(_config_follows(federation, config, {label for label, _, _ in changed}, tested))
    # The sentences are about the configuration as a whole: they stand below its last changed field.
    for number, (label, before, after) in enumerate(changed, start=1):
        yield FieldChange(label, before, after, tuple(follows) if number == len(changed) else ())


def _secret_changes(federation: Federation, config: JsonObject, secret: str | None) -> Iterator[FieldChange]:
    before = "stored" if federation.provider_secret else NONE
    if secret:
        yield FieldChange("Access token", before, "a new one", ("The hub sends the new token to the registry.",))
    elif federation.provider_secret and secret == "":
        yield FieldChange("Access token", before, NONE, ("The hub reads the registry without a token.",))
    elif federation.provider_secret and not keeps_secret(federation.provider_config, config):
        follows = "The stored token goes, because another server must not get it. Type a token for this one if it asks."
        yield FieldChange("Access token", before, NONE, (follows,))


def _config_follows(
    federation: Federation, config: JsonObject, labels: set[str], tested: Tested | None
) -> Iterator[str]:
    effect = effect_of_config(federation, config)
    if "Role ARN" in labels:
        yield "The hub assumes the new role from now on. Its trust policy needs the external id of this federation."
    if not effect.stored:
        yield "Nothing of this federation is stored yet, so nothing is removed."
        return
    yield "The hub forgets what it last saw of each runtime, so the next sync reads every runtime again."
    if tested is not None and tested.stored == effect.stored:
        yield from tested.sentences()
    else:
        yield from removal_words(federation, effect)


def removal_words(federation: Federation, effect: ConfigEffect) -> Iterator[str]:
    """Yield sentences about the resources that the next sync would remove."""
    stored = count_text(effect.stored, "stored resource")
    if effect.removed_paths is None:
        yield (
            f"The hub does not know how many of the {stored} have these tags, because a sync without a filter reads "
            "none. Go back and press Test connection to count them."
        )
    elif not effect.removed:
        yield f"The next sync removes none of the {stored} because of this."
    else:
        why = ", because the new region or account has other runtimes" if effect.is_other_account else ""
        yield f"The next sync would remove {effect.removed} of {effect.stored} stored resources{why}."
        yield from withdrawn_words(count_shown_agents(federation.pk, effect.removed_paths))
        yield from held_words(is_held=effect.is_held, may_be_replaced=effect.is_other_account)


def _schedule_changes(federation: Federation, typed: Mapping[str, Any]) -> Iterator[FieldChange]:
    old, new = schedule_of(federation), typed["schedule"]
    if old != new:
        if not new:
            follows = "The schedule ends: the hub syncs only when staff or a program asks."
        elif not old:
            follows = f"A schedule begins: the hub syncs {schedule_words(new)}, and by itself."
        else:
            follows = f"The hub syncs {schedule_words(new)} instead of {schedule_words(old)}."
        yield FieldChange("Schedule", schedule_words(old), schedule_words(new), (follows,))
    policy = ChangePolicy(typed["change_policy"])
    if federation.change_policy != policy:
        before = ChangePolicy(federation.change_policy).label
        yield FieldChange("Change policy", before, policy.label, (POLICY_FOLLOWS[policy],))


POLICY_FOLLOWS = {
    ChangePolicy.FLOW: "Each sync applies breaking and risky changes at once; staff no longer look at them first.",
    ChangePolicy.REVIEW: (
        "A sync with a breaking or risky change is held as a whole, and its plan waits until staff apply or dismiss it."
    ),
}


def filter_text(config: JsonObject) -> str:
    """Return the tag filter of a configuration as `env:production, team:platform`."""
    pairs = config.get("resourceTagsFilter")
    if not isinstance(pairs, dict) or not pairs:
        return "none: every runtime"
    return ", ".join(f"{key}:{value}" for key, value in sorted(pairs.items()))


def names_text(config: JsonObject) -> str:
    """Return the patterns of a configuration as a list."""
    names = config.get("names")
    return ", ".join(map(str, names)) if isinstance(names, list) and names else "every name"


def _text(config: JsonObject, key: str) -> str:
    return str(config.get(key) or NONE)


def _list(words: Iterable[str]) -> str:
    return ", ".join(f"the tag {word}" for word in words)
