"""The tabs of the registry's lists, and the columns of their CSV files."""

from __future__ import annotations

from django.db.models import Q
from django.utils import timezone

from core.admin.list_export import ExportField
from core.admin.list_tabs import Tab
from federations.admin.labels import job_outcome, sync_outcome
from federations.admin.run_labels import SOURCE_WORDS, state_words
from federations.admin.run_rows import beginning_of
from federations.models import (
    ACTIVE_JOB,
    A2aAgent,
    DiscoveredResource,
    FederationStatus,
    JobStatus,
    McpServer,
    PlanStatus,
    SyncStatus,
)
from federations.runs.states import RunState
from federations.schedules.words import schedule_words
from federations.services.inventory import IS_BROKEN, NEEDS_A_LOOK
from federations.services.schedule import schedule_of
from federations.services.shown import shows_status

READY = "READY"
_LAST_SYNC_HELD = Q(last_sync__held=True)
_NOT_FETCHED = ~Q(jwks_url="") & Q(fetched_at__isnull=True)
_LAST_SYNC_NOT_HELD = Q(last_sync__isnull=True) | Q(last_sync__held=False)

FEDERATION_TABS = (
    Tab("well", "In sync", Q(sync_status=SyncStatus.SUCCESS)),
    Tab("running", "Running", Q(sync_status__in=[SyncStatus.PENDING, SyncStatus.SYNCING])),
    Tab("held", "Held", _LAST_SYNC_HELD),
    Tab("failed", "Failed, or with errors", Q(sync_status=SyncStatus.FAILED) & _LAST_SYNC_NOT_HELD),
    Tab("never", "Never synced", Q(sync_status=SyncStatus.IDLE)),
    Tab("disabled", "Disabled", Q(status=FederationStatus.DISABLED)),
)
FEDERATION_EXPORT: tuple[ExportField, ...] = (
    ("Id", "id"),
    ("Name", "display_name"),
    ("Tags", lambda row: ", ".join(row.tags)),
    ("Provider", "provider_type"),
    ("Region", lambda row: row.provider_config.get("region")),
    ("Status", "get_status_display"),
    ("Last sync", sync_outcome),
    ("Last sync at", "last_sync.finished_at"),
    ("Servers", "mcp_server_count"),
    ("Agents", "agent_count"),
    ("Tools", "tool_count"),
    ("Schedule", lambda row: schedule_words(schedule_of(row))),
    ("Next sync", "next_sync_at"),
    ("Created", "created_at"),
)


def resource_tabs(model: type[DiscoveredResource]) -> tuple[Tab, ...]:
    """Return the tabs of the servers or of the agents."""
    return (
        Tab("not_ready", "Not ready", lambda: ~shows_status(model, READY)),
        Tab("unfederated", "Without a federation", Q(federation__isnull=True)),
    )


SERVER_TABS = resource_tabs(McpServer)
AGENT_TABS = resource_tabs(A2aAgent)
_RESOURCE_EXPORT: tuple[ExportField, ...] = (
    ("Tags", lambda row: ", ".join(row.tags)),
    ("Federation", "federation.display_name"),
    ("Status", "shown_status"),
    ("Access", "access_mode"),
    ("Version", "runtime_version"),
    ("Region", "region"),
    ("Account", "account_id"),
    ("Runtime ARN", "runtime_arn"),
    ("Invocation URL", "url"),
    ("Updated", "updated_at"),
)
SERVER_EXPORT: tuple[ExportField, ...] = (
    ("Id", "id"), ("Name", "server_name"), ("Path", "path"), ("Tools", "num_tools"), *_RESOURCE_EXPORT,
)  # fmt: skip
AGENT_EXPORT: tuple[ExportField, ...] = (
    ("Id", "id"), ("Name", "name"), ("Path", "path"), ("Organization", "organization"), ("Skills", "num_skills"),
    ("Signature", "get_signature_state_display"), ("Signature key", "signature_key_name"),
    *_RESOURCE_EXPORT,
)  # fmt: skip

CARD_KEY_TABS = (
    Tab("in_use", "In use", Q(retired_at__isnull=True) & ~_NOT_FETCHED),
    Tab("not_fetched", "Not fetched", Q(retired_at__isnull=True) & _NOT_FETCHED),
    Tab("retired", "Retired", Q(retired_at__isnull=False)),
)
CARD_KEY_EXPORT: tuple[ExportField, ...] = (
    ("Id", "id"), ("Name", "name"), ("Federation", "federation.display_name"), ("Organization", "organization"),
    ("Key id", "kid"), ("JWK Set URL", "jwks_url"), ("Created", "created_at"), ("Created by", "created_by_name"),
    ("Retired", "retired_at"), ("Retired by", "retired_by_name"),
)  # fmt: skip

