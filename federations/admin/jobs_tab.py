"""The jobs and plans of a federation: its open plans, then its newest jobs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from core.admin.cells import row_link
from core.admin.labels import format_age
from federations.admin.labels import job_label, job_trigger, live_part
from federations.admin.plan_tables import open_plans_table
from federations.admin.tab_sections import Section
from federations.models import Federation
from federations.services.access import jobs_visible_to

RECENT_JOBS = 20


def jobs_tab(request: HttpRequest, federation: Federation) -> dict[str, Any]:
    """Return the open plans and the newest jobs of `federation`."""
    plans = open_plans_table(federation)
    plans_url = f"{reverse('admin:federations_storedplan_changelist')}?federation__id__exact={federation.pk}"
    jobs = list(
        jobs_visible_to(request.user).filter(federation_id=federation.pk).defer("changes", "warnings")[:RECENT_JOBS]
    )
    rows = [
        [
            row_link(job, live_part(job, "name")),
            job_label(job),
            live_part(job, "result"),
            format_age(job.created_at),
            live_part(job, "took"),
            job.requested_by_name or job_trigger(job),
        ]
        for job in jobs
    ]
    return {
        "running_jobs": [job for job in jobs if job.is_active],
        "sections": [
            Section(
                title="Open plans",
                headers=plans["headers"],
                rows=plans["rows"],
                more={"href": plans_url, "text": "All plans of this federation"},
                empty="No plan is open. A dry run makes one, and so does a sync that is held.",
            ),
            Section(
                title="Jobs",
                headers=("Job", "Status", "Result", "Started", "Took", "By"),
                rows=rows,
                more={
                    "href": f"{reverse('admin:federations_syncjob_changelist')}?q={federation.pk}",
                    "text": "All jobs of this federation",
                },
                empty="No job has run yet.",
            ),
        ],
    }
