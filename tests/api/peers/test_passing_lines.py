"""Lines of the journal about refused messages and copies: which message, and never more lines than the bound."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from django.db import DatabaseError

from peers.models import JournalEntry, JournalKind, Peer
from peers.protocol import idempotency_digest
from peers.services.trust import passing_lines
from peers.services.trust.passing_lines import ALL_LINES, MOST_SOURCES, About, Cause, see, write_lines
from tests.api.peers.callbacks import callback, dispatch_to, report
from tests.api.peers.partner import Partner, body_of, deliver, send

pytestmark = pytest.mark.django_db
LIMIT = 10


def written() -> list[tuple[str, str, str, str]]:
    """Write the lines that wait, and return the kind, peer, dispatch and text of all lines of these kinds, sorted.

    The order in time says nothing: lines of one millisecond have none.
    """
    write_lines()
    rows = JournalEntry.objects.filter(kind__in=[JournalKind.REFUSED, JournalKind.COPY])
    return sorted(rows.values_list("kind", "peer_url", "dispatch_id", "text"))


def test_a_copy_and_each_refused_message_get_a_line(alpha: Partner, alpha_peer: Peer) -> None:
    envelope = alpha.signed()
    body = body_of(envelope)
    headers = alpha.headers(body)
    about = (alpha.url, envelope["dispatch_id"])
    assert send(body, headers).status_code == 200
    assert written() == []

    send(body, headers)  # The same nonce: the sender is proved.
    deliver(alpha, envelope)  # A new nonce: a copy.
    send(body.replace(b"Research", b"Resaerch"), headers)
    foreign = Partner(alpha.url, b"x" * 32)
    deliver(foreign, foreign.sign(envelope))
    send(body.replace(b"https", b"httqs"), headers)
    send(b"{", headers)
    unproven = "the sender is not proved; from 127.0.0.1"
    assert written() == sorted(
        [
            ("refused", *about, "Refused: NonceReplayedError"),
            ("copy", *about, "A copy came, and got the stored answer again"),
            ("refused", *about, f"Refused: DigestMismatch; {unproven}"),
            ("refused", *about, f"Refused: SignatureMismatch; {unproven}"),
            ("refused", "", envelope["dispatch_id"], f"Refused: InvalidIdentifier; {unproven}"),
            ("refused", "", "", f"Refused: MalformedJson; {unproven}"),
        ]
    )
    digests = JournalEntry.objects.filter(kind="refused").order_by("text").values_list("digest", flat=True)
    own = idempotency_digest(envelope)
    # In the order of the words: digest, identifier, JSON, nonce, signature.
    assert [bool(digest) + (digest == own) for digest in digests] == [1, 1, 0, 2, 2]


def test_a_callback_names_its_peer_by_the_dispatch(alpha: Partner, alpha_peer: Peer) -> None:
    dispatch = dispatch_to(alpha)
    report(Partner(alpha.url, b"x" * 32), callback(dispatch.pk))
    message = callback(dispatch.pk, idempotency_key="one")
    for _ in range(2):
        assert report(alpha, message).status_code == 200
    assert [(kind, url, pk) for kind, url, pk, _ in written()] == [
        ("copy", alpha.url, dispatch.pk),
        ("refused", alpha.url, dispatch.pk),
    ]


def test_a_flood_costs_a_fixed_number_of_lines_and_no_message_is_left_out(settings: Any) -> None:
    settings.FEDHUB_REFUSAL_LINES = LIMIT
    chance = random.Random(1)
    reasons = ["SignatureMismatch", "DigestMismatch", "UnknownKey"]
    causes = [
        Cause(JournalKind.REFUSED, reason, f"203.0.113.{number}", is_proven=False)
        for reason in reasons
        for number in range(40)
    ]
    windows = 3
    for window in range(windows):
        for _ in range(5000):
            see(chance.choice(causes), About, now=1 + window * passing_lines.WINDOW_SECONDS + chance.random())
        write_lines(now=2 + window * passing_lines.WINDOW_SECONDS)
    write_lines(now=2 + windows * passing_lines.WINDOW_SECONDS)

    texts = list(JournalEntry.objects.values_list("text", flat=True))
    numbers = [int(found[1]) for text in texts if (found := re.search(r"Refused (\d+) further", text))]
    singles = len(texts) - len(numbers)
    assert singles == windows * ALL_LINES * LIMIT
    assert len(numbers) <= windows * (MOST_SOURCES + len(reasons))
    assert singles + sum(numbers) == windows * 5000


def test_lines_that_the_database_does_not_take_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    see(Cause(JournalKind.REFUSED, "UnknownKey", "203.0.113.1", is_proven=False), About)

    def fail(*_: object, **__: object) -> None:
        raise DatabaseError("locked")

    with monkeypatch.context() as patch:
        patch.setattr(type(JournalEntry.objects.all()), "bulk_create", fail)
        assert write_lines() == 0
    assert (write_lines(), write_lines()) == (1, 0)
