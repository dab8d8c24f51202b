"""The composer: errors at the fields, the look at what is sent, the dispatch, and intents that may still change."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from peers.models import Dispatch, Intent, IntentStatus, Peer
from tests.app.peers.staff.conftest import KEY, URL, Partner
from tests.app.peers.staff.pages import text_of, url

pytestmark = pytest.mark.django_db
COMPOSER = reverse("admin:peers_intent_send_work")
LIST = reverse("admin:peers_intent_changelist")


def typed(peer: Peer, **changes: Any) -> dict[str, Any]:
    """Return what the form sends."""
    return {
        "key": str(uuid4()),
        "peer": peer.pk,
        "agent_id": "triage",
        "title": "Reconcile",
        "description": "March",
        "state": '{"month": 3}',
        "permissions": ["state.patch"],
        "max_delegation_depth": "0",
    } | changes


def test_work_is_composed_looked_at_and_dispatched_once(admin: Client, approved: Peer) -> None:
    form = typed(
        approved, max_llm_tokens="500", cost_ceiling_usd="1.5", ends_at="2100-01-02T03:04", asks_approval="on",
        other_permissions="ledger.read",
    )  # fmt: skip
    look = admin.post(COMPOSER, form | {"step": ""}).content.decode()
    assert (Dispatch.objects.count(), Intent.objects.count()) == (0, 0)
    for shown in ("500 tokens", "1.5 USD", "ledger.read", "2100-01-02", form["key"], "As JSON", "no list of the peer"):
        assert shown in look, shown

    pages = [admin.post(COMPOSER, form | {"step": "send"}, follow=True) for _ in range(2)]
    sent, intent = Dispatch.objects.get(), Intent.objects.get()
    assert {page.redirect_chain[-1][0] for page in pages} == {url(sent)}
    assert (sent.pk, sent.intent_id, sent.peer_id, sent.agent_id) == (form["key"], intent.pk, approved.pk, "triage")
    assert (intent.title, intent.state, intent.created_by_name) == ("Reconcile", {"month": 3}, "root")
    assert sent.scope["permissions"] == ["ledger.read", "state.patch"]
    policy = json.loads(sent.envelope)["federation_policy"]
    assert policy["budget"] == {"cost_ceiling_usd": 1.5, "max_llm_tokens": 500}
    assert policy["governance"] == {"require_approval": True}


def test_errors_stand_at_the_fields_and_nothing_typed_is_lost(admin: Client, proposed: Peer) -> None:
    wrong = typed(proposed, title="", max_llm_tokens="0", other_permissions="*", ends_at="2001-01-01T00:00")
    answer = admin.post(COMPOSER, wrong | {"step": "send"})
    errors = answer.context["form"].errors
    assert set(errors) == {"peer", "title", "max_llm_tokens", "other_permissions", "ends_at"}
    page = answer.content.decode()
    assert all(f'value="{kept}"' in page for kept in ("triage", "0", "*", "2001-01-01T00:00")) and "March" in page
    assert "Approve one first" in page
    Peer.objects.update(state="approved")
    assert "Approve one first" not in text_of(admin, COMPOSER)
    # From the look at what is sent back to the form.
    back = admin.post(COMPOSER, typed(proposed) | {"step": "edit"}).content.decode()
    assert "March" in back and "Look at what is sent" in back
    assert Dispatch.objects.count() == 0


def test_the_composer_offers_the_agents_of_a_peer_and_warns_of_another_id(admin: Client, partner: Partner) -> None:
    peer = partner.approved(KEY)
    listed = [
        {"agent_id": "triage", "server_url": partner.url, "name": "Fraud triage", "capabilities": ["Sort alerts"]},
        {"agent_id": "<b>", "server_url": partner.url, "capabilities": ["x"]}, {"agent_id": 5},
    ]  # fmt: skip
    partner.server.expect_request("/api/v1/federation/agents").respond_with_json({"agents": listed})
    agents = reverse("admin:peers_intent_agents")
    assert "The hub asks" in text_of(admin, f"{agents}?peer={peer.pk}")
    assert "Fraud triage" in admin.post(agents, {"peer": peer.pk}).content.decode()
    offered = text_of(admin, f"{agents}?peer={peer.pk}")
    assert "2 agents" in offered and "Fraud triage" in offered and "Sort alerts" in offered
    assert "&lt;b&gt;" in offered and "<b>" not in offered
    assert "has no agent" not in admin.post(COMPOSER, typed(peer)).content.decode()
    assert "list has no agent trage" in admin.post(COMPOSER, typed(peer, agent_id="trage")).content.decode()
    partner.server.clear()
    # The list that the peer gave last stays, with what went wrong.
    again = admin.post(agents, {"peer": peer.pk}).content.decode()
    assert "Fraud triage" in again and "500" in again


def test_an_intent_changes_until_its_first_dispatch_and_is_copied_after_it(admin: Client, approved: Peer) -> None:
    intent = Intent.objects.create(title="Reconcile", state={"month": 3})
    admin.post(url(intent), {"title": "Reconcile all", "description": "x", "state": '{"month": 4}', "constraints": ""})
    intent.refresh_from_db()
    assert (intent.title, intent.state) == ("Reconcile all", {"month": 4})

    # The composer changes it too, before it signs it.
    page = url(intent, "dispatch_on")
    admin.post(page, typed(approved, title="Reconcile March", state="") | {"step": "send"})
    intent.refresh_from_db()
    assert (intent.title, intent.state) == ("Reconcile March", {})
    assert admin.post(url(intent), {"title": "Other"}).status_code == 403
    fixed = admin.post(page, typed(approved, title="Other") | {"step": "send"})
    assert fixed.status_code == 302 and set(Dispatch.objects.values_list("intent_title", flat=True)) == {
        "Reconcile March"
    }
    copied = admin.get(admin.get(url(intent, "copy_as_new")).headers["location"]).content.decode()
    assert 'value="Reconcile March"' in copied


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ((), IntentStatus.ACTIVE),
        (("pending", "failed"), IntentStatus.ACTIVE),
        (("failed", "rejected"), IntentStatus.FAILED),
        (("failed", "completed", "accepted"), IntentStatus.COMPLETED),
    ],
)
def test_the_status_of_an_intent_follows_from_its_dispatches(
    admin: Client, states: tuple[str, ...], status: IntentStatus
) -> None:
    intent = Intent.objects.create(title="Reconcile")
    for state in states:
        Dispatch.objects.create(
            id=state, intent_id=intent.pk, intent_title="x", target_server=URL, envelope="{}", status=state,
            state={"answer": "Both agree."},
        )  # fmt: skip
    for tab in IntentStatus:
        rows = admin.get(f"{LIST}?tab={tab.value}").context["cl"].result_list
        assert [row.status for row in rows] == ([status] if tab == status else []), tab
    page = text_of(admin, url(intent))
    assert status.label in page and ("Both agree." in page) is (status == IntentStatus.COMPLETED)
    file = b"".join(admin.get(reverse("admin:peers_intent_export_changelist")).streaming_content).decode()  # type: ignore[attr-defined]
    assert status.value in file


def test_the_composer_is_for_people_who_may_dispatch(staff: Callable[..., Client], approved: Peer) -> None:
    client = staff("view_intent", "add_intent", "view_peer")
    assert client.get(COMPOSER).status_code == 403
    assert client.get(reverse("admin:peers_intent_agents")).status_code == 403
    assert COMPOSER not in text_of(client, LIST) and "Send work" not in text_of(client, url(approved))
