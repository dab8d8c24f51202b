"""Rows of every kind, and the addresses of every page that shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from auditlog.models import LogEntry
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.urls import resolve, reverse
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from oauth2_provider.models import get_access_token_model, get_application_model

from core.activity.recording import record
from core.actors import Actor
from core.notifications.models import Attempt, Delivery, Event, Item, Rule
from core.retention.models import KindCount, PruneTurn
from core.retention.sizes import record_counts
from core.store.days import hub_today
from core.strict_json import JsonObject
from core.tokens.services import issue_token
from federations.models import (
    A2aAgent,
    AccessLevel,
    AgentRun,
    CardKeyPin,
    Federation,
    McpServer,
    RuntimeObservation,
    StoredPlan,
    SyncJob,
)
from federations.runs.message import message_id
from federations.runs.progress import Ending, NewEvent
from federations.runs.states import EventKind, RunSource, RunState
from federations.services.access import grant
from federations.services.card_keys import pin_card_key
from federations.services.runs.make import WAIT, Work, make_run
from federations.services.runs.write import end_values, ended_event, write_run
from federations.services.start import start_sync
from fedhub.retention import KINDS
from peers.models import (
    DiscoveredAgent,
    Dispatch,
    DispatchReceipt,
    FailedDeliveries,
    HandlerEvent,
    InboundCallback,
    Intent,
    JournalEntry,
    OutboundCallback,
    Peer,
    PeerAgent,
    PeerKey,
    ReceivedDispatch,
    RegisteredAgent,
)
from peers.protocol import SigningKey
from peers.protocol.base_encodings import encode_base64url
from peers.services.trust.peer_tokens import issue_peer_token
from peers.services.trust.peers import add_peer
from tests.app.federations.admin.cloud import STAFF, MemoryCloud, agent, failed_agent, federation, server, sync

KEY = SigningKey(b"1" * 32).verification_key
OTHER_KEY = SigningKey(b"2" * 32).verification_key
THIRD_KEY = SigningKey(b"3" * 32).verification_key


def make_rows(cloud: MemoryCloud) -> None:
    """Store rows of every kind, in the states that the pages show in different ways."""
    found = federation()
    grant(found, level=AccessLevel.VIEW, user=User.objects.create_user("ines.hartmann"))
    findings = (server("ledger"), server("refunds"), agent("fraud-triage"), failed_agent("kyc-review"))
    sync(found, cloud, *findings)
    sync(found, cloud, *findings[1:])
    sync(federation("Never well", region="eu-west-1"), cloud, failed_agent("broken"))
    start_sync(federation("Waiting", region="eu-north-1"), by=STAFF)
    pin_keys()
    make_runs(A2aAgent.objects.order_by("path")[0])
    _make_peer_rows()
    make_notifications()
    Group.objects.create(name="Operators")
    issue_token("operator", scopes=["federations-read"], days=1)
    make_periodic_task()
    make_changes()
    count_rows()


def pin_keys() -> None:
    """Pin a key and a JWK Set that is not fetched yet, and let an agent have a verified card."""
    jwk = {"kty": "OKP", "crv": "Ed25519", "kid": "cards-2026", "x": encode_base64url(bytes(KEY))}
    pin = pin_card_key(
        name="Apothecary Ltd",
        jwk=json.dumps(jwk),
        organization="Apothecary Ltd",
        note="Compared on the phone.",
        by=STAFF,
    )
    pin_card_key(name="Partner Bank", jwks_url="https://partner.example.org/jwks.json", by=STAFF)
    verified = {"signature_state": "verified", "signature_kid": pin.kid, "signature_key_name": pin.name}
    A2aAgent.objects.update(signature_checked_at=timezone.now(), **verified)


def make_changes() -> None:
    """Change the federation that the pages show, as staff do, so that its Activity has something to tell."""
    if (found := example(Federation)) is not None:
        before = {"region": "us-east-1", "resourceTagsFilter": {"env": "development"}}
        after = before | {"resourceTagsFilter": {"env": "production", "team": "platform"}}
        config = (json.dumps(before), json.dumps(after))
        for changes in (
            {"provider_config": config},
            {"sync_crontab": ("", "0 2 * * *"), "is_sync_paused": (True, False)},
        ):
            record(found, changes, by=Actor("", "ines.hartmann"), reason="The night shift asked for it")


def make_periodic_task() -> None:
    """Store a periodic task of the hub, as a beat does when it starts."""
    every_day, _ = IntervalSchedule.objects.get_or_create(every=1, period="days")
    PeriodicTask.objects.get_or_create(name="Sweep jobs", defaults={"task": "federations.sweep", "interval": every_day})


def count_rows() -> None:
    """Count the stored rows of each kind, as the prune does, and as if the hub had counted them on earlier days."""
    now = timezone.now()
    record_counts(KINDS, {"handler_events": 12}, {"nonces": "OperationalError"}, now=now)
    for count in KindCount.objects.filter(day=hub_today()):
        rows = [
            KindCount(
                day=count.day - timedelta(days=back), kind=count.kind, rows=max(0, count.rows - back), counted_at=now
            )
            for back in range(1, 12)
        ]
        KindCount.objects.bulk_create(rows)
    PruneTurn.objects.update_or_create(defaults={"ended_at": now, "is_complete": True})


def make_runs(agent: A2aAgent, times: int = 1) -> None:
    """Store runs of an agent in every state, with events of every kind."""
    ada = Actor("7", "ada")
    parts: list[JsonObject] = [
        {"text": "Nothing is wrong with refund 7."},
        {"data": {"risk": "low", "checks": [{"name": "amount", "passed": True}, {"name": "country", "passed": True}]}},
        {"url": "https://files.example.org/report.pdf", "filename": "report.pdf", "mediaType": "application/pdf"},
    ]
    report: JsonObject = {"id": "r", "name": "report", "parts": [*parts]}
    dump: JsonObject = {"id": "d", "name": "raw data", "size": 210_044, "digest": f"sha256:{'0f' * 32}"}
    for number in range(times):
        text = f"Is refund {number + 7} suspicious?\n\nAnswer with the checks that you made."
        sent = Work(text, source=RunSource.PEER, source_id="1", dispatch_id=f"r-{number}", needs_approval=True)
        make_run(agent, sent, by=Actor("", "Partner Bank"))
        make_run(agent, Work(text), by=ada)
        asked = make_run(agent, Work(f"Explain the decision about refund {number}"), by=ada)
        _begin(asked)
        question = "In which language shall I explain it, and for whom?"
        event = NewEvent(EventKind.INPUT_REQUIRED, {"question": question, "state": "input-required"})
        due = timezone.now() + WAIT
        write_run(asked.id, events=[event], state="input_required", question=question, due_at=due)
        _begin(make_run(agent, Work(f"Sort the cases of this week by risk, {'and then by their age ' * 4}"), by=ada))
        answered = make_run(
            agent, Work(text, {"refund": {"id": 7, "amount": 120.5, "items": ["lamp", "cable"]}}), by=ada
        )
        _begin(answered)
        artifacts = [NewEvent(EventKind.ARTIFACT, each) for each in (report, dump)]
        write_run(answered.id, events=[NewEvent(EventKind.MESSAGE, {"text": "I compare the amounts."}), *artifacts])
        usage = {"seconds": 12.4, "requests": 3, "sends": 1, "llm_tokens": 1204, "cost_usd": 0.02}
        answer: JsonObject = {"text": "It is not suspicious.", "artifacts": [report, dump]}
        _end(answered, Ending(RunState.COMPLETED), usage=usage, answer=answer)
        ways = [(RunState.FAILED, "the agent no longer knows the task"), (RunState.CANCELLED, "Cancelled by ada")]
        for state, error in (*ways, (RunState.EXPIRED, "the agent did not finish within 900 seconds")):
            ended = make_run(agent, Work(f"Close case {number}", limits={"max_llm_tokens": 5000}), by=ada)
            _begin(ended, sends=2)
            _end(ended, Ending(state, error), usage={"seconds": 3.0, "requests": 2, "sends": 2})


def make_notifications(times: int = 1) -> None:
    """Store rules of each kind, and deliveries in each state."""
    for number in range(times):
        team = Group.objects.create(name=f"On call {number}")
        ines, _ = User.objects.get_or_create(username="ines.hartmann")
        values: dict[str, Any] = {"kinds": ["sync.failed", "plan.held", "dead_letter"], "created_by_name": "operator"}
        chat = Rule.objects.create(
            name=f"Everything to the chat {number}", target="webhook", url="https://chat.example.org/hooks/7", **values
        )
        Rule.objects.create(name=f"Nights {number}", target="group", group=team, paused_at=timezone.now(), **values)
        mine = Rule.objects.create(name=f"My federations {number}", user=ines, federations=["0" * 24], **values)
        event = Event.objects.create(
            kind="sync.failed",
            key=f"example {number}",
            text="The sync of Payments failed: AccessDenied",
            at=timezone.now(),
        )
        Item.objects.create(rule=chat, event=event, digest=f"digest-{number}")
        body = '{"type":"fedhub.notification","data":{"count":1,"events":[{"kind":"sync.failed"}]}}'
        dead = Delivery.objects.create(
            rule=chat, digest=f"digest-{number}", event_count=1, body=body, state="dead", attempts=2, due_at=None,
            last_error="Bad Gateway", ended_at=timezone.now(),
        )  # fmt: skip
        for code, text in ((None, "no complete answer within 10 seconds"), (502, "Bad Gateway")):
            Attempt.objects.create(delivery=dead, code=code, milliseconds=10_003, text=text)
        Delivery.objects.create(rule=mine, user=ines, event_count=3, state="sent", due_at=None)
        Delivery.objects.create(rule=mine, user=ines, is_test=True)


def _begin(run: AgentRun, sends: int = 1) -> None:
    now = timezone.now()
    sent = NewEvent(EventKind.SENT, {"messageId": message_id(run.id), "sends": sends})
    working = NewEvent(EventKind.WORKING, {"taskId": f"task-{run.pk}"})
    write_run(
        run.id, events=[sent, working], state="running", started_at=now, working_since=now, sends=sends, due_at=now
    )


def _end(run: AgentRun, ending: Ending, **values: Any) -> None:
    write_run(run.id, events=[ended_event(ending)], **(end_values(ending, timezone.now()) | values))


def _make_peer_rows() -> None:
    proposed = add_peer("https://new.example.org", by=STAFF, public_key=OTHER_KEY.base64)
    peer = add_peer("https://partner.example.org", by=STAFF, public_key=KEY.base64)
    Peer.objects.filter(pk=peer.pk).update(state="approved")
    peer.refresh_from_db()
    issue_peer_token(peer, days=1, by=STAFF)
    intent = Intent.objects.create(title="Reconcile", description="Compare both ledgers.", state={"month": "May"})
    ways = [("d-1", "pending", None), ("d-2", "failed", timezone.now()), ("d-3", "completed", None)]
    for dispatch_id, status, dead_at in ways:
        sent = Dispatch.objects.create(
            id=dispatch_id, intent_id=intent.pk, intent_title=intent.title, peer=peer, target_server=peer.server_url,
            agent_id="fraud-triage", envelope="{}", status=status, dead_at=dead_at, state={"period": {"from": "May"}},
            last_error="HTTP 404: Agent not found" if dead_at else "",
        )  # fmt: skip
        InboundCallback.objects.create(
            dispatch=sent, dedup_key=dispatch_id, body_digest="0", event_type="failed", body={"state_delta": {"a": 1}}
        )
    received = ReceivedDispatch.objects.create(
        peer=peer,
        dispatch_id="r-1",
        body_digest="0",
        intent=intent,
        accepted=True,
        envelope={},
        agent_id="fraud-triage",
    )
    OutboundCallback.objects.create(received=received, peer=peer, event_type="failed", idempotency_key="k", body="{}")
    HandlerEvent.objects.create(
        handler="a.B", kind="federation_received", source_id="1", dispatch_id="r-1", payload={}, last_error="Refused"
    )
    _make_state_of_peers(peer, received)
    RegisteredAgent.objects.create(agent_id="clerk", server_url="https://agents.example.org", capabilities=["text"])
    JournalEntry.objects.create(kind="peer", text="Proposed", peer_url=proposed.server_url, actor_name="staff")
    DispatchReceipt.objects.create(
        peer=peer, is_sent=True, dispatch_id="d-3", outcome="completed", standing="differs", differs="result usage",
        receipt={"type": "fedhub-receipt/1", "dispatch": "d-3"}, countersignature={"differs": "result usage"},
    )  # fmt: skip


def _make_state_of_peers(peer: Peer, received: ReceivedDispatch) -> None:
    """Store agents that the peer shows, deliveries of other days, and a peer whose only key is revoked."""
    shown = [("ledger", "Ledger clerk", ["reconcile", "explain"]), ("fraud-triage", "", ["detect_fraud"])]
    for agent_id, name, skills in shown:
        PeerAgent.objects.create(peer=peer, agent_id=agent_id, name=name, skills=skills, description="Reads ledgers.")
    FailedDeliveries.objects.create(
        peer=peer, day=hub_today() - timedelta(days=3), number=4, last_error="HTTP 503: Service Unavailable"
    )
    OutboundCallback.objects.create(
        received=received, peer=peer, event_type="completed", idempotency_key="k2", body="{}", sequence=2,
        delivered_at=timezone.now() - timedelta(days=1),
    )  # fmt: skip
    PeerKey.objects.create(peer=peer, public_key=THIRD_KEY.base64, state="pinned")
    Peer.objects.filter(pk=peer.pk).update(agents_fetched_at=timezone.now(), circuit_failures=2)
    stopped = add_peer("https://stopped.example.org", by=STAFF, public_key=OTHER_KEY.base64)
    Peer.objects.filter(pk=stopped.pk).update(state="approved")
    PeerKey.objects.filter(peer=stopped).update(state="revoked", valid_until=timezone.now())


WITH_ACTIVITY: tuple[type[Model], ...] = (Federation, Peer, PeerKey, User, Rule, A2aAgent, SyncJob)
ADDED = (Federation, CardKeyPin, Peer, Intent, RegisteredAgent, User, Group, Rule, get_application_model())
SPECIAL_PAGES = {
    Federation: ("remove", "edit", "servers", "agents", "runtimes", "jobs", "access"),
    Peer: ("approve", "issue_token"),
    PeerKey: ("approve",),
    Intent: ("dispatch_on",),
    DiscoveredAgent: ("make_public", "seen_as", "asks"),
    McpServer: ("publish",),
    A2aAgent: ("try_it",),
    Rule: ("secret",),
}
# A page that shows more than one kind of row is looked at with a row of each.
STATES_OF_RUNS = ("waiting_approval", "input_required", "failed")

# The richest row of a model is shown, and where a page needs a state, a row in that state.
ORDERS: Mapping[type[Model], tuple[str, ...]] = {
    Federation: ("-mcp_server_count", "pk"),
    McpServer: ("-num_tools", "path"),
    A2aAgent: ("-num_skills", "path"),
    RuntimeObservation: ("name", "runtime_id"),
    StoredPlan: ("held_message", "pk"),
    Peer: ("server_url",),
    DiscoveredAgent: ("path",),
}
CONDITIONS: Mapping[tuple[type[Model], str], Mapping[str, Any]] = {
    (Peer, "change"): {"state": "approved"},
    (Peer, "approve"): {"state": "proposed"},
    (Peer, "issue_token"): {"state": "approved"},
    (PeerKey, "approve"): {"state": "proposed", "peer__state": "approved"},
    (StoredPlan, "change"): {"status": "open", "is_from_sync": True},
    (JournalEntry, "change"): {"kind": "dispatch"},
    (Dispatch, "change"): {"status": "completed"},
    (ReceivedDispatch, "change"): {"accepted": True, "is_finished": False},
    (OutboundCallback, "change"): {"dead_at__isnull": False},
    (AgentRun, "change"): {"state": "completed"},
    (Rule, "change"): {"target": "webhook"},
    (Rule, "secret"): {"target": "webhook"},
    (Delivery, "change"): {"state": "dead"},
}


def example(model: type[Model], page: str = "change") -> Model | None:
    """Return the row that a page of the model is looked at with; None if no row is stored."""
    rows = model._default_manager.order_by(*ORDERS.get(model, ("pk",)))
    return rows.filter(**CONDITIONS.get((model, page), {})).first() or rows.first()


def addresses() -> Iterator[str]:
    """Yield the address of each page of the admin for which a row exists."""
    yield from ("/admin/", "/admin/password_change/", "/admin/peers/peer/import/", "/admin/peers/peer/this-hub/")
    yield reverse("admin:peers_intent_send_work")
    yield from (reverse("admin-tools"), reverse("admin-skills"), reverse("admin-storage"))
    yield from (reverse("admin-schedules"), reverse("admin-schedules") + "?tab=paused", reverse("admin-roles"))
    yield from (reverse(f"sign-in-{name}") for name in ("security", "add-app", "confirm"))
    yield from (reverse("own-tokens"), reverse("new-token"))
    if (token := get_access_token_model().objects.filter(user__username="operator").order_by("pk").first()) is not None:
        yield reverse("revoke-token", args=[token.pk])
    for told in WITH_ACTIVITY:
        if (row := example(told)) is not None:
            yield address(told, "history", row)
    if (entry := LogEntry.objects.filter(content_type__model="federation").order_by("pk").first()) is not None:
        name = "admin:federations_federation_activity_line"
        yield reverse(name, args=[entry.object_pk, f"audit-{entry.pk}"])
    for model, pages in SPECIAL_PAGES.items():
        for page in pages:
            if (row := example(model, page)) is not None:
                yield address(model, page, row)
    for state in STATES_OF_RUNS:
        if (run := AgentRun.objects.filter(state=state).order_by("pk").first()) is not None:
            yield address(AgentRun, "change", run)
    for model in admin.site._registry:
        yield address(model, "changelist")
        if model in ADDED:
            yield address(model, "add")
        if (row := example(model)) is not None:
            yield address(model, "change", row)


def api_addresses() -> Iterator[str]:
    """Yield the address of each page of the browsable API for which a row exists."""
    lists = ("federations", "servers", "agents", "runtimes", "intents", "federation-status", "federation-agents")
    yield from (reverse(name) for name in lists)
    yield reverse("search") + "?query=fraud"
    rows = {"server": McpServer, "agent": A2aAgent, "runtime": RuntimeObservation, "intent": Intent}
    for name, model in rows.items():
        if (row := example(model)) is not None:
            yield reverse(name, args=[row.pk])
    if (federation := example(Federation)) is None:
        return
    yield from (reverse(name, args=[federation.pk]) for name in ("federation", "jobs", "plans"))
    for names, found in (
        (("job", "job-changes"), SyncJob.objects.filter(federation_id=federation.pk).order_by("pk").first()),
        (("plan", "plan-changes"), StoredPlan.objects.filter(federation_id=federation.pk).order_by("pk").first()),
    ):
        if found is not None:
            yield from (reverse(name, args=[federation.pk, found.pk]) for name in names)


def page_name(path: str) -> str:
    """Return the name of the page at an address, without the ids of rows."""
    parts = urlsplit(path)
    name = resolve(parts.path).view_name
    return (name if ":" in name or "/api/" in path else parts.path) + (f"?{parts.query}" if parts.query else "")


def address(model: type[Model], page: str, row: Model | None = None) -> str:
    """Return the address of a page of the model's admin."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
    return reverse(name, args=[] if row is None else [row.pk])
