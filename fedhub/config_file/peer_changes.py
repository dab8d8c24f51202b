"""The change that brings a peer in step with the file: the way between its states, and the keys that are accepted.

Staff trust a peer by a fingerprint that they compared. So the file approves a peer only by a fingerprint that stands in
it, and `peers` finds this key in the peer's own documents before it writes the approval.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from typing import Any

from fedhub.config_file.plan import (
    CREATE,
    DELETE,
    UNCHANGED,
    UPDATE,
    Change,
    FieldChange,
    Key,
    Observed,
    Wanted,
    field_changes,
    settled,
)
from peers.models import PeerState
from peers.services.trust.peers import TRANSITIONS

SECTION = "peers"
PROPOSED, APPROVED = PeerState.PROPOSED.value, PeerState.APPROVED.value
APPROVAL = (PROPOSED, APPROVED)
_TRUSTED = (APPROVED, PeerState.SUSPENDED.value)
_NO_FINGERPRINT = "stays {state}: a peer is approved only by a fingerprint in the file, or by staff"
_BAD_KEYS = {
    "revoked": "staff revoked this key",
    "withdrawn": "the peer withdrew this key",
    "ended": "a newer key has replaced this key",
}


def steps(source: str, target: str) -> list[tuple[str, str]]:
    """Return the shortest way from one state to another, as pairs of states."""
    ways: dict[str, list[tuple[str, str]]] = {source: []}
    queue = deque([source])
    while queue and target not in ways:
        state = queue.popleft()
        for following in sorted(TRANSITIONS[PeerState(state)]):
            if following.value not in ways:
                ways[following.value] = [*ways[state], (state, following.value)]
                queue.append(following.value)
    return ways.get(target, [])


def change_of_peer(wanted: Wanted, observed: Observed | None, *, prune: bool) -> Change:
    """Return the change of one peer. What needs a decision of staff is `held` and not among the fields."""
    current = str(observed.values["state"]) if observed else ""
    if observed is None and wanted.values.get("state") == PeerState.RETIRED:
        return Change(SECTION, wanted.key, UNCHANGED)
    listed = wanted.values.get("fingerprints")
    usable, held = _usable(listed or (), observed)
    state, reason = _wanted_state(wanted.values.get("state"), current or PROPOSED, listed, usable)
    held += [reason] if reason else []
    others = {name: value for name, value in wanted.values.items() if name not in ("state", "fingerprints")}
    fields = list(field_changes(others, observed, prune=prune))
    fields += [FieldChange("state", current or None, state)] if state != current else []
    if listed is not None and state in _TRUSTED:
        keys, more_held = _keys(current or PROPOSED, state, usable, observed, prune=prune)
        fields += keys
        held += more_held
    action = CREATE if observed is None else UPDATE if fields else UNCHANGED
    return settled(Change(SECTION, wanted.key, action, tuple(fields), tuple(held)))


def _usable(listed: Collection[str], observed: Observed | None) -> tuple[list[str], list[str]]:
    """Return the listed fingerprints that can be accepted, and a sentence for each other one."""
    known: Mapping[str, str] = observed.facts["keys"] if observed else {}
    usable = [each for each in listed if known.get(each) not in _BAD_KEYS]
    held = [f"key {each[:9]}…: {_BAD_KEYS[known[each]]}" for each in listed if each not in usable]
    return usable, held


def _wanted_state(
    wanted: str | None, current: str, listed: Collection[str] | None, usable: Collection[str]
) -> tuple[str, str]:
    """Return the state that the peer gets, and why this is not the wanted one."""
    if wanted is None:
        wanted = APPROVED if listed and current == PROPOSED else current
    if APPROVAL in steps(current, wanted) and not usable:
        return current, _NO_FINGERPRINT.format(state=current)
    return wanted, ""


def _keys(
    current: str, state: str, usable: list[str], observed: Observed | None, *, prune: bool
) -> tuple[list[FieldChange], list[str]]:
    """Return the change of the accepted keys, and what is held of it."""
    before: list[str] = list(observed.values["fingerprints"]) if observed else []
    way = steps(current, state)
    if APPROVAL in way:
        # An approval begins anew: no older key is trusted beside those of the file.
        return [FieldChange("fingerprints", before or None, sorted(usable))], []
    added = set(usable) - set(before)
    held = []
    if added and APPROVED not in (current, state):
        held, added = ["new keys are accepted only while the peer is approved"], set()
    kept = set(before) & set(usable) if prune else set(before)
    after = sorted(kept | added)
    return ([FieldChange("fingerprints", before, after)] if after != before else []), held


def deletion_of(key: Key, observed: Observed) -> Change | None:
    """Return the change that retires an approved or suspended peer, or rejects one that staff proposed.

    A proposal of an unknown sender waits for staff. A rejected or retired peer is left as it is.
    """
    target = {
        **dict.fromkeys(_TRUSTED, PeerState.RETIRED.value),
        **({} if observed.facts["is_from_stranger"] else {PROPOSED: PeerState.REJECTED.value}),
    }.get(str(observed.values["state"]))
    if target is None:
        return None
    return Change(SECTION, key, DELETE, (FieldChange("state", observed.values["state"], target),))


def new_keys(change: Change) -> list[str]:
    """Return the fingerprints that the change accepts, and that the peer must publish."""
    before: Any = () if change.after.get("state") and is_approval(change) else change.before.get("fingerprints") or ()
    return [each for each in change.after.get("fingerprints") or () if each not in before]


def is_approval(change: Change) -> bool:
    """Tell whether the change approves the peer anew."""
    return APPROVAL in steps(change.before.get("state") or PROPOSED, change.after.get("state") or PROPOSED)
