"""What staff do about federation logs: acknowledge a peer's fork, and begin another log after a restore."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from peers.models import FederationLog, JournalEntry, JournalKind, Peer
from peers.protocol.federation_log import GENESIS, Checkpoint
from peers.services.trust.log_checkpoints import record_checkpoint
from peers.services.trust.log_sealing import seal_log
from tests.app.peers.staff.conftest import KEY
from tests.app.peers.staff.pages import CONFIRMED, text_of, url

BUTTON = "Acknowledge the log"
JOURNAL, START = reverse("admin:peers_journalentry_changelist"), reverse("admin:peers_journalentry_start_log")


def test_a_fork_of_a_peer_s_log_is_acknowledged_with_a_reason(admin: Client, approved: Peer) -> None:
    assert BUTTON not in text_of(admin, url(approved))
    for digest in ("a", "b"):
        made = Checkpoint("ab" * 16, approved.did, 1, 5, digest * 64, "2026-01-01T00:00:00.000Z", "", GENESIS).signed(
            KEY
        )
        record_checkpoint(approved, made, now=timezone.now())
    assert BUTTON in text_of(admin, url(approved))
    action = url(approved, "acknowledge_log")
    assert "This field is required" in admin.post(action, CONFIRMED).content.decode()
    admin.post(action, {**CONFIRMED, "reason": "They restored a backup"})
    shown = text_of(admin, url(approved))
    assert BUTTON not in shown
    assert "They restored a backup" in shown
    assert JournalEntry.objects.get(kind=JournalKind.LOG).actor_name == "root"


def test_another_log_is_begun_from_the_journal_by_those_who_may(
    admin: Client, staff: Callable[..., Client], approved: Peer
) -> None:
    reader = staff("view_journalentry")
    assert "Begin another log" not in text_of(reader, JOURNAL)
    assert reader.post(START, {**CONFIRMED, "reason": "x"}).status_code == 403
    seal_log()
    before = FederationLog.objects.get().log_id
    assert "Begin another log" in text_of(admin, JOURNAL)
    admin.post(START, {**CONFIRMED, "reason": "Restored from the backup of Monday"})
    assert FederationLog.objects.get().log_id != before
    line = JournalEntry.objects.get(kind=JournalKind.LOG)
    assert (line.actor_name, line.position) == ("root", FederationLog.objects.get().position)
    assert "Restored from the backup of Monday" in text_of(admin, JOURNAL)
