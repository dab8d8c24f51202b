"""For how long a dispatch is tried, and when its envelope is signed again."""

from __future__ import annotations

import json
import time
from datetime import timedelta

from django.conf import LazySettings
from django.utils import timezone

from peers.models import Dispatch
from peers.protocol import verify_envelope
from peers.services.outbox.backoff import MAX_ATTEMPTS
from peers.services.outbox.dead_letters import retry_dead
from peers.services.outbox.delivery import deliver_dispatch
from peers.services.trust.identity import hub_identity
from peers.services.trust.peers import resume_peer, suspend_peer
from tests.app.peers.outbox.conftest import STAFF, Partner, fresh, json_of, make_due


def again(dispatch: Dispatch) -> Dispatch:
    """End the pause, try once more, and return the row."""
    make_due(dispatch)
    deliver_dispatch(dispatch.pk)
    found: Dispatch = fresh(dispatch)
    return found


def test_an_envelope_that_waited_for_long_is_signed_again(partner: Partner) -> None:
    dispatch = partner.dispatch()
    old = json.loads(dispatch.envelope) | {"created_at": (timezone.now() - timedelta(days=3)).isoformat()}
    Dispatch.objects.update(envelope=json.dumps(old))
    assert again(dispatch).status == "accepted"
    sent = json_of(partner.requests[0])
    verify_envelope(
        sent, keys=hub_identity().verification_keys, target_server=partner.url, now=time.time(), max_age_seconds=60
    )
    lasting = {name: value for name, value in sent.items() if name not in ("created_at", "signature")}
    assert lasting == {name: value for name, value in old.items() if name not in ("created_at", "signature")}


def test_an_envelope_that_was_sent_is_never_signed_again_and_given_up_when_it_is_stale(
    partner: Partner, settings: LazySettings
) -> None:
    partner.answer(503)
    partner.answer(503)
    dispatch = partner.dispatch()
    again(dispatch)
    for hours in (12, 25):
        Dispatch.objects.update(tried_since=timezone.now() - timedelta(hours=hours))
        row = again(dispatch)
    assert [request.get_data() for request in partner.requests] == [dispatch.envelope.encode()] * 2
    assert (row.status, row.due_at, row.attempts) == ("pending", None, 2)
    assert row.dead_at is not None
    assert (
        row.reason
        == "not delivered within 23 hours, and the peer would refuse it as stale now; the last attempt: HTTP 503: {}"
    )

    retry_dead(row, by=STAFF)
    assert again(dispatch).status == "accepted"


def test_a_dispatch_that_no_worker_took_in_time_has_all_its_attempts(partner: Partner) -> None:
    dispatch = partner.dispatch()
    long_ago = timezone.now() - timedelta(days=3)
    old = json.loads(dispatch.envelope) | {"created_at": long_ago.isoformat()}
    Dispatch.objects.update(envelope=json.dumps(old), tried_since=long_ago)
    partner.answer(503)
    assert again(dispatch).dead_at is None
    assert again(dispatch).status == "accepted"
    assert partner.requests[0].get_data() == partner.requests[1].get_data()


def test_the_time_that_a_dispatch_was_held_does_not_shorten_its_horizon(partner: Partner) -> None:
    partner.answer(503)
    dispatch = partner.dispatch()
    again(dispatch)
    suspend_peer(partner.peer, reason="incident", by=STAFF)
    Dispatch.objects.update(tried_since=timezone.now() - timedelta(days=3))
    resume_peer(partner.peer, by=STAFF)
    assert again(dispatch).status == "accepted"


def test_a_dispatch_whose_attempts_never_ended_is_sent_once_more_before_it_is_given_up(partner: Partner) -> None:
    dispatch = partner.dispatch()
    Dispatch.objects.update(attempts=MAX_ATTEMPTS + 5)
    partner.answer(503)
    row = again(dispatch)
    assert (row.dead_at is None, row.due_at, len(partner.requests)) == (False, None, 1)
    assert row.last_error == "HTTP 503: {}"
