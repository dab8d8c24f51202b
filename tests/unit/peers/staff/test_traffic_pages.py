from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from peers.models import (
    Dispatch,
    Intent,
    OutboundCallback,
    Peer,
)
from tests.unit.peers.staff.conftest import URL
from tests.unit.peers.staff.pages import (
    CONFIRMED,
    hostile_rows,
    url,
)

pytestmark = pytest.mark.django_db


def test_an_intent_is_described_and_dispatched_to_an_approved_peer(admin: Client, approved: Peer) -> None:
    admin.post(
        reverse("admin:peers_intent_add"),
        {"title": "Reconcile", "description": "March", "state": '{"month": 3}', "constraints": ""},
    )
    intent = Intent.objects.get()
    assert (intent.state, intent.created_by_name) == ({"month": 3}, "root")

    form = {"peer": approved.pk, "agent_id": "triage", "permissions": "state.patch", "max_delegation_depth": "0"}
    admin.post(url(intent, "dispatch_on"), form)

    sent = Dispatch.objects.get()
    assert (sent.peer_id, sent.target_server, sent.agent_id) == (approved.pk, URL, "triage")
    assert (sent.intent_id, sent.scope["permissions"], sent.created_by_name) == (intent.pk, ["state.patch"], "root")


def test_a_dispatch_names_its_permissions_and_an_approved_peer(admin: Client, proposed: Peer) -> None:
    intent = Intent.objects.create(title="Reconcile")
    form = {"peer": proposed.pk, "permissions": "state.patch", "max_delegation_depth": "0"}

    assert admin.post(url(intent, "dispatch_on"), form).context["form"].errors
    Peer.objects.update(state="approved")
    assert admin.post(url(intent, "dispatch_on"), form | {"permissions": "*"}).context["form"].errors
    assert Dispatch.objects.count() == 0


@pytest.mark.parametrize("state", ["[]", "{", '{"a": NaN}', '{"a": 1, "a": 2}'])
def test_a_state_that_is_no_object_is_refused(admin: Client, state: str) -> None:
    response = admin.post(reverse("admin:peers_intent_add"), {"title": "x", "state": state})

    assert "Write a JSON object" in response.content.decode()
    assert Intent.objects.count() == 0


def test_a_dead_letter_is_tried_again_from_its_page_and_from_the_list(admin: Client) -> None:
    hostile_rows()
    dispatch = Dispatch.objects.get()

    admin.post(url(dispatch, "retry"), CONFIRMED)
    dispatch.refresh_from_db()
    assert (dispatch.dead_at, dispatch.attempts) == (None, 0)
    assert dispatch.due_at is not None

    OutboundCallback.objects.update(dead_at=timezone.now())
    owed = OutboundCallback.objects.get()
    admin.post(
        reverse("admin:peers_outboundcallback_changelist"), {"action": "retry_selected", "_selected_action": [owed.pk]}
    )
    owed.refresh_from_db()
    assert owed.dead_at is None
