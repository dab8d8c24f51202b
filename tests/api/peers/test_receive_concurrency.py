"""Many senders at once, with copies among their requests, and staff who suspend a peer meanwhile."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import connections

from peers.models import Intent, JournalEntry, OutboundCallback, Peer, ReceivedDispatch, SeenNonce
from peers.services.inbox.receive import store
from peers.services.trust.peers import suspend_peer
from tests.api.peers.partner import OPERATOR, Partner, body_of, everything_stored, send

pytestmark = pytest.mark.django_db(transaction=True)
SENDERS = 50
ENVELOPES = 100
Request = tuple[bytes, dict[str, str]]


def at_once(calls: Sequence[Callable[[], Any]], *, threads: int) -> list[Any]:
    """Make the calls in threads that start together; each thread closes its connections."""
    start = threading.Barrier(min(threads, len(calls)))
    ready = threading.local()

    def run(call: Callable[[], Any]) -> Any:
        if not getattr(ready, "done", False):
            ready.done = True
            start.wait(timeout=30)
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, calls))


def requests(partner: Partner, number: int) -> list[Request]:
    """Sign envelopes, half of them with an idempotency key; each asks for callbacks."""
    found = []
    for index in range(number):
        key = {"idempotency_key": f"key-{index}"} if index % 2 else {}
        body = body_of(partner.signed(callback_url=f"{partner.url}/cb", **key))
        found.append((body, partner.headers(body)))
    return found


def test_requests_of_fifty_senders_with_copies_are_each_stored_exactly_once(alpha: Partner, alpha_peer: Peer) -> None:
    originals = requests(alpha, ENVELOPES)
    # A retry carries the same envelope under a fresh signature; a captured request is a copy to the byte.
    retries = [(body, alpha.headers(body)) for body, _ in originals]
    copies = originals[: ENVELOPES // 2]
    traffic = [*originals, *retries, *copies]
    random.Random(7).shuffle(traffic)

    answers = at_once([partial(send, *item) for item in traffic], threads=SENDERS)

    statuses = Counter(answer.status_code for answer in answers)
    assert statuses == {200: 2 * ENVELOPES, 401: len(copies)}
    ids: dict[str, set[str]] = {}
    for answer in answers:
        if answer.status_code == 200:
            ids.setdefault(answer.json()["dispatch_id"], set()).add(answer.json()["local_intent_id"])
    firsts = Counter(answer.json()["message"] for answer in answers if answer.status_code == 200)
    assert len(ids) == ENVELOPES
    assert all(len(found) == 1 for found in ids.values())
    assert firsts == {
        "Intent received and accepted for processing": ENVELOPES,
        "Already processed (idempotent)": ENVELOPES,
    }
    assert set(Intent.objects.values_list("pk", flat=True)) == set().union(*ids.values())
    assert ReceivedDispatch.objects.count() == OutboundCallback.objects.count() == ENVELOPES
    assert JournalEntry.objects.filter(kind="receive").count() == ENVELOPES
    assert SeenNonce.objects.count() == 2 * ENVELOPES


def test_one_key_with_two_bodies_at_once_lets_one_in(alpha: Partner, alpha_peer: Peer) -> None:
    for index in range(10):
        rivals = [
            body_of(alpha.signed(idempotency_key=f"key-{index}", intent_title=f"Task {rival}")) for rival in range(4)
        ]
        calls = [partial(send, body, alpha.headers(body)) for body in rivals]

        statuses = Counter(answer.status_code for answer in at_once(calls, threads=4))

        assert statuses == {200: 1, 409: 3}
        assert ReceivedDispatch.objects.filter(peer=alpha_peer, idempotency_key=f"key-{index}").count() == 1


def test_a_suspension_in_the_middle_lets_nothing_in_after_it(alpha: Partner, alpha_peer: Peer) -> None:
    traffic = requests(alpha, 120)
    suspended = threading.Event()
    late: list[int] = []
    stored_then: list[int] = []

    def deliver_one(item: Request) -> int:
        is_late = suspended.is_set()
        status = send(*item).status_code
        if is_late:
            late.append(status)
        return int(status)

    def suspend() -> int:
        while ReceivedDispatch.objects.count() < 10:
            pass
        suspend_peer(alpha_peer, reason="Incident", by=OPERATOR)
        suspended.set()
        stored_then.append(ReceivedDispatch.objects.count())
        return 0

    calls: list[Callable[[], int]] = [suspend, *(partial(deliver_one, item) for item in traffic)]
    statuses = Counter(at_once(calls, threads=8))

    assert set(late) <= {403}
    assert late, "no request came after the suspension"
    # Each accepted request had committed before the suspension did, and the suspension let no other in.
    assert ReceivedDispatch.objects.count() == stored_then[0] == statuses[200]
    assert statuses[200] + statuses[403] == len(traffic)
    assert OutboundCallback.objects.filter(due_at__isnull=False).count() == 0


def test_a_peer_suspended_between_its_proof_and_the_transaction_is_refused(
    alpha: Partner, alpha_peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = store.check_fresh
    before: list[dict[str, list[dict[str, Any]]]] = []

    def check_then_suspend(*args: Any) -> None:
        checked(*args)
        suspend_peer(Peer.objects.get(pk=alpha_peer.pk), reason="Incident", by=OPERATOR)
        before.append(everything_stored())

    monkeypatch.setattr(store, "check_fresh", check_then_suspend)
    body = body_of(alpha.signed())

    assert send(body, alpha.headers(body)).status_code == 403
    assert everything_stored() == before[0]
