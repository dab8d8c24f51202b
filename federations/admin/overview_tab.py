"""The overview of a federation: banners, tiles, the facts of its configuration, and what waits to be done next."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from core.admin.cells import time_since
from core.admin.labels import count_text, format_age
from federations.admin.labels import (
    SYNC_COLORS,
    count_of,
    error_summary,
    progress_bar,
    sync_label,
    sync_outcome,
    would_have,
)
from federations.admin.plan_tables import open_held_plan
from federations.admin.save_effects import filter_text, names_text
from federations.admin.schedule_cells import next_sync_words
from federations.admin.skipped import notice_of_last_sync
from federations.admin.trust_policy import trust_policy_of
from federations.models import ChangePolicy, Federation, FederationStatus, ProviderType, SyncStatus
from federations.schedules.words import schedule_words
from federations.services.access import runtimes_visible_to
from federations.services.audit import config_changed_at
from federations.services.discover import is_complete_config, known_regions
from federations.services.inventory import IS_BROKEN
from federations.services.schedule import schedule_of

POLICY_WORDS = {
    ChangePolicy.FLOW: "Flow: a sync applies every change.",
    ChangePolicy.REVIEW: "Review: a sync with a breaking or risky change waits until staff apply its plan.",
}


def overview_tab(request: HttpRequest, federation: Federation) -> dict[str, Any]:
    """Return the template context of the overview."""
    job = federation.last_sync
    has_skipped = bool(job and count_of(job.summary or {}, "skipped"))
    return {
        "sync_label": sync_label(federation),
        "sync_color": SYNC_COLORS[sync_outcome(federation)],
        "failure": error_summary(job) if job and federation.sync_status == SyncStatus.FAILED else "",
        "cards": _cards(federation),
        "last_job": job,
        "last_job_ago": format_age(job.finished_at or job.started_at or job.created_at) if job else "",
        "progress": progress_bar(job) if job and job.is_active else "",
        "running_jobs": [job] if job and job.is_active else [],
        "config_changed": _age(config_changed_at(federation)),
        "is_held": bool(job and job.held),
        "held_plan": open_held_plan(federation),
        "would_have": would_have(job) if job else "",
        "skipped": notice_of_last_sync(request.user, federation) if has_skipped else None,
        "broken": _broken(request, federation),
        "is_disabled": federation.status == FederationStatus.DISABLED,
        "is_complete": is_complete_config(federation.provider_type, federation.provider_config),
        "schedule": schedule_words(schedule_of(federation)),
        "next_sync": next_sync_words(federation),
        "policy": POLICY_WORDS[ChangePolicy(federation.change_policy)],
        "region": _region(federation),
        "role_arn": federation.provider_config.get("assumeRoleArn", ""),
        "tag_filter": filter_text(federation.provider_config),
        "is_registry": federation.provider_type == ProviderType.MCP_REGISTRY,
        "names": names_text(federation.provider_config),
        "trust_policy": trust_policy_of(federation.external_id),
        "created": (format_age(federation.created_at), federation.created_by_name or "the hub"),
        "updated": (format_age(federation.updated_at), federation.updated_by_name or "the hub"),
    }


def _age(changed_at: datetime | None) -> str:
    return format_age(changed_at) if changed_at else ""


def _cards(federation: Federation) -> list[dict[str, Any]]:
    servers, agents = (
        reverse(f"admin:federations_federation_{name}", args=[federation.pk]) for name in ("servers", "agents")
    )
    tools = f"{reverse('admin-tools')}?federation={federation.pk}"
    return [
        {"title": "MCP servers", "number": f"{federation.mcp_server_count:,}", "href": servers, "icon": "dns"},
        {"title": "A2A agents", "number": f"{federation.agent_count:,}", "href": agents, "icon": "smart_toy"},
        {"title": "Tools", "number": f"{federation.tool_count:,}", "href": tools, "icon": "build"},
    ]


def _broken(request: HttpRequest, federation: Federation) -> dict[str, Any] | None:
    """Return the number of broken runtimes, the age of the oldest error, and the tab that lists them."""
    found = runtimes_visible_to(request.user).filter(IS_BROKEN, scope=federation.pk)
    number = found.count()
    if not number:
        return None
    oldest = found.filter(error_since__isnull=False).order_by("error_since").only("error_since").first()
    return {
        "text": count_text(number, "runtime"),
        "is_one": number == 1,
        "since": time_since(oldest.error_since) if oldest else "",
        "href": reverse("admin:federations_federation_runtimes", args=[federation.pk]),
    }


def _region(federation: Federation) -> str:
    name = str(federation.provider_config.get("region") or "")
    description = known_regions(federation.provider_type).get(name, "")
    return f"{name}, {description}" if description else name
