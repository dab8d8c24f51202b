"""Verify a federation log of 1,000,000 entries on SQLite, and find 10,000 random tamperings of a sealed log.

The entries are written in bulk, already chained. The verification reads them as `manage.py verify_log` does, against a
checkpoint that a peer holds. The sealer seals further 20,000 lines, so that its rate is known too. The ideals are that
every tampering is found, and that the verification takes less than a minute.

Run it from the root of the checkout: `python -m benchmarks.log [ENTRIES]`.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
import time
from typing import Any

from benchmarks.measure import peak_memory_mb, save_results
from tests.log_tampering import TAMPERINGS, checkpoint_after, entry, unfound

ENTRIES, TAMPERED, TO_SEAL = 1_000_000, 10_000, 20_000
TOGETHER = 1000
AIM_SECONDS = 60.0


def main() -> int:
    """Run both parts, print the figures, and return 1 unless every tampering was found and the log was verified."""
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
    results: dict[str, Any] = {"entries": entries, **_tamper()}
    with tempfile.TemporaryDirectory(prefix="fedhub-bench-") as folder:
        os.environ |= {"FEDHUB_VAR_DIR": folder, "DJANGO_SETTINGS_MODULE": "fedhub.settings", "LOG_LEVEL": "WARNING"}
        # While DEBUG is on, Django keeps the last 9,000 statements in memory.
        os.environ |= {"DEBUG": "false", "SECRET_KEY": secrets.token_hex(32)}
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        results |= _seal()
        _store(entries)
        results |= _verify()
    print(
        f"tamperings found        {results['found']:,} of {results['tampered']:,} "
        f"in {results['tamper_seconds']:.1f} s\n"
        f"sealed                  {results['sealed_per_second']:,.0f} lines a second\n"
        f"verified                {entries:,} entries in {results['verify_seconds']:.1f} s "
        f"({entries / results['verify_seconds']:,.0f} a second; ideal: under {AIM_SECONDS:.0f} s), "
        f"of which {results['verify_cpu_seconds']:.1f} s processor time at a load of {results['machine_load']:.1f}\n"
        f"peak memory             {results['peak_memory_mb']:.0f} MB"
    )
    print(f"raw results: {save_results('log', results)}")
    return 0 if results["found"] == results["tampered"] else 1


def _tamper() -> dict[str, Any]:
    started = time.perf_counter()
    missed = unfound(TAMPERED, seed=20_261_129)
    for each in missed[:10]:
        print(f"not found: {each}")
    return {
        "tampered": TAMPERED,
        "kinds": len(TAMPERINGS),
        "found": TAMPERED - len(missed),
        "tamper_seconds": time.perf_counter() - started,
    }


def _seal() -> dict[str, Any]:
    """Seal lines as the sealer does, then empty the log again for the entries that are written in bulk."""
    from peers.models import FederationLog, JournalEntry, LogBatch
    from peers.services.trust.log_sealing import seal_log

    JournalEntry.objects.bulk_create((JournalEntry(kind="peer", text=entry(n).text) for n in range(TO_SEAL)), 1000)
    started, sealed = time.perf_counter(), 0
    while count := seal_log():
        sealed += count
    seconds = time.perf_counter() - started
    for model in (JournalEntry, LogBatch, FederationLog):
        model._base_manager.all()._raw_delete("default")
    return {"sealed": sealed, "sealed_per_second": sealed / seconds}


def _store(count: int) -> None:
    """Write a log of `count` entries, chained and signed by this hub's key."""
    from datetime import UTC, datetime

    from peers.models import FederationLog, JournalEntry, LogBatch
    from peers.protocol.federation_log import GENESIS
    from peers.services.trust.identity import hub_identity
    from peers.services.trust.log_sealing import entry_of

    key = hub_identity().signing_key()
    last_hash, before, lines, batches = GENESIS, None, [], []
    at = datetime(2026, 11, 29, tzinfo=UTC)
    for position in range(1, count + 1):
        made = entry(position)
        line = JournalEntry(
            id=made.id,
            at=at,
            kind=made.kind,
            peer_url=made.peer,
            dispatch_id=made.dispatch,
            actor_name=made.actor,
            text=made.text,
            digest=made.digest,
            position=position,
        )
        line.hash = last_hash = entry_of(line).hash(position=position, previous=last_hash)
        lines.append(line)
        if position % TOGETHER == 0 or position == count:
            first = before.position + 1 if before else 1
            before = checkpoint_after(before, position, last_hash, key=key)
            batches.append(LogBatch.of_checkpoint(before, first_position=first))
            JournalEntry.objects.bulk_create(lines)
            lines.clear()
    LogBatch.objects.bulk_create(batches, 500)
    FederationLog.objects.create(log_id=batches[0].log_id, position=count, hash=last_hash)


def _verify() -> dict[str, Any]:
    from peers.models import LogBatch
    from peers.protocol.log_verification import Held
    from peers.services.trust.log_reading import verify_own_log

    newest = LogBatch.objects.order_by("-number")[:1].get()
    before_mb = peak_memory_mb()
    started, cpu = time.perf_counter(), time.process_time()
    verify_own_log(held=[Held(newest.checkpoint, "a peer")])
    seconds = time.perf_counter() - started
    return {
        "verify_seconds": seconds,
        "verify_cpu_seconds": time.process_time() - cpu,
        "machine_load": os.getloadavg()[0],
        "peak_memory_mb": peak_memory_mb(),
        "memory_of_verification_mb": peak_memory_mb() - before_mb,
    }


if __name__ == "__main__":
    sys.exit(main())
