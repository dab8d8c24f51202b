"""The registry: federations, what was discovered in them, and the jobs that keep both in step.

Rows refer to people by id and name, never by foreign key: users live in a relational database, the registry need not.
"""

from federations.models.federations import (
    AccessLevel,
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
    JobPhase,
    JobStatus,
    JobTrigger,
    JobType,
    PreviewSlot,
    SyncJob,
)
from federations.models.resources import (
    A2aAgent,
    A2aAgentTag,
    DiscoveredResource,
    McpServer,
    McpServerTag,
    RuntimeObservation,
)

__all__ = [
    "ACTIVE_JOB",
    "A2aAgent",
    "A2aAgentTag",
    "AccessLevel",
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
    "PreviewSlot",
    "ProviderType",
    "RuntimeObservation",
    "SyncJob",
    "SyncStatus",
    "new_external_id",
]
