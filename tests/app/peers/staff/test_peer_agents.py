"""The list of a peer's agents: fetched by a signed request, kept, and replaced by the next list."""

from __future__ import annotations

import json
import time
from urllib.parse import parse_qs

import pytest
from django.utils import timezone
from werkzeug import Request, Response

from core.errors import ConflictError
from core.strict_json import Json, JsonObject
from peers.models import Peer
from peers.protocol.http_signatures import verify_request
from peers.services.catalog.peer_agents import agents_of, ask_for_agents, fetch_agents
from peers.services.trust.identity import hub_identity
from peers.services.trust.peers import suspend_peer
from tests.app.peers.staff.conftest import KEY, OPERATOR, Partner

AGENTS_PATH = "/api/v1/federation/agents"


class AgentList:
    """Answers requests for a peer's agents by pages, and refuses one that this hub did not sign."""

    def __init__(self, partner: Partner, *pages: list[Json]) -> None:
        self.partner, self.pages = partner, pages
        partner.server.clear()
        partner.server.expect_request(AGENTS_PATH).respond_with_handler(self.answer)

    def answer(self, request: Request) -> Response:
        query = request.query_string.decode()
        verify_request(
            method="GET",
            target_uri=self.partner.url + AGENTS_PATH + (f"?{query}" if query else ""),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=b"",
            resolve_keys=lambda keyid: hub_identity().verification_keys if keyid == hub_identity().did else [],
            now=int(time.time()),
        )
        number = int(parse_qs(query).get("cursor", ["0"])[0])
        body: JsonObject = {"agents": self.pages[number]}
        if number + 1 < len(self.pages):
            body["next_cursor"] = str(number + 1)
        return Response(json.dumps(body), content_type="application/json")


def listed(agent_id: str, *skills: str, **more: Json) -> JsonObject:
    return {"agent_id": agent_id, "server_url": "https://x.example.org", "capabilities": [*skills], **more}


def test_the_agents_of_a_peer_are_fetched_and_stay_until_the_next_list(partner: Partner) -> None:
    peer = partner.approved(KEY)
    # MongoDB keeps milliseconds.
    now = timezone.now().replace(microsecond=0)
    AgentList(
        partner,
        [listed("clerk", "text", name="Clerk", description="Reads letters."), {"agent_id": 7}, listed("")],
        [listed("fraud", "detect_fraud", "explain"), listed("x" * 256)],
    )
    assert fetch_agents(peer.pk, now) == 2
    clerk, fraud = agents_of(peer)
    assert (clerk.agent_id, clerk.name, clerk.description, clerk.skills) == (
        "clerk",
        "Clerk",
        "Reads letters.",
        ["text"],
    )
    assert (str(fraud), fraud.skills, fraud.seen_at) == ("fraud", ["detect_fraud", "explain"], now)
    peer.refresh_from_db()
    assert (peer.agents_tried_at, peer.agents_fetched_at) == (now, now)
    assert peer.agents_error == "3 of its agents cannot be read and are left out"

    later = timezone.now().replace(microsecond=0)
    partner.server.clear()
    partner.server.expect_request(AGENTS_PATH).respond_with_json({"detail": "not trusted"}, status=403)
    assert fetch_agents(peer.pk, later) == 0
    peer.refresh_from_db()
    assert (peer.agents_tried_at, peer.agents_fetched_at, peer.agents_error) == (later, now, "403: not trusted")
    assert agents_of(peer).count() == 2

    AgentList(partner, [listed("fraud")])
    assert fetch_agents(peer.pk, later) == 1
    assert list(agents_of(peer).values_list("agent_id", flat=True)) == ["fraud"]
    peer.refresh_from_db()
    assert peer.agents_error == ""


def test_a_peer_that_is_not_approved_is_not_asked(approved: Peer) -> None:
    ask_for_agents(approved)
    suspend_peer(approved, reason="Incident", by=OPERATOR)

    with pytest.raises(ConflictError, match="is not approved"):
        ask_for_agents(approved)
    assert fetch_agents(approved.pk, timezone.now()) == 0
    approved.refresh_from_db()
    assert approved.agents_tried_at is None
