"""The models of the registry: federations, their discovered resources, and the jobs of syncs and deletions.

A row refers to a user by id and name and not by foreign key, because the registry may lie in another database than the
users.
"""

from federations.models.card_keys import CardKeyPin
from federations.models.daily_counts import DailyCount
from federations.models.deleted_servers import DeletedServer
from federations.models.federations import (
    AccessLevel,
    ChangePolicy,
    Federation,
    FederationGrant,
    FederationQuerySet,
    FederationStatus,
    FederationTag,
    ProviderType,
    SyncStatus,
    new_external_id,
)
from federations.models.jobs import (
    ACTIVE_JOB,
    CANCELLABLE_PHASES,
    PHASE_COLUMNS,
    ConnectionTestSlot,
    JobPhase,
    JobStatus,
    JobTrigger,
    JobType,
    PreviewSlot,
    SyncJob,
)
from federations.models.plans import PlannedChange, PlanStatus, ResourceVersion, StoredPlan
from federations.models.resources import (
    A2aAgent,
    A2aAgentTag,
    DiscoveredResource,
    McpServer,
    McpServerTag,
    RuntimeObservation,
    RuntimeTag,
    SignatureChoice,
)
from federations.models.runs import AgentQueueTurn, AgentRun, AgentRunEvent

__all__ = [
    "ACTIVE_JOB",
    "CANCELLABLE_PHASES",
    "PHASE_COLUMNS",
    "A2aAgent",
    "A2aAgentTag",
    "AccessLevel",
    "AgentQueueTurn",
    "AgentRun",
    "AgentRunEvent",
    "CardKeyPin",
    "ChangePolicy",
    "ConnectionTestSlot",
    "DailyCount",
    "DeletedServer",
    "DiscoveredResource",
    "Federation",
    "FederationGrant",
    "FederationQuerySet",
    "FederationStatus",
    "FederationTag",
    "JobPhase",
    "JobStatus",
    "JobTrigger",
    "JobType",
    "McpServer",
    "McpServerTag",
    "PlanStatus",
    "PlannedChange",
    "PreviewSlot",
    "ProviderType",
    "ResourceVersion",
    "RuntimeObservation",
    "RuntimeTag",
    "SignatureChoice",
    "StoredPlan",
    "SyncJob",
    "SyncStatus",
    "new_external_id",
]