JOB_TABS = (
    Tab("running", "Running", ACTIVE_JOB),
    Tab("held", "Held", Q(held=True)),
    Tab("failed", "Failed, or with errors", Q(status=JobStatus.FAILED, held=False, cancelled_at__isnull=True)),
    Tab("cancelled", "Cancelled", Q(cancelled_at__isnull=False)),
    Tab("warnings", "With warnings", Q(status=JobStatus.SUCCESS, warning_count__gt=0)),
    Tab("success", "Success", Q(status=JobStatus.SUCCESS)),
)
JOB_EXPORT: tuple[ExportField, ...] = (
    ("Id", "id"),
    ("Federation", "federation_name"),
    ("Kind", "get_job_type_display"),
    ("Status", job_outcome),
    ("Warnings", "warning_count"),
    ("Error", "error"),
    ("Trigger", "trigger"),
    ("Requested by", "requested_by_name"),
    ("Reason", "reason"),
    ("Requested", "created_at"),
    ("Started", "started_at"),
    ("Finished", "finished_at"),
)


RUN_TABS = (
    Tab("waiting_approval", "Waiting for approval", Q(state=RunState.WAITING_APPROVAL.value)),
    Tab("input_required", "Asks a question", Q(state=RunState.INPUT_REQUIRED.value)),
    Tab("running", "Running", Q(state=RunState.RUNNING.value)),
    Tab("queued", "Queued", Q(state=RunState.QUEUED.value)),
    Tab("completed", "Completed", Q(state=RunState.COMPLETED.value)),
    Tab("failed", "Failed", Q(state=RunState.FAILED.value)),
    Tab("cancelled", "Cancelled", Q(state=RunState.CANCELLED.value)),
    Tab("expired", "Expired", Q(state=RunState.EXPIRED.value)),
)
RUN_EXPORT: tuple[ExportField, ...] = (
    ("Id", "id"),
    ("Work", beginning_of),
    ("Agent", "agent_name"),
    ("Agent id", "agent_id"),
    ("Federation id", "federation_id"),
    ("State", state_words),
    ("Error", "error"),
    ("Source", lambda row: SOURCE_WORDS.get(row.source, row.source)),
    ("Given by", "created_by_name"),
    ("Received dispatch", "dispatch_id"),
    ("Messages sent", "sends"),
    ("Given", "created_at"),
    ("Started", "started_at"),
    ("Finished", "finished_at"),
)


def _is_open() -> Q:
    return Q(status=PlanStatus.OPEN, expires_at__gt=timezone.now())


PLAN_TABS = (
    Tab("open", "Open", _is_open),
    # A held plan always has a message.
    Tab("held", "Held", lambda: _is_open() & ~Q(held_message=""), ("created_at", "pk")),
    Tab("applied", "Applied", Q(status=PlanStatus.APPLIED)),
    Tab("dismissed", "Dismissed", Q(status=PlanStatus.DISMISSED)),
    Tab("stale", "Stale", Q(status=PlanStatus.STALE)),
    Tab(
        "expired",
        "Expired",
        lambda: Q(status=PlanStatus.EXPIRED) | Q(status=PlanStatus.OPEN, expires_at__lte=timezone.now()),
    ),
)
PLAN_EXPORT: tuple[ExportField, ...] = (
    ("Id", "id"),
    ("Federation", "federation.display_name"),
    ("State", lambda row: row.status_at(timezone.now()).label),
    ("Held because", "held_message"),
    ("Counters", "summary"),
    ("Author", "created_by_name"),
    ("Reason", "reason"),
    ("Made", "created_at"),
    ("Expires", "expires_at"),
)

RUNTIME_TABS = (
    Tab("failed", "Failed", IS_BROKEN),
    Tab("look", "Incomplete, or with warnings", NEEDS_A_LOOK & ~IS_BROKEN),
    Tab("ok", "OK", ~NEEDS_A_LOOK & ~IS_BROKEN),
)
RUNTIME_EXPORT: tuple[ExportField, ...] = (
    ("Name", "name"),
    ("Runtime id", "runtime_id"),
    ("Runtime ARN", "runtime_arn"),
    ("Federation id or region", "scope"),
    ("Protocol", "protocol"),
    ("Status", "status"),
    ("Version", "version"),
    ("Error", lambda row: row.error or row.failure_reason),
    ("Failed since", "error_since"),
    ("Warnings", lambda row: len(row.warnings)),
    ("Changed in the cloud", "last_updated_at"),
)
