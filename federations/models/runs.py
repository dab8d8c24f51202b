"""The runs of agents, their events, and the row by which the workers of the queue `agents` take turns."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.ids import new_object_id
from core.store.documents import DocumentField
from federations.runs.states import ENDED, EventKind, RunSource, RunState

STATE_LABELS = [(state.value, state.value.replace("_", " ").capitalize()) for state in RunState]
SOURCE_LABELS = [(source.value, source.value.capitalize()) for source in RunSource]
KIND_LABELS = [(kind.value, kind.value.replace("_", " ").capitalize()) for kind in EventKind]


class AgentRun(models.Model):
    """One piece of work that is given to one discovered A2A agent.

    A run outlives its agent, so the run has the agent's id, name, path and federation and no foreign key. `source_id`
    is the id of the peer that sent the work; it is empty for work of staff, whose person is `created_by_id`.
    `dispatch_id` is the id of the received dispatch. `request_key` is unique and keeps a repeated request from a second
    run; `request_digest` is the SHA-256 of that request.

    `text` and `data` are the parts of the message. `limits` are those of the budget that the driver checks
    (`federations.runs.usage`); `warned_limits` names those of which 80 % are passed. `protocol_version` is the version
    of A2A that the agent turned out to speak. `task_id` is the agent's task, once it is known. `sends` counts the
    requests with the message that the agent may have read. `usage` has `seconds`, `requests` and `sends`, and what the
    agent reports. `answer` is `{"text", "artifacts"}`.

    `question` is what the agent asked last, `input_text` the last answer to it. `input_number` counts the answers, and
    `input_sent` those of them that the agent has got.
    `cancel_asked_at` and `cancel_reason` are set while a worker still has to end the agent's task.

    `due_at` is the time from which a worker may take the run, and, once a worker has taken it, the end of the lease,
    which the worker moves on while it lives. A run that waits for a person is due when its wait lapses; an ended run is
    never due. `lease_token` names the worker. `working_since` is the time from which the agent works, `worked_seconds`
    the time that it worked before; waiting does not count.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    agent_id = models.CharField(max_length=24)
    agent_name = models.CharField(max_length=200)
    agent_path = models.CharField(max_length=255)
    federation_id = models.CharField(max_length=24, blank=True)
    source = models.CharField(max_length=8, choices=SOURCE_LABELS)
    source_id = models.CharField(max_length=64, blank=True)
    dispatch_id = models.CharField(max_length=64, blank=True)
    created_by_id = models.CharField(max_length=64, blank=True)
    created_by_name = models.CharField(max_length=200, blank=True)
    request_key = models.CharField(max_length=64, unique=True)
    request_digest = models.CharField(max_length=64, blank=True)
    text = models.TextField()
    data = DocumentField(null=True, blank=True)
    limits = DocumentField(default=dict)
    warned_limits = DocumentField(default=list)
    trace_parent = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=STATE_LABELS, default=RunState.QUEUED.value)
    protocol_version = models.CharField(max_length=8, blank=True)
    context_id = models.CharField(max_length=64)
    task_id = models.CharField(max_length=200, blank=True)
    sends = models.PositiveIntegerField(default=0)
    question = models.TextField(blank=True)
    input_text = models.TextField(blank=True)
    input_number = models.PositiveIntegerField(default=0)
    input_sent = models.PositiveIntegerField(default=0)
    cancel_asked_at = models.DateTimeField(null=True, blank=True)
    cancel_reason = models.TextField(blank=True)
    answer = DocumentField(null=True, blank=True)
    usage = DocumentField(default=dict)
    error = models.TextField(blank=True)
    last_sequence = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    working_since = models.DateTimeField(null=True, blank=True)
    worked_seconds = models.FloatField(default=0)
    due_at = models.DateTimeField(null=True, blank=True)
    lease_token = models.CharField(max_length=32, blank=True)
    nudged_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "run"
        ordering = ["-created_at", "-id"]
        permissions = [("approve_agentrun", "Can approve or refuse work for an agent")]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="run_newest"),
            models.Index(fields=["agent_id", "-created_at", "-id"], name="run_agent_newest"),
            models.Index(fields=["federation_id", "-created_at", "-id"], name="run_federation_newest"),
            models.Index(fields=["state", "-created_at", "-id"], name="run_state_newest"),
            models.Index(fields=["source_id", "state"], name="run_source_state"),
            models.Index(fields=["dispatch_id"], name="run_dispatch"),
            models.Index(fields=["due_at"], name="run_due"),
            models.Index(fields=["lease_token"], name="run_lease"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in RunState]), name="run_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(source__in=[each.value for each in RunSource]), name="run_source_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent_name}: {self.get_state_display().lower()}"

    @property
    def has_ended(self) -> bool:
        """Tell whether nothing more happens to the run."""
        return self.state in ENDED


class AgentRunEvent(models.Model):
    """One thing that happened to a run: its kind and at most 64 KB of payload.

    `sequence` counts the events of a run from 1. After 1,000 events only the last one of each kind is kept, so that
    later sequences have gaps.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    run = models.ForeignKey(AgentRun, on_delete=models.CASCADE, related_name="events", db_index=False)
    sequence = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=KIND_LABELS)
    payload = DocumentField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "event of a run"
        verbose_name_plural = "events of runs"
        ordering = ["sequence"]
        constraints = [models.UniqueConstraint(fields=["run", "sequence"], name="run_event_once")]

    def __str__(self) -> str:
        return f"{self.sequence}: {self.kind}"


class AgentQueueTurn(models.Model):
    """The one row that each worker locks while it takes runs, so that the limits hold over all workers.

    `open_until` is a time until which a worker with room looks for due runs, so that another worker need not start.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    name = models.CharField(max_length=16, unique=True)
    open_until = models.DateTimeField(null=True, blank=True)
    turns = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"turn of {self.name}"
