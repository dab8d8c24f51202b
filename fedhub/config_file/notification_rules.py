"""Notification rules: observe them, and write the changes of the file to them.

A rule is named by its name and, where it tells one person by mail, by that person. The rules of persons are their own
matter, so `--prune` leaves them alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.contrib.auth.models import Group, User

from core.errors import HubError, NotFoundError
from core.notifications.events import find_kind
from core.notifications.models import Rule, Target
from core.notifications.rules import pause_rule, resume_rule, set_secret
from core.notifications.webhooks import WEBHOOK_KEYS
from core.store.unit_of_work import locked
from federations.models import Federation
from fedhub.config_file.kinds import Kind, Write, Written
from fedhub.config_file.plan import DELETE, HELD, Change, FieldChange, Key, Observed, Secret
from peers.models import Peer

SECTION = "notification_rules"
_COLUMNS = {"url": "url", "events": "kinds", "minutes_between_digests": "digest_minutes"}


def observe(keys: Collection[Key] | None = None) -> dict[Key, Observed]:
    """Return the rules by name and person. Of several rules with one key `facts["ids"]` has all ids."""
    rows = Rule.objects.select_related("user", "group").order_by("created_at", "id")
    if keys is not None:
        rows = rows.filter(name__in=[name for name, _ in keys])
    found = list(rows)
    federations = _names(Federation, "display_name", (key for row in found for key in row.federations))
    peers = _names(Peer, "server_url", (key for row in found for key in row.peers))
    ids: dict[Key, list[str]] = {}
    for row in found:
        ids.setdefault(_key(row), []).append(row.pk)
    return {_key(row): _observed(row, ids[_key(row)], federations, peers) for row in found}


def _key(row: Rule) -> Key:
    return (row.name, row.user.get_username() if row.user else "")


def _names(model: Any, column: str, ids: Iterable[str]) -> Mapping[str, str]:
    return dict(model.objects.filter(pk__in=set(ids)).values_list("pk", column))


def _observed(row: Rule, ids: list[str], federations: Mapping[str, str], peers: Mapping[str, str]) -> Observed:
    values = {
        "group": row.group.name if row.group else "",
        "url": row.url,
        "events": sorted(key for key in row.kinds if find_kind(key)),
        "federations": _told_of(row.federations, federations),
        "peers": _told_of(row.peers, peers),
        "minutes_between_digests": row.digest_minutes,
        "paused": row.paused_at is not None,
        "secret": _secret(row),
    }
    return Observed(values, {"ids": ids})


def _told_of(ids: Iterable[str], names: Mapping[str, str]) -> list[str]:
    """Return the names of what a rule names; if all of it is deleted, `#ID`, since an empty list would mean all."""
    known = {names[key] for key in ids if key in names}
    return sorted(known or {f"#{key}" for key in ids})


def _secret(row: Rule) -> Secret | None:
    if not row.secret or row.target != Target.WEBHOOK:
        return None
    try:
        return Secret(WEBHOOK_KEYS.decrypt(row.secret))
    except HubError:
        # It was encrypted with a key that this hub does not have any more.
        return Secret("")


def lock(key: Key) -> None:
    """Lock the rules of this name."""
    list(locked(Rule.objects.filter(name=key[0])))


def deletion_of(key: Key, observed: Observed) -> Change | None:
    """Return the change that deletes the rule of a group or of a webhook; a shared name is held."""
    if key[1]:
        return None
    if len(observed.facts["ids"]) > 1:
        return Change(SECTION, key, HELD, (), (f"{len(observed.facts['ids'])} rules have this name",))
    receiver = "group" if observed.values["group"] else "url"
    return Change(SECTION, key, DELETE, (FieldChange(receiver, observed.values[receiver], None),))


def write(task: Write) -> Written:
    """Write one change of a rule, in its transaction."""
    change, new = task.change, task.change.after
    name, person = change.key
    if task.old is None:
        row = Rule(name=name, created_by_name=task.by.name)
    else:
        row = Rule.objects.get(pk=task.old.facts["ids"][0])
    if change.action == DELETE:
        row.delete()
        return Written()
    _set_receiver(row, person, new)
    for field, column in _COLUMNS.items():
        if field in new:
            setattr(row, column, new[field])
    if "federations" in new:
        row.federations = _ids(Federation, "display_name", new["federations"])
    if "peers" in new:
        row.peers = _ids(Peer, "server_url", new["peers"])
    row.save()
    if "secret" in new:
        set_secret(row, new["secret"].reveal() if new["secret"] else "")
    if "paused" in new:
        (pause_rule if new["paused"] else resume_rule)(row)
    return Written()


def _set_receiver(row: Rule, person: str, new: Mapping[str, Any]) -> None:
    if person:
        row.target, row.user = Target.PERSON, User.objects.filter(username=person).first()
        if row.user is None:
            raise NotFoundError(f"There is no user named {person}")
    elif new.get("group"):
        row.target, row.group = Target.GROUP, Group.objects.filter(name=new["group"]).first()
        if row.group is None:
            raise NotFoundError(f"There is no group named {new['group']}")
        row.secret = row.previous_secret = ""
    elif new.get("url"):
        row.target, row.group = Target.WEBHOOK, None


def _ids(model: Any, column: str, names: Collection[str]) -> list[str]:
    """Return the ids of all rows with these names; raises NotFoundError, since an empty list would mean all."""
    found = dict(model.objects.filter(**{f"{column}__in": names}).values_list("pk", column))
    if missing := sorted(set(names) - set(found.values())):
        raise NotFoundError(f"The hub does not have {', '.join(missing)}")
    return sorted(found)


KIND = Kind(observe, lock, write, deletion_of)
