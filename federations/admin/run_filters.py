"""The filters of the list of runs: federation, agent, and who gave the work."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from federations.admin.filters import JobFederationFilter
from federations.admin.run_labels import SOURCE_WORDS
from federations.models import AgentRun
from federations.services.access import agents_visible_to

MAX_AGENTS = 500


class RunFederationFilter(JobFederationFilter):
    """Keep the runs of the agents of the picked federation."""


class RunAgentFilter(DropdownFilter):
    """Keep the runs of the picked agent. The filter offers the agents with a run, and the agent in the address."""

    title = "agent"
    parameter_name = "agent"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        runs = model_admin.get_queryset(request)
        names = runs.order_by("agent_name", "agent_id").values_list("agent_id", "agent_name").distinct()
        found = dict(names[:MAX_AGENTS])
        picked = str(self.value() or "")
        if picked and picked not in found:
            name = agents_visible_to(request.user).filter(pk=picked).values_list("name", flat=True).first()
            found[picked] = name or picked
        return list(found.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[AgentRun]) -> QuerySet[AgentRun]:
        return queryset.filter(agent_id=self.value()) if self.value() else queryset


class RunSourceFilter(DropdownFilter):
    """Keep the runs that a peer gave, or those that staff and programs gave."""

    title = "given by"
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(SOURCE_WORDS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[AgentRun]) -> QuerySet[AgentRun]:
        return queryset.filter(source=self.value()) if self.value() else queryset
