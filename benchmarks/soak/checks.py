"""The comparisons at the end of a soak: each gets records and yields one sentence for each violation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from benchmarks.soak.records import Asked, Content, Evidence, Outage, Run, Sent, Sync, Waiting

DONE_STATES = ("completed", "failed")


def find_violations(evidence: Evidence, *, interval: float, grace: float) -> dict[str, list[str]]:
    """Return the violations by the name of the check."""
    federations = evidence.federations.values()
    window = (evidence.began, evidence.ended)
    return {
        "overlapping syncs": list(overlapping_syncs(evidence.syncs)),
        "lost schedules": list(
            lost_schedules(evidence.syncs, federations, window, evidence.outages, longest_wait=interval + grace)
        ),
        "doubled schedules": list(doubled_schedules(evidence.syncs, window, evidence.outages, interval=interval)),
        "stuck rows": list(stuck_rows(evidence.waiting)),
        "differences from the sandbox": list(state_differences(evidence.stored, evidence.wanted)),
        "dispatches": list(dispatch_faults(evidence.sent, evidence.asked)),
        "runs": list(run_faults(evidence.runs, evidence.asked_runs)),
    }


# Syncs ----------------------------------------------------------------------------------------------------------------
def overlapping_syncs(syncs: Iterable[Sync]) -> Iterator[str]:
    """Yield each sync that began before the sync of the same federation before it had ended."""
    for federation, own in _by_federation(syncs).items():
        for before, after in pairwise(own):
            if before.finished is None or _start(after) < before.finished:
                yield f"federation {federation}: sync {after.id} began before the end of sync {before.id}"


def lost_schedules(
    syncs: Sequence[Sync],
    federations: Iterable[str],
    window: tuple[float, float],
    outages: Sequence[Outage],
    *,
    longest_wait: float,
) -> Iterator[str]:
    """Yield each time in `window` in which a federation waited for a sync longer than `longest_wait` seconds.

    A federation waits from the end of a sync to the start of the next one. The time of `outages` does not count.
    """
    for federation in federations:
        for wait in net_waits(syncs, (federation,), window, outages):
            if wait.seconds > longest_wait:
                since = wait.began - window[0]
                yield f"federation {federation} waited {wait.seconds:.1f} s for a sync, from second {since:.0f} on"


class Wait(NamedTuple):
    """A wait of a federation for a sync: its seconds without outages, and when it began, in seconds since 1970."""

    seconds: float
    began: float


def net_waits(
    syncs: Iterable[Sync], federations: Iterable[str], window: tuple[float, float], outages: Sequence[Outage]
) -> list[Wait]:
    """Return the waits of the federations for each sync in `window`."""
    began, ended = window
    own: dict[str, list[Sync]] = _by_federation(syncs)
    waits: list[Wait] = []
    for federation in federations:
        spans = [(_start(sync), ended if sync.finished is None else sync.finished) for sync in own.get(federation, ())]
        idle_since = began
        for start, end in [*spans, (ended, ended)]:
            until = min(start, ended)
            if until > idle_since:
                waits.append(Wait(until - idle_since - _covered(outages, idle_since, until), idle_since))
            idle_since = max(idle_since, end)
    return waits


def doubled_schedules(
    syncs: Iterable[Sync], window: tuple[float, float], outages: Sequence[Outage], *, interval: float
) -> Iterator[str]:
    """Yield each federation with more scheduled syncs in `window` than one for each interval.

    A run that an outage delayed is caught up once, so each outage allows one more.
    """
    began, ended = window
    allowed = int((ended - began) / interval) + 1 + len(outages)
    for federation, own in _by_federation(syncs).items():
        count = sum(sync.trigger == "schedule" and began <= _start(sync) <= ended for sync in own)
        if count > allowed:
            yield f"federation {federation} had {count} scheduled syncs, and its interval allows {allowed}"


def merge_outages(outages: Iterable[Outage]) -> list[tuple[float, float]]:
    """Return the times of the outages, joined where they overlap."""
    merged: list[tuple[float, float]] = []
    for began, ended in sorted((outage.began, outage.ended) for outage in outages):
        if merged and began <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(ended, merged[-1][1]))
        else:
            merged.append((began, ended))
    return merged


def _covered(outages: Iterable[Outage], began: float, ended: float) -> float:
    return sum(max(0.0, min(ended, last) - max(began, first)) for first, last in merge_outages(outages))


def _by_federation(syncs: Iterable[Sync]) -> dict[str, list[Sync]]:
    found: dict[str, list[Sync]] = defaultdict(list)
    for sync in sorted((sync for sync in syncs if sync.started is not None), key=_start):
        found[sync.federation].append(sync)
    return found


def _start(sync: Sync) -> float:
    return sync.started or 0.0


# Rows -----------------------------------------------------------------------------------------------------------------
def stuck_rows(waiting: Iterable[Waiting]) -> Iterator[str]:
    """Yield each row that has not ended, is still due, or holds a lease."""
    for row in waiting:
        reasons = [
            text
            for text, applies in (
                ("has not ended", not row.has_ended),
                ("is due", row.is_due),
                ("holds a lease", row.is_leased),
            )
            if applies
        ]
        if reasons:
            yield f"{row.kind} {row.id} ({row.state}) {' and '.join(reasons)}"


def state_differences(
    stored: Mapping[str, Mapping[str, Content]], wanted: Mapping[str, Mapping[str, Content]]
) -> Iterator[str]:
    """Yield each resource of the registry that differs from the runtime of the cloud, is missing, or is too many."""
    for account in sorted(stored.keys() | wanted.keys()):
        have, want = stored.get(account, {}), wanted.get(account, {})
        for arn in sorted(have.keys() | want.keys()):
            if have.get(arn) != want.get(arn):
                yield f"account {account}, {arn}: stored {have.get(arn)}, in the cloud {want.get(arn)}"


# Work -----------------------------------------------------------------------------------------------------------------
def dispatch_faults(sent: Iterable[Sent], asked: Asked) -> Iterator[str]:
    """Yield each dispatch that was answered and is not stored, was not received once, or did not end once."""
    rows = {row.id: row for row in sent}
    for missing in sorted(asked.answered - rows.keys()):
        yield f"dispatch {missing} was answered with success and is not stored"
    for row in rows.values():
        if row.status not in DONE_STATES or not row.has_finished or row.ends != 1 or row.receipts != 1:
            yield f"dispatch {row.id} is {row.status}, was received {row.receipts} times and ended {row.ends} times"


def run_faults(runs: Iterable[Run], asked: Asked) -> Iterator[str]:
    """Yield each run that was answered and is not stored, or that did not complete with one end."""
    rows = {row.id: row for row in runs}
    for missing in sorted(asked.answered - rows.keys()):
        yield f"run {missing} was answered with success and is not stored"
    for row in rows.values():
        if row.state != "completed" or row.ends != 1:
            yield f"run {row.id} is {row.state} with {row.ends} ends: {row.error}"
