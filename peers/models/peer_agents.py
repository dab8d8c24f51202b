"""The agents of peers, as each peer lists them to this hub."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from core.ids import new_object_id
from core.store.documents import DocumentField
from peers.models.peers import Peer


class PeerAgent(models.Model):
    """An agent that a peer shows to this hub, as the peer's last list has it.

    `agent_id` is the id by which a dispatch names the agent. `name` and `description` are "" where the peer's list has
    none. `skills` are the names of what the agent can do. `seen_at` is the time of the list.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    peer = models.ForeignKey(Peer, on_delete=models.CASCADE, related_name="agents", db_index=False)
    agent_id = models.CharField(max_length=255)
    name = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    skills = DocumentField(default=list, blank=True)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["agent_id"]
        constraints = [models.UniqueConstraint(fields=["peer", "agent_id"], name="peer_agent_once")]

    def __str__(self) -> str:
        return self.name or self.agent_id
